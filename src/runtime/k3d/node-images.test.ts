import { describe, expect, it } from 'vitest'
import type { EngineImage } from '../../machine/docker/engine.js'
import { compareReleases, imageVersion, isMadeHere, nodeImages } from './node-images.js'

const image = (tags: readonly string[], more: Partial<EngineImage> = {}): EngineImage => ({
  id: 'i',
  tags,
  arch: 'amd64',
  sizeBytes: 1,
  labels: {},
  entrypoint: [],
  env: [],
  ...more,
})

describe('the release that an image holds', () => {
  it.each([
    ['rancher/k3s:v1.33.1-k3s1', 'v1.33.1+k3s1'],
    ['rancher/k3s:v1.33.1-k3s1-arm64', 'v1.33.1+k3s1'],
    ['docker.io/rancher/k3s:v1.33.1-rc2-k3s10', 'v1.33.1-rc2+k3s10'],
    ['localhost:5000/k3s:1.33.1-k3s1@sha256:0123', 'v1.33.1+k3s1'],
    ['airlift/k3s:v1.33.13-k3s1-cc54ff2acd27', 'v1.33.13+k3s1'],
    ['airlift/k3s:v1.33.13-k3s12k', undefined],
    ['rancher/k3s:latest', undefined],
    ['rancher/k3s', undefined],
    ['localhost:5000/k3s', undefined],
    ['sha256:00', undefined],
  ])('is told by the tag of %s', (ref, version) => {
    expect(imageVersion(ref)).toBe(version)
  })

  it('is told by the image itself before its name', () => {
    const tag = 'mine:v1.30.1-k3s1'
    expect(imageVersion(tag, image([], { labels: { 'airlift.version': 'v1.33.1+k3s1' } }))).toBe(
      'v1.33.1+k3s1',
    )
    const told = { labels: { 'org.opencontainers.image.version': 'v1.34.1-k3s1' } }
    expect(imageVersion('mine:1', image([], told))).toBe('v1.34.1+k3s1')
    expect(imageVersion('mine:1', image([], { env: ['A=b', 'K3S_VERSION=v1.32.1+k3s2'] }))).toBe(
      'v1.32.1+k3s2',
    )
    expect(imageVersion('mine:1', image([], { labels: { 'airlift.version': 'new' } }))).toBeUndefined()
  })
})

it('releases are ordered as they came', () => {
  const ordered = [
    'v1.9.9+k3s1',
    'v1.33.1-alpha.1+k3s1',
    'v1.33.1-rc1+k3s1',
    'v1.33.1-rc2+k3s1',
    'v1.33.1+k3s1',
    'v1.33.1+k3s2',
    'v1.33.1+k3s10',
    'v1.33.10+k3s1',
    'v1.34.0+k3s1',
  ]
  expect([...ordered].reverse().sort(compareReleases)).toEqual(ordered)
})

describe('images that nodes can run', () => {
  it('are those of k3s and of airlift, newest first', () => {
    const found = nodeImages(
      [
        image(['rancher/k3s:v1.33.9-k3s1']),
        image([
          'airlift/k3s:v1.33.10-k3s1-abc',
          'rancher/k3s:v1.33.10-k3s1-amd64',
          'rancher/k3s:v1.33.10-k3s1',
        ]),
        image(['docker.io/rancher/k3s:v1.34.1-k3s1', 'localhost/airlift/k3s:v1.34.1-k3s1-abc']),
      ],
      'amd64',
    )
    expect(found).toEqual([
      { ref: 'docker.io/rancher/k3s:v1.34.1-k3s1', version: 'v1.34.1+k3s1' },
      { ref: 'localhost/airlift/k3s:v1.34.1-k3s1-abc', version: 'v1.34.1+k3s1' },
      { ref: 'rancher/k3s:v1.33.10-k3s1', version: 'v1.33.10+k3s1' },
      { ref: 'rancher/k3s:v1.33.10-k3s1-amd64', version: 'v1.33.10+k3s1' },
      { ref: 'airlift/k3s:v1.33.10-k3s1-abc', version: 'v1.33.10+k3s1' },
      { ref: 'rancher/k3s:v1.33.9-k3s1', version: 'v1.33.9+k3s1' },
    ])
    expect(found.map(({ ref }) => isMadeHere(ref))).toEqual([false, true, false, false, true, false])
  })

  it('are not those of others, of another processor, without a release, or of one that is not supported', () => {
    const strange = [
      image(['my/rancher/k3s:v1.33.1-k3s1', 'rancher/k3s-upgrade:v1.33.1-k3s1', 'rancher/k3s:latest']),
      image(['rancher/k3s:v1.33.1-k3s1'], { arch: 'arm64' }),
      image(['rancher/k3s:v1.20.1-k3s1', 'rancher/k3s:v2.33.1-k3s1']),
      image([]),
    ]
    expect(nodeImages(strange, 'amd64')).toEqual([])
  })
})
