import { describe, expect, it } from 'vitest'
import { k3sVersion, parseSums, releaseFiles, releaseUrl } from './release.js'

describe('k3sVersion', () => {
  it.each([
    ['v1.33.1+k3s1', 'v1.33.1+k3s1'],
    ['1.33.1+k3s1', 'v1.33.1+k3s1'],
    ['v1.33.1-k3s10', 'v1.33.1+k3s10'],
    ['v1.34.0-rc1+k3s1', 'v1.34.0-rc1+k3s1'],
    ['v1.33.1+k3s1-airlift', 'v1.33.1+k3s1-airlift'],
  ])('%s is %s', (text, version) => expect(k3sVersion(text)).toBe(version))

  it.each(['', 'stable', '1.33', 'v1.33.1', 'v1.33.1+k0s.0', 'v2.33.1+k3s1', 'v1.33.1+k3s1 ; rm'])(
    'refuses "%s"',
    (text) => {
      expect(() => k3sVersion(text)).toThrow(expect.objectContaining({ code: 'E_USAGE' }))
    },
  )
})

describe('a release', () => {
  it('has its names and its address', () => {
    expect(releaseFiles('arm')).toEqual({
      binary: 'k3s-armhf',
      images: 'k3s-airgap-images-arm.tar',
      sums: 'sha256sum-arm.txt',
    })
    expect(releaseUrl('v1.33.1+k3s1')).toBe('https://github.com/k3s-io/k3s/releases/download/v1.33.1%2Bk3s1')
  })

  it('has sums, whatever directories are written before the names', () => {
    const [a, b] = ['a'.repeat(64), 'b'.repeat(64)]
    expect(parseSums(`${a}  k3s\n${b} *dist/artifacts/k3s-airgap-images-amd64.tar.zst\n# x\n`)).toEqual(
      new Map([
        ['k3s', a],
        ['k3s-airgap-images-amd64.tar.zst', b],
      ]),
    )
  })
})
