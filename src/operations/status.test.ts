import { describe, expect, it } from 'vitest'
import { machines, spec } from '../runtime/preflight/preflight.fixture.js'
import type { NodeStatus, World } from '../runtime/runtime.js'
import { statusOf } from './status.js'

const two = spec(1, 1)
const node = (name: string, role: 'master' | 'worker', ready: boolean): NodeStatus => ({
  name,
  role,
  ready,
  version: 'v1.33.1+k3s1',
  address: role === 'master' ? '10.0.0.1' : '10.0.0.2',
  message: ready ? '' : 'KubeletNotReady: container runtime is down',
})

/** A master that answers, and a worker as it is told. */
function world(nodes: readonly NodeStatus[], worker: { active: boolean; role?: 'worker' }): World {
  const [first, second] = machines(two)
  if (!first || !second) throw new Error('two machines')
  const none = { initialized: false, apiReady: false }
  return {
    machines: [
      {
        ...first,
        id: 'ssh://root@10.0.0.1:22',
        installed: {
          role: 'master',
          active: true,
          initialized: true,
          apiReady: true,
          nodes,
          version: 'v1.33.1+k3s1',
        },
      },
      { ...second, id: 'ssh://root@10.0.0.2:22', installed: { ...none, ...worker } },
    ],
    unreachable: [],
    secrets: new Map(),
    templates: {},
  }
}

describe('statusOf', () => {
  const master = node('bare1', 'master', true)

  it('is ready when every node is', () => {
    const found = statusOf(
      two,
      world([master, node('bare2', 'worker', true)], { active: true, role: 'worker' }),
    )
    expect(found).toMatchObject({ health: 'ready', problems: [] })
  })

  it('tells of a machine that is not installed once', () => {
    const found = statusOf(two, world([master], { active: false }))
    expect(found.health).toBe('degraded')
    expect(found.problems).toEqual([
      expect.objectContaining({ code: 'not-installed', machine: 'ssh://root@10.0.0.2:22' }),
    ])
    expect(found.nodes[1]).toMatchObject({ name: 'bare2', ready: false, message: 'k3s is not installed' })
  })

  it('tells of a stopped service, not of the node that is not ready because of it', () => {
    const known = [master, node('bare2', 'worker', false)]
    const found = statusOf(two, world(known, { active: false, role: 'worker' }))
    expect(found.problems.map((problem) => problem.code)).toEqual(['service-down'])
  })

  it('tells of a node that is not ready although its service runs, with the reason', () => {
    const known = [master, node('bare2', 'worker', false)]
    const found = statusOf(two, world(known, { active: true, role: 'worker' }))
    expect(found.problems).toEqual([
      expect.objectContaining({
        code: 'node-not-ready',
        message: expect.stringContaining('container runtime is down'),
      }),
    ])
  })
})
