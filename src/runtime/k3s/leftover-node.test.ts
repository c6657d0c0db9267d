import { describe, expect, it } from 'vitest'
import type { Plan, Step } from '../../plan/plan.js'
import type { MachineWorld, NodeStatus, World } from '../runtime.js'
import { planJoinMasters } from './join-masters.js'
import { planJoinNodes } from './join-nodes.js'
import { testMachine, testSpec, testWorld } from './world.fixture.js'

/** What the cluster says of bare1, bare2, … at 10.0.0.1, 10.0.0.2, … */
function nodes(masters: number, workers: number, etcd: boolean): NodeStatus[] {
  return Array.from({ length: masters + workers }, (_, i) => ({
    name: `bare${i + 1}`,
    role: i < masters ? ('master' as const) : ('worker' as const),
    ready: true,
    version: 'v1.33.1+k3s1',
    address: `10.0.0.${i + 1}`,
    message: '',
    ...(etcd && i < masters ? { voter: true } : {}),
  }))
}

/** The first master runs and knows all nodes; the others are bare, as after an installation of the hosts. */
function reinstalled(masters: number, workers: number, known = nodes(masters, workers, masters > 1)) {
  const spec = testSpec(masters, workers)
  const bare = testWorld(spec)
  const machines = bare.machines.map((machine, i) =>
    i === 0
      ? testMachine(
          machine.node,
          'bare1',
          { fragments: { 'k3s-token': '0123456789abcdef', 'k3s-node-password': 'kept' } },
          { cluster: 'prod', role: 'master', active: true, initialized: true, apiReady: true, nodes: known },
        )
      : machine,
  )
  return { spec, world: { ...bare, machines } satisfies World }
}

/** The same world with another state of the password on one machine. */
function withPassword(
  world: World,
  index: number,
  state: string,
  more: Partial<MachineWorld['installed']> = {},
): World {
  const machines = world.machines.map((machine, i) =>
    i === index
      ? testMachine(machine.node, `bare${i + 1}`, { fragments: { 'k3s-node-password': state } }, more)
      : machine,
  )
  return { ...world, machines }
}

const step = (plan: Plan, id: string): Step | undefined => plan.steps.find((one) => one.id === id)

describe('a worker that was installed anew', () => {
  it('is forgotten by the cluster before it starts', async () => {
    const { spec, world } = reinstalled(1, 1)
    const plan = planJoinNodes(spec, world, spec.nodes)
    await expect(`${JSON.stringify(plan, null, 2)}\n`).toMatchFileSnapshot('golden/reinstalled-worker.json')
    expect(step(plan, 'bare2/forget')).toMatchObject({ machine: 'ssh://root@10.0.0.1:22', needs: [] })
    expect(step(plan, 'bare2/start')?.needs).toContain('bare2/forget')
  })

  it('is left alone while it has the password that it joined with', () => {
    const { spec, world } = reinstalled(1, 1)
    const plan = planJoinNodes(spec, withPassword(world, 1, 'kept'), spec.nodes)
    expect(step(plan, 'bare2/forget')).toBeUndefined()
  })

  it('is forgotten and started again where the cluster has refused its new password already', () => {
    const { spec, world } = reinstalled(1, 1)
    const refused = withPassword(world, 1, 'refused', { cluster: 'prod', role: 'worker', active: true })
    const plan = planJoinNodes(spec, refused, spec.nodes)
    expect(step(plan, 'bare2/forget')).toBeDefined()
    expect(step(plan, 'bare2/start')?.actions).toContainEqual(
      expect.objectContaining({ kind: 'service', op: 'restart' }),
    )
  })

  it('is started again where somebody deleted its Node, and only then registers anew', () => {
    const { spec, world } = reinstalled(1, 1, nodes(1, 0, false))
    const up = { cluster: 'prod', role: 'worker', active: true, initialized: true } as const
    const plan = planJoinNodes(spec, withPassword(world, 1, 'kept', up), spec.nodes)
    expect(step(plan, 'bare2/start')?.actions).toContainEqual(
      expect.objectContaining({ kind: 'service', op: 'restart' }),
    )
  })

  it('is not forgotten where the cluster does not know it', () => {
    const { spec, world } = reinstalled(1, 1, nodes(1, 0, false))
    expect(step(planJoinNodes(spec, world, spec.nodes), 'bare2/forget')).toBeUndefined()
  })

  it('is refused when the node has another address: it may be another machine that is alive', () => {
    const elsewhere = nodes(1, 1, false).map((node) =>
      node.name === 'bare2' ? { ...node, address: '10.0.0.77' } : node,
    )
    const { spec, world } = reinstalled(1, 1, elsewhere)
    expect(() => planJoinNodes(spec, world, spec.nodes)).toThrowError(
      expect.objectContaining({
        code: 'E_JOIN',
        exit: 5,
        message: expect.stringMatching(/"bare2" at 10\.0\.0\.77.*10\.0\.0\.2/),
      }),
    )
  })
})

describe('a master that was installed anew', () => {
  it('leaves etcd before it joins again, when the others have the majority', () => {
    const { spec, world } = reinstalled(3, 0)
    const second = withPassword(world, 1, 'kept', {
      cluster: 'prod',
      role: 'master',
      active: true,
      initialized: true,
      apiReady: true,
    })
    const plan = planJoinMasters(spec, second, spec.masters)
    expect(step(plan, 'bare3/forget')).toMatchObject({ machine: 'ssh://root@10.0.0.1:22' })
    expect(step(plan, 'bare3/start')?.needs).toContain('bare3/forget')
    // One change of members at a time: the start of the master before comes first.
    expect(step(plan, 'bare3/forget')?.needs).toEqual(step(plan, 'bare2/start') ? ['bare2/start'] : [])
  })

  it('is refused when too few of the others are healthy', () => {
    const one = nodes(3, 0, true).map((node) => (node.name === 'bare2' ? { ...node, ready: false } : node))
    const { spec, world } = reinstalled(3, 0, one)
    const second = withPassword(world, 1, 'kept', {
      cluster: 'prod',
      role: 'master',
      active: true,
      initialized: true,
    })
    expect(() => planJoinMasters(spec, second, spec.masters)).toThrowError(
      expect.objectContaining({
        code: 'E_JOIN',
        exit: 5,
        message: expect.stringContaining('only 1 of 3 members'),
      }),
    )
  })
})
