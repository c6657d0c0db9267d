import { describe, expect, it } from 'vitest'
import { createK3sRuntime } from './runtime.js'
import { cluster } from './stopped.fixture.js'
import { testSpec } from './world.fixture.js'

const runtime = createK3sRuntime()

describe('the start of a cluster of which a part was cut off', () => {
  const half = { active: false, initialized: false, apiReady: false, lacks: ['/etc/rancher/k3s/token'] }

  it('leaves alone what is only half installed, whatever its service does', () => {
    const spec = testSpec(1, 2)
    for (const active of [false, true]) {
      const world = cluster(spec, false, (i) => (i === 2 ? { installed: { ...half, active } } : {}))
      const ids = runtime.start(spec, world).steps.map((step) => step.id)
      expect(ids.filter((id) => id.startsWith('bare3/'))).toEqual([])
      expect(ids).toContain('bare2/start')
    }
  })

  it('leaves a master that runs as it is, though a delete took its token', () => {
    const spec = testSpec(3, 0)
    const world = cluster(spec, true, (i) => (i === 0 ? { installed: { lacks: half.lacks } } : {}))
    expect(runtime.start(spec, world).steps).toEqual([])
  })

  it('counts no master as a member of etcd that never ran', () => {
    const spec = testSpec(3, 0)
    const begun = { installed: half, fragments: { 'k3s-datastore': '' } }
    const world = cluster(spec, false, (i) => (i > 0 ? begun : {}))
    const ids = runtime.start(spec, world).steps.map((step) => step.id)
    expect(ids).toEqual(['bare1/start', 'bare1/ready', 'cluster/uncordon'])
    // One that has data is a member, also without its token.
    const member = cluster(spec, false, (i) => (i > 0 ? { installed: { ...half, initialized: true } } : {}))
    expect(() => runtime.start(spec, member)).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        message: '1 of 3 masters can be started, and etcd needs 2 to start',
        log: [2, 3].map((i) => `root@10.0.0.${i}: /etc/rancher/k3s/token is missing`),
        hint: 'run the airlift run command of the cluster again: it installs what is missing on root@10.0.0.2, root@10.0.0.3',
      }),
    )
  })

  it('of a cluster whose run was cut off before it began names what finishes it', () => {
    const spec = testSpec(1, 1)
    const world = cluster(spec, false, () => ({ installed: half, fragments: { 'k3s-datastore': '' } }))
    expect(() => runtime.start(spec, world)).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        message: '0 of 1 masters can be started, and a cluster needs one to start',
        hint: expect.stringMatching(/^run the airlift run command of the cluster again/),
      }),
    )
  })
})
