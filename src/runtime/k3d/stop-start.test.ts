import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import type { Plan } from '../../plan/plan.js'
import { testMachine, testNode, testSpec, testWorld } from '../k3s/world.fixture.js'
import type { EngineWorld, MachineWorld, NodeStatus, World } from '../runtime.js'
import { engineOf } from './layout.js'
import { planStart } from './start.js'
import { planStop } from './stop.js'

type State = EngineContainer['state']

function container(name: string, role: string, state: State): EngineContainer {
  return {
    id: `id-${name}`,
    name,
    image: 'rancher/k3s:v1.33.1-k3s1',
    state,
    exitCode: 0,
    labels: { 'airlift.cluster': 'dev', 'airlift.role': role },
    addresses: {},
    ports: [],
    mounts: [],
    restarts: 0,
    startedAt: '',
    raw: {},
  }
}

const spec = (more: Partial<ClusterSpec> = {}): ClusterSpec => ({
  ...testSpec(0, 0, more),
  name: 'dev',
  runtime: 'k3d',
})

/** Containers of a cluster with so many masters and workers, and a load balancer before two masters or more. */
function world(masters: number, workers: number, state: State, drained = false): World {
  const names = [
    ...Array.from({ length: masters }, (_, i) => ['master', `airlift-dev-master-${i}`] as const),
    ...Array.from({ length: workers }, (_, i) => ['worker', `airlift-dev-worker-${i}`] as const),
  ]
  const nodes = names.map(
    ([role, name], i): NodeStatus => ({
      name,
      role,
      ready: true,
      version: 'v1.33.1+k3s1',
      address: `10.1.0.${i + 3}`,
      message: '',
      ...(drained && role === 'worker' ? { drained: true as const } : {}),
    }),
  )
  const machines =
    state === 'running'
      ? names.map(
          ([role, name]): MachineWorld => ({
            ...testMachine(
              testNode(name, role),
              name,
              {},
              {
                cluster: 'dev',
                role,
                active: true,
                initialized: true,
                apiReady: role === 'master',
                ...(role === 'master' ? { nodes } : {}),
              },
            ),
            id: `docker://${name}`,
          }),
        )
      : []
  const containers = names.map(([role, name]) => container(name, role, state))
  if (masters > 1) containers.push(container('airlift-dev-lb', 'lb', state))
  return testWorld(spec(), { machines, engine: { containers } as unknown as NonNullable<World['engine']> })
}

const outline = (plan: Plan): string[] =>
  plan.steps.map(
    (step) =>
      `${step.id} [${step.actions.map((action) => ('op' in action ? action.op : action.kind)).join(' ')}]${step.needs.length ? ` after ${step.needs.join(', ')}` : ''}`,
  )

const names = ({ containers }: EngineWorld): string[] => containers.map(({ name }) => name)

describe('stop', () => {
  it('stops every container at the same time, the load balancer too', () => {
    const plan = planStop(spec(), world(3, 1, 'running'), { drain: false })
    expect(outline(plan)).toEqual([
      'airlift-dev-master-0/stop [stop]',
      'airlift-dev-master-1/stop [stop]',
      'airlift-dev-master-2/stop [stop]',
      'airlift-dev-worker-0/stop [stop]',
      'airlift-dev-lb/stop [stop]',
    ])
    expect(plan.steps[0]).toMatchObject({
      machine: 'docker://airlift-dev-master-0',
      actions: [
        { kind: 'container', op: 'stop', name: 'airlift-dev-master-0', timeoutSeconds: 10, restart: 'no' },
      ],
    })
  })

  it.each(['exited', 'created', 'dead'] as const)('leaves a container that is %s alone', (state) => {
    expect(planStop(spec(), world(1, 1, state), { drain: false }).steps).toEqual([])
  })

  it('keeps down what ended otherwise and would come back with the engine', () => {
    const steps = (restart: string, kind: string): unknown => {
      const found = world(1, 0, 'exited')
      const containers = found.engine?.containers.map((one) => ({ ...one, restart }))
      const engine = { ...found.engine, containers, info: { kind } } as unknown as NonNullable<
        World['engine']
      >
      return outline(planStop(spec(), { ...found, engine }, { drain: false }))
    }
    expect(steps('always', 'docker')).toEqual(['airlift-dev-master-0/stop [stop]'])
    expect(steps('no', 'docker')).toEqual([])
    expect(steps('always', 'podman')).toEqual([])
  })

  it.each(['restarting', 'paused'] as const)('stops a container that is %s', (state) => {
    expect(planStop(spec(), world(1, 0, state), { drain: false }).steps).toHaveLength(1)
  })

  it('drains the workers before anything stops', () => {
    const steps = outline(planStop(spec(), world(1, 2, 'running'), { drain: true }))
    const drains = 'airlift-dev-worker-0/drain, airlift-dev-worker-1/drain'
    expect(steps).toEqual([
      'airlift-dev-worker-0/drain [script script]',
      'airlift-dev-worker-1/drain [script script]',
      `airlift-dev-master-0/stop [stop] after ${drains}`,
      `airlift-dev-worker-0/stop [stop] after ${drains}`,
      `airlift-dev-worker-1/stop [stop] after ${drains}`,
    ])
  })
})

describe('start', () => {
  it('starts the masters together, then the workers, and waits inside each', async () => {
    const plan = planStart(spec(), world(2, 1, 'exited'))
    expect(outline(plan)).toEqual([
      'airlift-dev-master-0/start [start]',
      'airlift-dev-master-1/start [start]',
      'airlift-dev-worker-0/start [start] after airlift-dev-master-0/joinable',
      'airlift-dev-lb/start [start]',
      'airlift-dev-master-0/joinable [wait] after airlift-dev-master-0/start',
      'airlift-dev-master-0/ready [wait wait wait] after airlift-dev-master-0/start',
      'airlift-dev-master-1/ready [wait wait wait] after airlift-dev-master-1/start',
      'airlift-dev-worker-0/ready [wait] after airlift-dev-worker-0/start',
      'cluster/uncordon [script] after airlift-dev-master-0/ready',
    ])
    await expect(JSON.stringify(planStart(spec(), world(1, 1, 'exited')), null, 2)).toMatchFileSnapshot(
      'golden/start.json',
    )
  })

  it('waits for no voter where one master keeps its data in SQLite', () => {
    const plan = planStart(spec(), world(1, 0, 'exited'))
    expect(outline(plan)[1]).toBe('airlift-dev-master-0/ready [wait wait] after airlift-dev-master-0/start')
  })

  it('only starts with --wait none', () => {
    expect(outline(planStart(spec({ wait: 'none' }), world(1, 1, 'exited')))).toEqual([
      'airlift-dev-master-0/start [start]',
      'airlift-dev-worker-0/start [start] after airlift-dev-master-0/joinable',
      'airlift-dev-master-0/joinable [wait] after airlift-dev-master-0/start',
    ])
  })

  it.each(['nodes', 'system'] as const)('does nothing to a cluster that runs (--wait %s)', (wait) => {
    expect(planStart(spec({ wait }), world(3, 1, 'running')).steps).toEqual([])
  })

  it('restarts a paused container', () => {
    expect(outline(planStart(spec({ wait: 'none' }), world(1, 0, 'paused')))).toEqual([
      'airlift-dev-master-0/start [restart]',
    ])
  })

  it('has come back with the engine what a stop that was cut off left running', () => {
    const found = world(1, 1, 'running')
    const containers = found.engine?.containers.map((one, i) => ({
      ...one,
      restart: i === 1 ? 'no' : 'always',
    }))
    const engine = { ...found.engine, containers } as unknown as NonNullable<World['engine']>
    const plan = planStart(spec({ wait: 'none' }), { ...found, engine })
    expect(outline(plan)).toEqual(['airlift-dev-worker-0/start [start]'])
    expect(plan.steps[0]?.actions).toMatchObject([{ op: 'start', restart: 'always' }])
  })

  it('leaves a node alone that who made it left empty, and waits for no such master', () => {
    const found = world(2, 1, 'created')
    const engine = { ...engineOf(found), unfinished: ['airlift-dev-master-1', 'airlift-dev-worker-0'] }
    expect(outline(planStart(spec({ wait: 'none' }), { ...found, engine }))).toEqual([
      'airlift-dev-master-0/start [start]',
      'airlift-dev-lb/start [start]',
    ])
    expect(() => planStart(spec(), { ...found, engine: { ...engine, unfinished: names(engine) } })).toThrow(
      expect.objectContaining({ code: 'E_REFUSED' }),
    )
  })

  it('does not let a container that ends again and again wait for its turn', () => {
    expect(outline(planStart(spec({ wait: 'none' }), world(1, 0, 'restarting')))).toEqual([
      'airlift-dev-master-0/start [restart]',
    ])
  })

  it('uncordons what a stop drained', () => {
    expect(outline(planStart(spec(), world(1, 1, 'running', true)))).toEqual(['cluster/uncordon [script]'])
  })

  it('refuses a cluster whose masters are gone', () => {
    expect(() => planStart(spec(), world(0, 2, 'exited'))).toThrow(
      expect.objectContaining({ code: 'E_REFUSED', hint: expect.stringContaining('airlift reset') }),
    )
  })
})
