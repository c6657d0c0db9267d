import { describe, expect, it } from 'vitest'
import type { EngineContainer } from '../../machine/docker/engine.js'
import type { Plan } from '../../plan/plan.js'
import { throughOf } from '../k3s/require-leave.js'
import type { World } from '../runtime.js'
import { outline, planAll, settled } from './plan.fixture.js'
import { planStart } from './start.js'
import { testContainers, testContainerWorld } from './world.fixture.js'

// What `run` makes of a cluster of which somebody changed something by hand.

const spec = testContainers(1, 1)
const WORKER = 'airlift-dev-worker-0'
const up = (): World => settled(spec, testContainerWorld(spec))

/** The same, with the worker's container in another state, or without it. */
function withWorker(state: EngineContainer['state'] | 'gone'): World {
  const world = up()
  const containers = (world.engine?.containers ?? []).flatMap((container): EngineContainer[] => {
    if (container.name !== WORKER) return [container]
    return state === 'gone' ? [] : [{ ...container, state }]
  })
  if (!world.engine) throw new Error('no engine')
  const machines = world.machines.map((machine) =>
    machine.name === WORKER ? { ...machine, installed: { ...machine.installed, active: false } } : machine,
  )
  return { ...world, machines, engine: { ...world.engine, containers } }
}

/** The same, stopped, with these networks instead of the one that its containers were in. */
function withNetwork(world: World, there: readonly { readonly id: string; readonly name: string }[]): World {
  const { engine } = world
  if (!engine) throw new Error('no engine')
  const containers = engine.containers.map((container): EngineContainer => {
    return { ...container, state: 'exited', networkIds: { 'airlift-dev': 'n1' } }
  })
  const old = engine.networks.find((network) => network.name === 'airlift-dev')
  const others = engine.networks.filter((network) => network !== old)
  const networks = [...others, ...there.flatMap((one) => (old ? [{ ...old, ...one }] : []))]
  const machines = world.machines.map(({ installed, ...machine }) => {
    const { nodes: _, ...rest } = installed
    return { ...machine, installed: { ...rest, active: false, apiReady: false } }
  })
  return { ...world, machines, engine: { ...engine, containers, networks } }
}

/** What is waited for after the start of the worker. */
function awaited(world: World): string[] {
  const start = planAll(spec, world).steps.find((step) => step.id === `${WORKER}/start`)
  return (start?.actions ?? []).flatMap((action) => (action.kind === 'wait' ? [action.what] : []))
}

describe('run', () => {
  it('changes nothing where nothing was changed', () => {
    expect(outline(planAll(spec, up()))).toEqual([])
  })

  it('restarts a paused container, which a start does not wake', () => {
    expect(outline(planAll(spec, withWorker('paused'))).at(-1)).toMatch(
      /^worker-0\/start \[container\.restart /,
    )
  })

  it('restarts a node that the cluster has forgotten: it registers only when it is started', () => {
    const world = up()
    const machines = world.machines.map((machine) => {
      const nodes = machine.installed.nodes?.filter((node) => node.name !== WORKER)
      return { ...machine, installed: { ...machine.installed, ...(nodes ? { nodes } : {}) } }
    })
    expect(outline(planAll(spec, { ...world, machines }))).toEqual([
      expect.stringMatching(/^worker-0\/start \[container\.restart wait /),
    ])
  })

  it('waits for a node that no master has told of yet, and restarts nothing', () => {
    const world = up()
    const machines = world.machines.map((machine) => ({
      ...machine,
      installed: {
        ...machine.installed,
        ...(machine.installed.nodes ? { nodes: machine.installed.nodes.slice(0, 1) } : {}),
        initialized: machine.name !== WORKER,
      },
    }))
    const steps = planAll(spec, { ...world, machines }).steps
    expect(steps.flatMap((step) => step.actions).filter(({ kind }) => kind === 'container')).toEqual([])
    expect(steps.map((step) => step.id)).toEqual([`${WORKER}/start`])
  })

  it.each(['paused', 'exited', 'gone'] as const)(
    'waits for the own report of a node that was there before, whose container is %s',
    (state) => {
      expect(awaited(withWorker(state))).toContain(`node ${WORKER} to be Ready again`)
    },
  )

  it('restarts a paused load balancer', () => {
    const three = testContainers(3, 0)
    const world = settled(three, testContainerWorld(three), ({ config }) =>
      config.name === 'airlift-dev-lb' ? { state: 'paused' } : {},
    )
    expect(outline(planAll(three, world))).toContain('lb/start [container.restart] after lb/create')
  })

  it.each(['created', 'restarting'] as const)(
    'completes a load balancer that its maker left empty and that is %s, also in a start',
    (state) => {
      const three = testContainers(3, 0)
      const world = settled(three, testContainerWorld(three), ({ config }) =>
        config.name === 'airlift-dev-lb' ? { state } : {},
      )
      if (!world.engine) throw new Error('no engine')
      const engine = { ...world.engine, unfinished: ['airlift-dev-lb'] }
      const begun = planStart(three, { ...world, engine })
      expect(outline(begun)).toEqual([
        'lb/create [container.create]',
        `lb/start [container.${state === 'created' ? 'start' : 'restart'}] after lb/create`,
      ])
      // With all that it had: the port of the API, its address, what it balances.
      const made = (plan: Plan) => plan.steps.find(({ id }) => id === 'airlift-dev-lb/create')?.actions
      expect(made(begun)).toEqual(made(planAll(three, { ...world, engine })))
    },
  )

  it.each([
    ['the network is gone', []],
    ['another network has its name', [{ id: 'n2', name: 'airlift-dev' }]],
  ])('puts stopped containers into their network again where %s', (_, there) => {
    const stopped = withNetwork(up(), there)
    const plan = planAll(spec, stopped)
    const start = plan.steps.find((step) => step.id === `${WORKER}/start`)
    expect(start?.actions.slice(0, 2)).toEqual([
      {
        kind: 'container',
        op: 'attach',
        name: WORKER,
        network: 'airlift-dev',
        address: expect.stringMatching(/^10\.118\./),
      },
      { kind: 'container', op: 'start', name: WORKER },
    ])
    const made = plan.steps.find((step) => step.id === 'engine/network')
    expect(made !== undefined).toBe(there.length === 0)
    const begun = planStart(spec, stopped)
    expect(begun.steps.some((step) => step.id === 'engine/network')).toBe(there.length === 0)
    expect(begun.steps.find((step) => step.id === `${WORKER}/start`)?.actions.at(0)).toMatchObject({
      op: 'attach',
    })
  })

  it.each([
    ['a worker', WORKER, 'worker-0/start [container.attach container.restart wait '],
    ['the load balancer', 'airlift-dev-lb', 'lb/start [container.attach container.restart]'],
  ])('puts %s that was taken off the network into it again, and restarts it', (_, name, step) => {
    const two = testContainers(2, 1)
    const world = settled(two, testContainerWorld(two), ({ config }) => ({
      networkIds: config.name === name ? {} : { 'airlift-dev': 'n1' },
    }))
    const steps = planAll(two, world).steps
    expect(steps.filter(({ effect }) => effect)).toHaveLength(1)
    expect(outline(planAll(two, world))[0]).toContain(step)
    expect(planStart(two, world).steps[0]).toMatchObject({
      id: `${name}/start`,
      actions: [
        { op: 'attach', name },
        { op: 'restart', name },
      ],
    })
    // What the cluster says of the node is from before.
    if (name === WORKER) expect(outline(planAll(two, world))[0]).toContain('wait')
  })

  it('leaves the network alone where it is the one that the containers were in', () => {
    const stopped = withNetwork(up(), [{ id: 'n1', name: 'airlift-dev' }])
    const actions = [...planAll(spec, stopped).steps, ...planStart(spec, stopped).steps].flatMap(
      (step) => step.actions,
    )
    expect(actions.filter((action) => 'op' in action && action.op === 'attach')).toEqual([])
  })

  it('waits for a new node as ever', () => {
    expect(awaited(testContainerWorld(spec))).not.toContain(`node ${WORKER} to be Ready again`)
  })
})

it('nothing leaves a cluster whose masters somebody removed, and it is said what brings one back', () => {
  const masterless = testContainers(0, 1)
  expect(() => throughOf(masterless, testContainerWorld(masterless), [])).toThrowError(
    expect.objectContaining({
      code: 'E_REFUSED',
      message: 'the cluster "dev" has no master',
      hint: expect.stringMatching(/same airlift run command/),
    }),
  )
})
