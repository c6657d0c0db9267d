import { expect, it } from 'vitest'
import { shownUrl } from './shown-url.js'

it.each([
  ['http://bob:s3cr3t@mirror.lan:8080/k3s/', 'http://mirror.lan:8080/k3s/'],
  ['https://token@mirror.lan/k3s?sig=s3cr3t', 'https://mirror.lan/k3s'],
  ['https://mirror.lan/k3s', 'https://mirror.lan/k3s'],
  ['http://bob:s3cr3t@mirror.lan:port/k3s', 'http://mirror.lan:port/k3s'],
])('shows %s as %s', (url, shown) => {
  expect(shownUrl(url)).toBe(shown)
  if (URL.canParse(url)) expect(shownUrl(new URL(url))).toBe(shown)
})
