import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { Plan, Step } from '../../plan/plan.js'
import type { MachineWorld, World } from '../runtime.js'
import { unknownData } from './lost-data.js'
import { planAll, settled } from './plan.fixture.js'
import { testContainers, testContainerWorld } from './world.fixture.js'

// What `run` makes of a cluster of which somebody removed containers together with the volumes of their data.

const master = (index: number): string => `airlift-dev-master-${index}`
const WORKER = 'airlift-dev-worker-0'
const up = (spec: ClusterSpec): World => settled(spec, testContainerWorld(spec))
const stepOf = (plan: Plan, id: string): Step | undefined => plan.steps.find((step) => step.id === id)

/** The same without these containers; without their data as well, unless it is kept. */
function without(world: World, names: readonly string[], keep: 'data' | 'nothing' = 'nothing'): World {
  const { engine } = world
  if (!engine) throw new Error('no engine')
  return {
    ...world,
    machines: world.machines.map((machine) =>
      names.includes(machine.name)
        ? { ...machine, installed: { active: false, initialized: false, apiReady: false } }
        : machine,
    ),
    engine: {
      ...engine,
      containers: engine.containers.filter(({ name }) => !names.includes(name)),
      volumes: engine.volumes.filter(({ name }) => keep === 'data' || !names.includes(name)),
    },
  }
}

/** The same with another answer of some machines. */
function changed(
  world: World,
  names: readonly string[],
  change: (machine: MachineWorld) => MachineWorld,
): World {
  return {
    ...world,
    machines: world.machines.map((machine) => (names.includes(machine.name) ? change(machine) : machine)),
  }
}

/** No API answers, and etcd says this. */
const silent =
  (says: string) =>
  ({ facts, installed: { nodes: _, ...installed }, ...machine }: MachineWorld): MachineWorld => ({
    ...machine,
    installed: { ...installed, apiReady: false },
    facts: {
      ...facts,
      managed: {
        ...facts.managed,
        fragments: { ...facts.managed.fragments, 'k3s-datastore': 'etcd', 'k3s-etcd': says },
      },
    },
  })

/** All masters vote in etcd, as those that answer tell. */
const voting = (machine: MachineWorld): MachineWorld => ({
  ...machine,
  installed: {
    ...machine.installed,
    ...(machine.installed.nodes
      ? {
          nodes: machine.installed.nodes.map((node) =>
            node.role === 'master' ? { ...node, voter: true } : node,
          ),
        }
      : {}),
  },
})

describe('a worker without its container and its data', () => {
  const spec = testContainers(1, 1)

  it('is forgotten before its container is made, so that its new password is taken', () => {
    const plan = planAll(spec, without(up(spec), [WORKER]))
    expect(stepOf(plan, `${WORKER}/forget`)).toMatchObject({
      machine: `docker://${master(0)}`,
      effect: 'remove',
      actions: [
        { kind: 'script', script: expect.stringMatching(/delete node.*worker-0[\s\S]*node-password/) },
      ],
    })
    expect(stepOf(plan, `${WORKER}/create`)?.needs).toContain(`${WORKER}/forget`)
    expect(stepOf(plan, `${WORKER}/start`)?.needs).toContain(`${WORKER}/create`)
  })

  it('is not forgotten where its data is there, nor where the cluster does not know it', () => {
    expect(stepOf(planAll(spec, without(up(spec), [WORKER], 'data')), `${WORKER}/forget`)).toBeUndefined()
    const unknown = changed(without(up(spec), [WORKER]), [master(0)], (machine) => ({
      ...machine,
      installed: { ...machine.installed, nodes: (machine.installed.nodes ?? []).slice(0, 1) },
    }))
    expect(stepOf(planAll(spec, unknown), `${WORKER}/forget`)).toBeUndefined()
  })

  it('is forgotten when a master answers that does not tell yet, and waited for until it reports itself', () => {
    const world = changed(without(up(spec), [WORKER]), [master(0)], silent(''))
    const plan = planAll(spec, world)
    expect(stepOf(plan, `${WORKER}/forget`)?.needs).toEqual([`${master(0)}/ready`])
    expect(stepOf(plan, `${WORKER}/create`)?.needs).toContain(`${WORKER}/forget`)
    const awaited = stepOf(plan, `${WORKER}/start`)?.actions.flatMap((action) =>
      action.kind === 'wait' ? [action.what] : [],
    )
    expect(awaited).toContain(`node ${WORKER} to be Ready again`)
  })

  it('is forgotten and started again where the cluster has refused its new password already', () => {
    const refused = changed(up(spec), [WORKER], ({ facts, installed, ...machine }) => ({
      ...machine,
      installed: { ...installed, initialized: false },
      facts: {
        ...facts,
        managed: {
          ...facts.managed,
          fragments: { ...facts.managed.fragments, 'k3s-node-password': 'refused\n' },
        },
      },
    }))
    const plan = planAll(spec, refused)
    const start = stepOf(plan, `${WORKER}/start`)
    expect(start?.actions[0]).toMatchObject({ kind: 'container', op: 'restart' })
    expect(start?.needs).toContain(`${WORKER}/forget`)
  })
})

describe('a master without its container and its data', () => {
  const spec = testContainers(3, 1)
  const all = spec.masters.map(({ target }) => target.host)

  it.each([0, 1, 2])('leaves etcd before it joins again: master %i', (index) => {
    const world = changed(without(up(spec), [master(index)]), all, voting)
    const plan = planAll(spec, world)
    expect(stepOf(plan, `${master(index)}/forget`)).toBeDefined()
    expect(stepOf(plan, `${master(index)}/create`)?.needs).toContain(`${master(index)}/forget`)
    expect(stepOf(plan, `${master(index)}/start`)).toBeDefined()
    // Before that it still has the vote of its old member.
    expect(plan.steps.find(({ assists }) => assists)?.needs).toContain(`${master(index)}/forget`)
  })

  it('is refused where etcd would lose its majority with it', () => {
    const world = changed(without(up(spec), [master(1)]), [master(0), master(2)], (machine) =>
      voting({
        ...machine,
        installed: {
          ...machine.installed,
          ...(machine.installed.nodes
            ? {
                nodes: machine.installed.nodes.map((node) => ({ ...node, ready: node.name !== master(2) })),
              }
            : {}),
        },
      }),
    )
    expect(() => planAll(spec, world)).toThrow(
      expect.objectContaining({
        code: 'E_JOIN',
        exit: 5,
        message: expect.stringContaining('1 of 3 members'),
      }),
    )
  })

  it('is refused where another one has just ended, which the cluster still calls Ready', () => {
    const world = changed(without(up(spec), [master(1)]), all, voting)
    const ended = changed(world, [master(2)], ({ installed: { nodes: _, ...installed }, ...machine }) => ({
      ...machine,
      installed: { ...installed, active: false, apiReady: false },
    }))
    expect(() => planAll(spec, ended)).toThrow(/only 1 of 3 members of etcd are healthy/)
  })

  it.each([
    [2, [1]],
    [3, [0, 2]],
  ])('is refused at once where etcd says that the majority of %i is gone', (masters, lost) => {
    const several = testContainers(masters, 0)
    const names = several.masters.map(({ target }) => target.host)
    const world = without(up(several), lost.map(master))
    const left = names.filter((name) => !lost.map(master).includes(name))
    const leaderless = changed(world, left, silent('{"health":"false","reason":"RAFT NO LEADER"}'))
    expect(() => planAll(several, leaderless)).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        exit: 5,
        message: expect.stringMatching(new RegExp(`lost its majority: of ${lost.map(master).join(', ')} `)),
        hint: expect.stringContaining('airlift reset --name dev'),
      }),
    )
    expect(unknownData(several, leaderless)).toBeUndefined()
    // The API has not noticed yet, and calls all of them Ready.
    expect(() => planAll(several, changed(world, left, voting))).toThrow(/lost its majority/)
    expect(unknownData(several, changed(world, left, silent('')))).toBe(
      `etcd of ${left[0]} to say whether it has a majority`,
    )
    // Nothing is lost while the volumes are there.
    const kept = changed(
      without(up(several), lost.map(master), 'data'),
      left,
      silent('{"health":"false","reason":"RAFT NO LEADER"}'),
    )
    expect(() => planAll(several, kept)).not.toThrow()
    expect(unknownData(several, kept)).toBeUndefined()
  })
})

describe('a cluster of whose masters only volumes are left, and not of all', () => {
  const spec = testContainers(3, 0)
  const names = spec.masters.map(({ target }) => target.host)

  it.each([[[0]], [[1, 2]]])('is refused without those of %j', (gone) => {
    const lost = gone.map(master)
    expect(() => planAll(spec, without(without(up(spec), lost), names, 'data'))).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        exit: 5,
        message: expect.stringContaining(`of ${lost.join(', ')} the data is gone too`),
        hint: expect.stringContaining('airlift reset --name dev'),
      }),
    )
  })

  it('is brought back where those of all are there', () => {
    expect(() => planAll(spec, without(up(spec), names, 'data'))).not.toThrow()
  })
})

describe('a cluster of which no master has data any more', () => {
  it.each([1, 3])('is refused by name while a worker of it is there: %i masters', (masters) => {
    const spec = testContainers(masters, 1)
    const names = spec.masters.map(({ target }) => target.host)
    expect(() => planAll(spec, without(up(spec), names))).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        exit: 5,
        message: `the data of "dev" is gone: of ${names.join(', ')} there is neither container nor volume`,
        hint: expect.stringMatching(/airlift reset --name dev.*airlift-dev-worker-0 cannot join/),
      }),
    )
    expect(() => planAll(spec, without(up(spec), names, 'data'))).not.toThrow()
  })

  it('is made where no worker has ever run', () => {
    const spec = testContainers(1, 1)
    const { engine, ...world } = without(up(spec), [master(0)])
    if (!engine) throw new Error('no engine')
    const containers = engine.containers.map((container) => ({
      ...container,
      state: 'created' as const,
      startedAt: '0001-01-01T00:00:00Z',
    }))
    expect(() => planAll(spec, { ...world, engine: { ...engine, containers } })).not.toThrow()
  })
})
