import { expect, it } from 'vitest'
import { k3sVersion } from '../../src/rootfs/release.js'
import { K3S_RELEASES } from '../../src/runtime/k3s/versions.js'

it('bundles can be built of the minors that the runtime installs, and of no others', () => {
  for (const { minor } of K3S_RELEASES) expect(k3sVersion(`v${minor}.0+k3s1`)).toContain(minor)
  const minors = K3S_RELEASES.map(({ minor }) => Number(minor.split('.')[1]))
  for (const minor of [Math.min(...minors) - 1, Math.max(...minors) + 1]) {
    expect(() => k3sVersion(`v1.${minor}.0+k3s1`)).toThrow(expect.objectContaining({ code: 'E_UNSUPPORTED' }))
  }
})
