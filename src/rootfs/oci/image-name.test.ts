import { describe, expect, it } from 'vitest'
import { normalizeImageName, shortImageName } from './image-name.js'

const DIGEST = `sha256:${'a'.repeat(64)}`

describe('normalizeImageName', () => {
  it.each([
    ['busybox', 'docker.io/library/busybox:latest'],
    ['busybox:1.37', 'docker.io/library/busybox:1.37'],
    ['rancher/pause:3.6', 'docker.io/rancher/pause:3.6'],
    ['docker.io/busybox:1', 'docker.io/library/busybox:1'],
    ['index.docker.io/rancher/pause:3.6', 'docker.io/rancher/pause:3.6'],
    ['ghcr.io/a/b/c:1', 'ghcr.io/a/b/c:1'],
    ['localhost/x:1', 'localhost/x:1'],
    ['localhost:5000/x', 'localhost:5000/x:latest'],
    ['10.0.0.1:5000/a/b:v1_2-3', '10.0.0.1:5000/a/b:v1_2-3'],
    [`a/b@${DIGEST}`, `docker.io/a/b@${DIGEST}`],
    [`a/b:1@${DIGEST}`, `docker.io/a/b:1@${DIGEST}`],
    ['a/b__c.d-e:1', 'docker.io/a/b__c.d-e:1'],
  ])('%s is %s', (text, full) => {
    expect(normalizeImageName(text)).toBe(full)
    expect(normalizeImageName(full)).toBe(full)
  })

  it.each(['', 'a/Upper:1', 'a/b:', 'a//b:1', '-a:1', 'a b:1', 'a/b@sha256:12', `a/b:${'x'.repeat(129)}`])(
    'refuses "%s"',
    (text) => expect(normalizeImageName(text)).toBeUndefined(),
  )
})

describe('shortImageName', () => {
  it.each([
    ['docker.io/rancher/mirrored-pause:3.6', 'mirrored-pause-3.6'],
    [`docker.io/a/b@${DIGEST}`, 'b'],
    [`ghcr.io/x/${'y'.repeat(100)}:1`, 'y'.repeat(60)],
  ])('of %s is %s', (name, short) => expect(shortImageName(name)).toBe(short))
})
