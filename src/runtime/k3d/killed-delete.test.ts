import { describe, expect, it } from 'vitest'
import type { EngineContainer } from '../../machine/docker/engine.js'
import type { Plan } from '../../plan/plan.js'
import { hasLeft } from '../has-left.js'
import type { World } from '../runtime.js'
import { configOf, creations, outline, planAll, settled } from './plan.fixture.js'
import { planStart } from './start.js'
import { testContainers, testContainerWorld } from './world.fixture.js'

// What `run` makes of masters that a delete, a stop or a reset which was killed has left half done.

const FIRST = 'airlift-dev-master-0'
const spec = testContainers(3, 0)
const up = (): World => settled(spec, testContainerWorld(spec))

function withContainers(
  world: World,
  change: (container: EngineContainer) => readonly EngineContainer[],
): World {
  if (!world.engine) throw new Error('no engine')
  return { ...world, engine: { ...world.engine, containers: world.engine.containers.flatMap(change) } }
}

/** The first master is out of etcd and of the cluster, and has ended; its container is still there. */
function firstIsOut(note: boolean): World {
  const world = withContainers(up(), (container) => [
    container.name === FIRST ? { ...container, state: 'exited', restart: 'no' } : container,
  ])
  if (!world.engine) throw new Error('no engine')
  return {
    ...world,
    engine: { ...world.engine, ...(note ? { left: [FIRST] } : {}) },
    machines: world.machines.map(({ installed, ...machine }) => ({
      ...machine,
      installed:
        machine.name === FIRST
          ? { ...installed, active: false, apiReady: false, nodes: [] }
          : { ...installed, nodes: (installed.nodes ?? []).filter(({ name }) => name !== FIRST) },
    })),
  }
}

/** Steps that wait for themselves, be it through others. */
function circles({ steps }: Plan): string[] {
  const needs = new Map(steps.map((step) => [step.id, step.needs]))
  const reach = (id: string, seen: Set<string>): Set<string> => {
    for (const one of needs.get(id) ?? []) if (!seen.has(one)) reach(one, seen.add(one))
    return seen
  }
  return steps.flatMap(({ id }) => (reach(id, new Set()).has(id) ? [id] : []))
}

describe('the first master that the cluster has taken out', () => {
  it.each([true, false])('is known, whether it has noted that or not (%s)', (note) => {
    expect(hasLeft(firstIsOut(note), FIRST)).toBe(true)
    expect(hasLeft(firstIsOut(note), 'airlift-dev-master-1')).toBe(false)
    expect(hasLeft(up(), FIRST)).toBe(false)
  })

  it('is made anew and joins through another: as it was it would found a cluster of its own', () => {
    const plan = planAll(spec, firstIsOut(true))
    expect(outline(plan)[0]).toMatch(/^master-0\/create \[container\.remove .*container\.create\]/)
    expect(configOf(plan, FIRST)).toMatch(/^server: /m)
    expect(creations(plan).map(({ config }) => config.name)).toEqual([FIRST])
    expect(JSON.stringify(creations(plan)[0]?.config.labels)).not.toContain('founder')
  })

  it('is not started, and keeps the others from nothing', () => {
    const world = withContainers(firstIsOut(true), (one) => [
      one.name === FIRST ? { ...one, state: 'exited' } : one,
    ])
    expect(planStart(spec, world).steps).toEqual([])
    const stopped = withContainers(world, (one) => [{ ...one, state: 'exited' }])
    const started = planStart(spec, stopped).steps.filter(({ id }) => id.endsWith('/start'))
    expect(started.map(({ id }) => id).sort()).toEqual([
      'airlift-dev-lb/start',
      'airlift-dev-master-1/start',
      'airlift-dev-master-2/start',
    ])
  })

  it('is no master that others join through, where all are stopped', () => {
    const world = firstIsOut(true)
    const machines = world.machines.map((machine) => {
      const { nodes: _, ...installed } = machine.installed
      return { ...machine, installed: { ...installed, active: false, apiReady: false } }
    })
    const stopped = withContainers({ ...world, machines }, (one) => [{ ...one, state: 'exited' }])
    const plan = planAll(spec, stopped)
    expect(configOf(plan, FIRST)).toMatch(/^server: /m)
    expect(circles(plan)).toEqual([])
  })
})

it('a master that runs without a majority waits for none of those that are made again', () => {
  const gone = [FIRST, 'airlift-dev-master-1']
  const world = withContainers(up(), (container) => (gone.includes(container.name) ? [] : [container]))
  if (!world.engine) throw new Error('no engine')
  const volumes = spec.masters.map(({ target }) => ({ name: target.host, labels: {} }))
  const machines = world.machines.map(({ installed, ...machine }) => {
    const { nodes: _, ...rest } = installed
    const active = !gone.includes(machine.name)
    return { ...machine, installed: { ...rest, active, initialized: active, apiReady: false } }
  })
  const plan = planAll(spec, { ...world, machines, engine: { ...world.engine, volumes } })
  expect(circles(plan)).toEqual([])
  expect(outline(plan).filter((line) => line.startsWith('master-0/start'))[0]).not.toContain('master-2')
})

it('what a stop that was killed left running comes back with the engine again', () => {
  const world = withContainers(up(), (one) => [{ ...one, restart: 'no' }])
  expect(outline(planAll(spec, world))).toEqual(
    ['lb', 'master-0', 'master-1', 'master-2'].map((name) => `${name}/stays [container.policy]`),
  )
  const podman = world.engine && { ...world.engine, info: { ...world.engine.info, kind: 'podman' as const } }
  expect(planAll(spec, { ...world, ...(podman ? { engine: podman } : {}) }).steps).toEqual([])
})
