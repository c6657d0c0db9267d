import { resolve } from 'node:path'
import { expect, it } from 'vitest'
import { releasePlace } from './release-place.js'

it.each([
  ['/srv/k3s', { directory: '/srv/k3s' }],
  ['k3s', { directory: resolve('k3s') }],
  ['file:///srv/k3s%201', { directory: '/srv/k3s 1' }],
  ['https://mirror.lan/k3s//', { url: 'https://mirror.lan/k3s' }],
  ['HTTP://mirror.lan', { url: 'HTTP://mirror.lan' }],
])('reads %s', (from, place) => {
  expect(releasePlace(from)).toEqual(place)
})

it.each(['ftp://mirror.lan/k3s', 'file://mirror.lan/k3s', 'http://bob:s3cr3t@mirror:x/'])(
  'refuses %s without its password',
  (from) => {
    expect(() => releasePlace(from)).toThrow(
      expect.objectContaining({
        code: 'E_USAGE',
        message: `nothing can be downloaded from "${from.replace('bob:s3cr3t@', '')}"`,
      }),
    )
  },
)
