import { describe, expect, it } from 'vitest'
import type { EngineContainer } from '../../machine/docker/engine.js'
import { throughOf } from '../k3s/require-leave.js'
import type { World } from '../runtime.js'
import { outline, planAll, settled } from './plan.fixture.js'
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
