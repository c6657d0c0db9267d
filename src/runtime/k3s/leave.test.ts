import { describe, expect, it } from 'vitest'
import type { NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { Plan } from '../../plan/plan.js'
import type { MachineWorld, NodeStatus, World } from '../runtime.js'
import { createK3sRuntime } from './runtime.js'
import { testMachine, testSpec, testWorld } from './world.fixture.js'

const runtime = createK3sRuntime()

/** A cluster that runs: masters at 10.0.0.1 and up, then workers; bare1, bare2, … */
function running(
  masters: number,
  workers: number,
  change: (node: NodeStatus) => Partial<NodeStatus> = () => ({}),
) {
  const spec = testSpec(masters, workers)
  const known = [...spec.masters, ...spec.nodes].map((node, i): NodeStatus => {
    const status: NodeStatus = {
      name: `bare${i + 1}`,
      role: node.role,
      ready: true,
      version: 'v1.33.1+k3s1',
      address: `10.0.0.${i + 1}`,
      message: '',
      ...(masters > 1 && i < masters ? { voter: true } : {}),
    }
    return { ...status, ...change(status) }
  })
  const machines = known.map((status, i): MachineWorld => {
    const node = [...spec.masters, ...spec.nodes][i] as NodeSpec
    return testMachine(
      node,
      status.name,
      { journal: ['done'], fragments: { 'k3s-datastore': masters > 1 ? 'etcd' : 'sqlite' } },
      {
        cluster: 'prod',
        role: node.role,
        active: true,
        initialized: true,
        apiReady: node.role === 'master' && status.ready,
        ...(node.role === 'master' && status.ready ? { nodes: known } : {}),
      },
    )
  })
  return { spec, world: testWorld(spec, { machines }) }
}

/** The same world with one machine out of reach. */
function without(world: World, index: number): World {
  const lost = world.machines[index] as MachineWorld
  return {
    ...world,
    machines: world.machines.filter((machine) => machine !== lost),
    unreachable: [
      {
        node: lost.node,
        id: 'ssh://lost',
        error: new AirliftError('E_SSH_UNREACHABLE', 'connect ETIMEDOUT', { machine: lost.name }),
      },
    ],
  }
}

const outline = (plan: Plan): string[] =>
  plan.steps.map(
    (step) =>
      `${step.id} on ${step.machine} [${step.actions.map((action) => action.kind).join(' ')}]${step.needs.length > 0 ? ` after ${step.needs.join(', ')}` : ''}`,
  )

const scripts = (plan: Plan, id: string): string =>
  JSON.stringify(plan.steps.find((step) => step.id === id)?.actions ?? [])

describe('a worker', () => {
  it('is drained, stopped, deleted and cleaned', async () => {
    const { spec, world } = running(1, 2)
    const plan = runtime.deleteNodes(spec, world, [spec.nodes[1] as NodeSpec])
    expect(outline(plan)).toEqual([
      'bare3/cordon on ssh://root@10.0.0.1:22 [script]',
      'bare3/drain on ssh://root@10.0.0.1:22 [script] after bare3/cordon',
      'bare3/quiet on ssh://root@10.0.0.3:22 [service] after bare3/drain',
      'bare3/leave on ssh://root@10.0.0.1:22 [script] after bare3/quiet',
      'bare3/remove on ssh://root@10.0.0.3:22 [script] after bare3/leave',
    ])
    expect(plan.summary).toEqual({ create: 0, change: 3, remove: 2 })
    await expect(`${JSON.stringify(plan, null, 2)}\n`).toMatchFileSnapshot('golden/delete-worker.json')
  })

  it('waits until all that leave are cordoned, and for nothing else of the others', () => {
    const { spec, world } = running(1, 3)
    const plan = runtime.deleteNodes(spec, world, spec.nodes.slice(0, 2))
    const drains = plan.steps.filter((step) => step.id.endsWith('/drain'))
    expect(drains.map((step) => [step.needs, step.window])).toEqual([
      [['bare2/cordon', 'bare3/cordon'], 'drain'],
      [['bare2/cordon', 'bare3/cordon'], 'drain'],
    ])
    expect(new Set(plan.steps.map((step) => step.machine))).not.toContain('ssh://root@10.0.0.4:22')
  })

  it('goes on where it was cut short: Node gone and machine not cleaned', () => {
    const { spec, world } = running(1, 1)
    const known = world.machines[0]?.installed.nodes?.slice(0, 1) ?? []
    const machines = world.machines.map((machine, i) =>
      i === 0 ? { ...machine, installed: { ...machine.installed, nodes: known } } : machine,
    )
    expect(outline(runtime.deleteNodes(spec, { ...world, machines }, spec.nodes))).toEqual([
      'bare2/quiet on ssh://root@10.0.0.2:22 [service]',
      'bare2/leave on ssh://root@10.0.0.1:22 [script] after bare2/quiet',
      'bare2/remove on ssh://root@10.0.0.2:22 [script] after bare2/leave',
    ])
  })

  it('goes on where it was cut short: machine clean and Node still there', () => {
    const { spec, world } = running(1, 1)
    const machines = world.machines.map((machine, i) =>
      i === 1 ? testMachine(machine.node, 'bare2') : machine,
    )
    expect(
      runtime.deleteNodes(spec, { ...world, machines }, spec.nodes).steps.map((step) => step.id),
    ).toEqual(['bare2/cordon', 'bare2/drain', 'bare2/leave'])
  })

  it('has nothing left to do when both are done', () => {
    const { spec, world } = running(1, 1)
    const known = world.machines[0]?.installed.nodes?.slice(0, 1) ?? []
    const machines = world.machines.map((machine, i) =>
      i === 0
        ? { ...machine, installed: { ...machine.installed, nodes: known } }
        : testMachine(machine.node, 'bare2'),
    )
    expect(runtime.deleteNodes(spec, { ...world, machines }, spec.nodes).steps).toEqual([])
  })

  it('is refused when its machine is a stranger with the name of a node', () => {
    const { spec, world } = running(1, 1, (node) => (node.name === 'bare2' ? { address: '192.0.2.9' } : {}))
    const machines = world.machines.map((machine, i) =>
      i === 1 ? testMachine(machine.node, 'bare2') : machine,
    )
    expect(() => runtime.deleteNodes(spec, { ...world, machines }, spec.nodes)).toThrowError(
      expect.objectContaining({
        code: 'E_REMOVE_REFUSED',
        exit: 2,
        message: expect.stringContaining('192.0.2.9'),
      }),
    )
  })
})

describe('masters', () => {
  it('leave etcd while they live, and are read back before anything is removed', async () => {
    const { spec, world } = running(3, 0)
    const plan = runtime.deleteMasters(spec, world, [spec.masters[0] as NodeSpec])
    expect(outline(plan)).toEqual([
      'bare1/cordon on ssh://root@10.0.0.2:22 [script]',
      'bare1/drain on ssh://root@10.0.0.2:22 [wait script] after bare1/cordon',
      'bare1/quiet on ssh://root@10.0.0.1:22 [script] after bare1/drain',
      'bare1/leave on ssh://root@10.0.0.2:22 [wait script wait] after bare1/quiet',
      'bare1/remove on ssh://root@10.0.0.1:22 [script] after bare1/leave',
    ])
    expect(scripts(plan, 'bare1/quiet')).toContain('rm -f /etc/rancher/k3s/token')
    expect(scripts(plan, 'bare1/leave')).toContain('/db/info')
    await expect(`${JSON.stringify(plan, null, 2)}\n`).toMatchFileSnapshot('golden/delete-first-master.json')
  })

  it('leave one after the other, each gated on those that stay', () => {
    const { spec, world } = running(5, 0)
    const plan = runtime.deleteMasters(spec, world, spec.masters.slice(0, 2))
    expect(plan.steps.find((step) => step.id === 'bare2/drain')?.needs).toEqual([
      'bare1/cordon',
      'bare2/cordon',
      'bare1/remove',
    ])
    const gate = (id: string): string =>
      plan.steps.find((step) => step.id === id)?.actions.find((action) => action.kind === 'wait')?.what ?? ''
    expect(gate('bare1/leave')).toBe('the datastore to be healthy on bare2, bare3, bare4, bare5')
    expect(gate('bare2/leave')).toBe('the datastore to be healthy on bare3, bare4, bare5')
  })

  it.each([
    ['the last one', running(1, 1), [0], /is the last master/],
    ['all of them', running(3, 0), [0, 1, 2], /are all masters/],
    [
      'one while another is not ready',
      running(3, 0, (node) => (node.name === 'bare3' ? { ready: false, message: 'NodeStatusUnknown' } : {})),
      [0],
      /bare3 is not healthy \(NodeStatusUnknown\)/,
    ],
    [
      'one while another is a learner',
      running(3, 0, (node) => (node.name === 'bare2' ? { voter: false } : {})),
      [2],
      /bare2 is not healthy \(no voting member/,
    ],
    [
      'one of two that is not healthy itself',
      running(2, 0, (node) => (node.name === 'bare2' ? { ready: false } : {})),
      [1],
      /only 1 of 2 members of etcd are healthy: there is no quorum/,
    ],
    [
      'one when no other answers',
      running(2, 0, (node) => (node.name === 'bare2' ? { ready: false } : {})),
      [0],
      /no master that would stay answers/,
    ],
  ] as const)('are refused: %s', (_, { spec, world }, indexes, message) => {
    const leaving = indexes.map((index) => spec.masters[index] as NodeSpec)
    expect(() => runtime.deleteMasters(spec, world, leaving)).toThrowError(
      expect.objectContaining({ code: 'E_REFUSED', exit: 5, message: expect.stringMatching(message) }),
    )
  })

  it('may be two that become one', () => {
    const { spec, world } = running(2, 0)
    expect(
      runtime.deleteMasters(spec, world, spec.masters.slice(0, 1)).steps.map((step) => step.id),
    ).toContain('bare1/leave')
  })
})

describe('a machine that cannot be reached', () => {
  it('is an error that names the way out', () => {
    const { spec, world } = running(1, 1)
    expect(() => runtime.deleteNodes(spec, without(world, 1), spec.nodes)).toThrowError(
      expect.objectContaining({ code: 'E_SSH_UNREACHABLE', hint: expect.stringContaining('--force') }),
    )
  })

  it('leaves with --force: the side of the cluster only, and no wait for what it cannot confirm', () => {
    const { spec, world } = running(3, 0)
    const plan = runtime.deleteMasters(spec, without(world, 0), spec.masters.slice(0, 1), { force: true })
    expect(plan.steps.map((step) => [step.id, step.machine, step.subject])).toEqual([
      ['bare1/cordon', 'ssh://root@10.0.0.2:22', 'ssh://lost'],
      ['bare1/drain', 'ssh://root@10.0.0.2:22', 'ssh://lost'],
      ['bare1/leave', 'ssh://root@10.0.0.2:22', 'ssh://lost'],
    ])
    expect(scripts(plan, 'bare1/drain')).toContain('--skip-wait-for-delete-timeout=1 ')
    expect(scripts(plan, 'bare1/drain')).toContain('--disable-eviction')
  })
})

describe('what a drain may do', () => {
  const drain = (options: Parameters<typeof runtime.deleteNodes>[3]): string => {
    const { spec, world } = running(1, 1)
    return scripts(runtime.deleteNodes(spec, world, spec.nodes, options), 'bare2/drain')
  }

  it('respects budgets for 5 minutes unless told', () => {
    expect(drain({})).toContain('--timeout=300s')
    expect(drain({ drainTimeoutMs: 45_000 })).toContain('--timeout=45s')
    expect(drain({})).not.toContain('--disable-eviction')
    expect(drain({})).not.toContain(' --force ')
  })

  it('deletes pods with --force, after 30 seconds of asking', () => {
    expect(drain({ force: true })).toMatch(/--force --timeout=30s.*--force --disable-eviction/s)
  })
})
