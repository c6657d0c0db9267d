import { describe, expect, it } from 'vitest'
import type { Plan } from '../../plan/plan.js'
import type { InstalledState, MachineWorld, World } from '../runtime.js'
import { seenReady } from './observe.js'
import { createK3sRuntime } from './runtime.js'
import { planAll, settled } from './settled.fixture.js'
import { testSpec, testWorld } from './world.fixture.js'

/** A cluster for whose nodes no run has waited. */
function unwaited(world: World, more: Partial<InstalledState> = {}): World {
  const machines = world.machines.map((machine): MachineWorld => {
    const { facts, installed } = machine
    const fragments = { ...facts.managed.fragments, 'k3s-node-password': 'kept' }
    return {
      ...machine,
      facts: { ...facts, managed: { ...facts.managed, fragments } },
      installed: { ...installed, initialized: false, ...more },
    }
  })
  return { ...world, machines: seenReady(machines) }
}

const notReady = (world: World): World =>
  unwaited({
    ...world,
    machines: world.machines.map((machine) => {
      const { nodes: _, ...installed } = machine.installed
      return { ...machine, installed: { ...installed, apiReady: false } }
    }),
  })

const titles = ({ steps }: Plan): string[] => steps.map(({ title }) => title)

/** Every step that is needed must be in the plan, or it cannot be executed. */
function expectWhole({ steps }: Plan): void {
  const ids = new Set(steps.map(({ id }) => id))
  expect(steps.flatMap(({ needs }) => needs.filter((id) => !ids.has(id)))).toEqual([])
}

describe('run again on a cluster for which nobody waited', () => {
  it.each([
    [1, 0],
    [1, 2],
    [3, 1],
  ])('does nothing with the same --wait none or api: %i masters, %i workers', (masters, workers) => {
    for (const wait of ['none', 'api'] as const) {
      const spec = testSpec(masters, workers, { wait })
      expect(titles(planAll(spec, unwaited(settled(spec, testWorld(spec)))))).toEqual([])
    }
  })

  it('waits for what the wait that is asked for now has not seen yet', () => {
    const none = testSpec(1, 1, { wait: 'none' })
    const world = settled(none, testWorld(none))
    expect(titles(planAll(none, notReady(world)))).toEqual([])
    expect(titles(planAll({ ...none, wait: 'api' }, notReady(world)))).toEqual([
      'wait for k3s',
      'wait for the API server',
    ])
    const nodes = planAll({ ...none, wait: 'nodes' }, unwaited(world))
    expect(titles(nodes)).toEqual(['wait for k3s', 'wait for node bare1', 'wait for k3s-agent'])
    expect(nodes.steps.at(-1)?.actions.map(({ kind }) => kind)).toEqual(['wait', 'wait', 'script', 'remove'])
  })

  it('reads the join token where others have yet to join, whatever is waited for', () => {
    const spec = testSpec(1, 1, { wait: 'none' })
    const bare = testWorld(spec)
    const [master] = settled(spec, bare).machines
    const [, worker] = bare.machines
    if (!master || !worker) throw new Error('two machines')
    const plan = planAll(spec, { ...bare, machines: [master, worker] })
    expectWhole(plan)
    expect(titles(plan)).toContain('read the join token')
  })

  it.each(['none', 'api', 'nodes'] as const)('joins further machines with --wait %s', (wait) => {
    const spec = testSpec(3, 1, { wait })
    const bare = testWorld(spec)
    const done = settled(spec, bare)
    for (const known of [unwaited(done), notReady(done)]) {
      const plan = planAll(spec, {
        ...known,
        machines: [...known.machines.slice(0, 1), ...bare.machines.slice(1)],
      })
      expectWhole(plan)
      expect(titles(plan)).toEqual(expect.arrayContaining(['start k3s', 'start k3s-agent']))
    }
  })
})

describe('a node that its cluster calls Ready and no run has waited for', () => {
  const spec = testSpec(1, 1)
  const world = unwaited(settled(spec, testWorld(spec)))

  it('holds data as any other, unless it may be another machine of the name', () => {
    const told = ({ machines }: World) =>
      machines.map(({ installed }) => [installed.initialized, installed.unmarked])
    expect(told(world)).toEqual([
      [true, true],
      [true, true],
    ])
    expect(told(unwaited(settled(spec, testWorld(spec)), { active: false }))).toEqual([
      [false, undefined],
      [false, undefined],
    ])
    const refused = world.machines.map((machine) => {
      const { facts } = machine
      const fragments = { 'k3s-node-password': 'refused' }
      const installed = { ...machine.installed, initialized: false }
      return { ...machine, installed, facts: { ...facts, managed: { ...facts.managed, fragments } } }
    })
    expect(seenReady(refused).map(({ installed }) => installed.initialized)).toEqual([false, false])
  })

  it('is marked before it is stopped: its members then start together', () => {
    const stop = createK3sRuntime().stop(spec, world, { drain: false })
    for (const { actions } of stop.steps)
      expect(actions[0]).toEqual({ kind: 'script', script: ': > /var/lib/airlift/initialized' })
  })
})
