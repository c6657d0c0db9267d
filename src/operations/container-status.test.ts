import { describe, expect, it } from 'vitest'
import type { NodeSpec } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import { testContainers, testContainerWorld, testEngine } from '../runtime/k3d/world.fixture.js'
import type { NodeStatus, World } from '../runtime/runtime.js'
import { requireAnswering } from './add-checks.js'
import { statusOf } from './status.js'

const node = (index: number, ready: boolean): NodeStatus => ({
  name: index === 0 ? 'airlift-dev-master-0' : `airlift-dev-worker-${index - 1}`,
  role: index === 0 ? 'master' : 'worker',
  ready,
  version: 'v1.33.1+k3s1',
  address: `10.118.0.${3 + index}`,
  message: ready ? '' : 'NodeStatusUnknown: Kubelet stopped posting node status.',
})

/** A master that answers, of whose workers somebody removed the container. */
function withoutWorker(ready: boolean): World {
  const raw = {} as const
  const base = { image: 'k3s', exitCode: 0, labels: {}, addresses: {}, ports: [], mounts: [], restarts: 0 }
  const name = 'airlift-dev-master-0'
  const container = { ...base, id: 'a', name, state: 'running', startedAt: '', raw } as const
  const world = testContainerWorld(testContainers(1, 0), testEngine({ containers: [container] }))
  const installed = { role: 'master', active: true, initialized: true, apiReady: true } as const
  const nodes = [node(0, true), node(1, ready)]
  return {
    ...world,
    machines: world.machines.map((machine) => ({ ...machine, installed: { ...installed, nodes } })),
  }
}

describe('the status of a cluster in containers', () => {
  it.each([true, false])(
    'tells once of a node whose container is gone, while it is called ready: %s',
    (ready) => {
      const found = statusOf(testContainers(1, 0), withoutWorker(ready))
      expect(found.health).toBe('degraded')
      expect(found.nodes[1]).toMatchObject({ ready: false, machine: null })
      expect(found.problems).toEqual([
        expect.objectContaining({ code: 'not-installed', machine: 'docker://airlift-dev-worker-0' }),
      ])
      expect(found.problems[0]?.hint).toMatch(
        /same airlift run command.*airlift delete --name dev --nodes airlift-dev-worker-0/,
      )
    },
  )

  it('tells of containers that are empty what made them, not to start them', () => {
    const world = withoutWorker(true)
    const spec = testContainers(1, 1)
    const [master] = world.engine?.containers ?? []
    if (!master) throw new Error('no master')
    const made = (name: string, role: string) =>
      ({ ...master, name, state: 'created', labels: { 'airlift.role': role } }) as const
    const containers = [master, made('airlift-dev-worker-0', 'worker'), made('airlift-dev-lb', 'lb')]
    const engine = testEngine({ containers, unfinished: ['airlift-dev-worker-0', 'airlift-dev-lb'] })
    const both = testContainerWorld(spec, engine)
    const machines = both.machines.map((machine, i) => (i === 0 ? (world.machines[0] ?? machine) : machine))
    expect(statusOf(spec, { ...both, machines }).problems).toEqual([
      {
        machine: 'docker://airlift-dev-worker-0',
        code: 'not-installed',
        message: expect.stringContaining('was cut off'),
        hint: expect.stringMatching(/same airlift run or add .* airlift delete --name dev --nodes /),
      },
      {
        machine: 'docker://airlift-dev-lb',
        code: 'lb-down',
        message: 'the load balancer airlift-dev-lb is unfinished',
        hint: 'start it: airlift start --name dev',
      },
    ])
  })

  it.each(['exited', 'paused'] as const)('calls no node ready whose container is %s', (state) => {
    const world = withoutWorker(true)
    const spec = testContainers(1, 1)
    const [master] = world.engine?.containers ?? []
    if (!master) throw new Error('no master')
    const worker = { ...master, name: 'airlift-dev-worker-0', state }
    const both = testContainerWorld(spec, testEngine({ containers: [master, worker] }))
    const machines = both.machines.map((machine, i) => (i === 0 ? (world.machines[0] ?? machine) : machine))
    const found = statusOf(spec, { ...both, machines })
    expect(found.nodes).toMatchObject([
      { ready: true, message: '' },
      { name: worker.name, ready: false, message: `the container is ${state}` },
    ])
    expect(found.problems.map(({ code }) => code)).toEqual(['service-down'])
  })

  it('sends nobody to SSH for a container that cannot be looked into', () => {
    const world = withoutWorker(true)
    const target = { kind: 'container', text: 'airlift-dev-master-3', host: 'airlift-dev-master-3' } as const
    const node: NodeSpec = { target, role: 'master', labels: {}, taints: [] }
    const problem = (error: AirliftError) =>
      statusOf(testContainers(1, 0), {
        ...world,
        unreachable: [{ node, id: 'docker://airlift-dev-master-3', error }],
      }).problems[0]
    const crash = new AirliftError('E_START', 'another configuration', { hint: 'give all the same' })
    expect(problem(crash)).toMatchObject({
      code: 'service-down',
      message: 'another configuration',
      hint: 'give all the same; or take it out: airlift delete --name dev --masters airlift-dev-master-3',
    })
    expect(problem(new AirliftError('E_ENGINE', 'an error'))).toMatchObject({
      code: 'unreachable',
      hint: 'see its whole log: docker logs airlift-dev-master-3',
    })
  })

  it('tells of a load balancer that is gone, without which nobody reaches the API', () => {
    const labels = { 'airlift.spec': JSON.stringify({ image: 'k3s', network: 'n', loadBalancer: true }) }
    const world = withoutWorker(true)
    const containers = world.engine?.containers.map((container) => ({ ...container, labels })) ?? []
    const found = statusOf(testContainers(1, 0), { ...world, engine: testEngine({ containers }) })
    expect(found.problems.map(({ code, machine }) => [code, machine])).toContainEqual([
      'lb-down',
      'docker://airlift-dev-lb',
    ])
  })

  it('tells of containers that were taken off their network, and not of what comes of it', () => {
    const labels = { 'airlift.spec': JSON.stringify({ image: 'k3s', network: 'n' }) }
    const world = withoutWorker(true)
    const [first] = world.engine?.containers ?? []
    if (!first) throw new Error('no container')
    const lb = { ...first, name: 'airlift-dev-lb', labels: { ...labels, 'airlift.role': 'lb' } }
    const seen = (networkIds: Readonly<Record<string, string>>): unknown[] => {
      const containers = [{ ...first, labels }, lb].map((container) => ({ ...container, networkIds }))
      const { machines } = world
      const [master] = machines.map((machine) => ({
        ...machine,
        installed: { ...machine.installed, apiReady: false, nodes: [node(0, false)] },
      }))
      const engine = testEngine({ containers })
      return statusOf(testContainers(1, 0), { ...world, machines: master ? [master] : [], engine })
        .problems.filter(({ code }) => code !== 'api-down')
        .map(({ code, machine }) => `${code} ${machine}`)
    }
    expect(seen({})).toEqual([
      'off-network docker://airlift-dev-master-0',
      'off-network docker://airlift-dev-lb',
    ])
    expect(seen({ n: 'n1' })).toEqual(['api-unready docker://airlift-dev-master-0'])
  })

  it('takes several masters that are stopped for members of etcd, unless they were seen to have none', () => {
    const spec = testContainers(3, 0)
    const world = testContainerWorld(spec)
    const told = (fragments: Readonly<Record<string, string>>): World => ({
      ...world,
      machines: world.machines.map((machine) => ({
        ...machine,
        facts: { ...machine.facts, managed: { ...machine.facts.managed, fragments } },
      })),
    })
    expect(statusOf(spec, told({})).datastore).toEqual({ kind: 'etcd', members: 3, healthy: 0 })
    expect(statusOf(spec, told({ 'k3s-datastore': '' })).datastore.kind).toBe('external')
    const named = { ...spec, config: { 'datastore-endpoint': 'postgres://db' } }
    expect(statusOf(named, told({})).datastore.kind).toBe('external')
  })

  it('says that there is no master container, and how one comes back', () => {
    const spec = { ...testContainers(0, 0), name: 'dev' }
    const found = statusOf(spec, testContainerWorld(spec))
    expect(found.problems).toEqual([
      expect.objectContaining({ code: 'api-down', message: 'the cluster has no master container' }),
    ])
    expect(found.problems[0]?.hint).toMatch(/same airlift run command/)
  })
})

it('add is refused by name where no master is left', () => {
  const spec = testContainers(0, 1)
  expect(() => requireAnswering(spec, testContainerWorld(spec))).toThrowError(
    expect.objectContaining({
      code: 'E_REFUSED',
      message: 'the cluster "dev" has no master',
      hint: expect.stringMatching(/same airlift run command/),
    }),
  )
})
