import { describe, expect, it } from 'vitest'
import type { ClusterSpec, NodeSpec } from '../../src/cluster/spec.js'
import { planAdd } from '../../src/operations/add.js'
import { planRun } from '../../src/operations/run.js'
import type { Plan } from '../../src/plan/plan.js'
import { checkWorld } from '../../src/runtime/preflight/check-world.js'
import type { NodeStatus } from '../../src/runtime/runtime.js'
import { openRoom, type Room, TOKEN } from './rooms.js'
import {
  cluster,
  everyPlan,
  freeze,
  inOrder,
  refusal,
  stepOf,
  stepsOfRun,
  thrown,
  VERBS,
  type Verb,
  waitsFor,
} from './runtime-plans.js'

// What every runtime keeps to, whatever its machines are: the same scenarios for k3s on hosts and k3s in containers, on simulated
// machines, and so among the unit tests. runtimes.test.ts has those of the command line, on machines of the lab.

/** The verbs that a user can say, in the order in which {@link everyPlan} plans them. */
const PLANNED = ['run', 'add', 'deleteMasters', 'deleteNodes', 'stop', 'reset', 'start']

describe.each(['k3s', 'k3d'] as const)('the runtime %s', (name) => {
  describe('says what it is', () => {
    it('as plain data', async () => {
      const { runtime } = await openRoom(name)
      const { info } = runtime
      expect(JSON.parse(JSON.stringify(info))).toEqual(info)
      expect(info).toMatchObject({ name, title: expect.stringMatching(/\S/), distribution: 'k3s' })
      expect(info.machines.length).toBeGreaterThan(0)
      expect(new Set(info.verbs).size).toBe(info.verbs.length)
      expect(info.verbs).toEqual(
        expect.arrayContaining(Object.keys(VERBS).filter((verb) => verb !== 'upgrade')),
      )
      expect(info.verbs.includes('ports')).toBe(runtime.ports !== undefined)
      expect(info.verbs.includes('ports')).toBe(info.machines.includes('container'))
      expect(info.minors.length).toBeGreaterThan(0)
      for (const minor of info.minors) expect(minor).toMatch(/^1\.\d+$/)
    })

    it('by refusing each verb that it does not list, and no other', async () => {
      const room = await openRoom(name)
      const spec = room.spec(3, 2)
      const world = await cluster(room, spec)
      for (const [verb, call] of Object.entries(VERBS)) {
        const error = thrown(() => call(room.runtime, spec, world))
        if (room.runtime.info.verbs.includes(verb as Verb)) expect([verb, error]).toEqual([verb, undefined])
        else expect([verb, error]).toEqual([verb, refusal('E_UNSUPPORTED', 2, new RegExp(`"${name}"`))])
      }
    })
  })

  describe('makes plans that', () => {
    it('have steps with one id each, needs that are there, and an order', async () => {
      const plans = await everyPlan(await openRoom(name))
      expect(plans.map(({ verb }) => verb)).toEqual(PLANNED)
      for (const { verb, make } of plans) {
        const plan = make()
        const ids = plan.steps.map((step) => step.id)
        expect([verb, ids.length > 0]).toEqual([verb, true])
        expect([verb, new Set(ids).size]).toEqual([verb, ids.length])
        for (const step of plan.steps) {
          for (const need of step.needs)
            expect([verb, step.id, need, ids.includes(need)]).toEqual([verb, step.id, need, true])
          expect([verb, step.id, waitsFor(plan, step, step.id)]).toEqual([verb, step.id, false])
        }
        const effects = (effect: string): number => plan.steps.filter((step) => step.effect === effect).length
        expect(plan.summary).toEqual({
          create: effects('create'),
          change: effects('change'),
          remove: effects('remove'),
        })
      }
    })

    it('are plain data, hold no secret, and are the same each time', async () => {
      const room = await openRoom(name)
      const plans = await everyPlan(room)
      expect(plans.map(({ verb }) => verb)).toEqual(PLANNED)
      for (const { verb, make } of plans) {
        const plan = make()
        const text = JSON.stringify(plan)
        expect(JSON.parse(text)).toEqual(plan)
        expect([verb, make()]).toEqual([verb, plan])
        for (const secret of [TOKEN, 'hunter22']) expect([verb, text.includes(secret)]).toEqual([verb, false])
        if (verb === 'run') expect(text).toContain('{{secret:token}}')
      }
      // What is made from them has none in labels, variables or arguments either.
      for (const secret of [TOKEN, 'hunter22']) expect(room.given()).not.toContain(secret)
    })

    it('leave what they were made from as it was', async () => {
      const plans = await everyPlan(await openRoom(name))
      expect(plans.map(({ verb }) => verb)).toEqual(PLANNED)
      for (const { verb, make, spec, world } of plans) {
        freeze(spec)
        freeze(world)
        const secrets = [...world.secrets]
        // A change of what is frozen throws.
        expect([verb, thrown(make)]).toEqual([verb, undefined])
        expect([verb, [...world.secrets]]).toEqual([verb, secrets])
      }
    })
  })

  describe('runs', () => {
    it.each([
      [1, 0],
      [1, 2],
      [3, 2],
    ])(
      'a cluster of %i masters and %i workers, and then has nothing left to do',
      async (masters, workers) => {
        const room = await openRoom(name)
        const spec = room.spec(masters, workers)
        const world = await cluster(room, spec)
        const nodes = [...spec.masters, ...spec.nodes]
        expect([...room.k3s.nodes.keys()].sort()).toEqual(nodes.map(room.nodeName).sort())
        for (const { installed } of world.machines)
          expect(installed).toMatchObject({ cluster: spec.name, active: true })
        expect(planRun(room.runtime, spec, world).steps).toEqual([])
        expect(room.runtime.start(spec, world).steps).toEqual([])
      },
    )

    it('and finishes what was cut off, at every step', async () => {
      const length = await stepsOfRun(name, 3, 1)
      expect(length).toBeGreaterThanOrEqual(4)
      for (let cut = 1; cut < length; cut++) {
        const room = await openRoom(name)
        const spec = room.spec(3, 1)
        const world = await room.look(spec)
        const plan = planRun(room.runtime, spec, world)
        await room.carryOut({ ...plan, steps: inOrder(plan).slice(0, cut) }, world)
        expect([cut, planRun(room.runtime, spec, await cluster(room, spec)).steps]).toEqual([cut, []])
        expect([cut, room.k3s.nodes.size]).toEqual([cut, 4])
      }
    })

    it('two masters, and says what that is worth', async () => {
      const room = await openRoom(name)
      const codes = async (masters: number): Promise<string[]> => {
        const spec = room.spec(masters, 0)
        return checkWorld(spec, await room.look(spec)).map((problem) => `${problem.severity} ${problem.code}`)
      }
      expect(await codes(2)).toContain('warning even-masters')
      expect(await codes(3)).not.toContain('warning even-masters')
    })
  })

  describe('grows', () => {
    it('by masters one at a time, each gated on the one before, and by workers', async () => {
      const room = await openRoom(name)
      await cluster(room, room.spec(3, 1))
      const spec = room.spec(5, 2)
      const world = await room.look(spec)
      const added = [...spec.masters.slice(3), ...spec.nodes.slice(1)]
      const plan = planAdd(room.runtime, spec, world, added)
      const [fourth, fifth] = spec.masters
        .slice(3)
        .map((node) => stepOf(plan, `${room.nodeName(node)}/start`))
      if (!fourth || !fifth) throw new Error('two masters')
      expect(waitsFor(plan, fifth, fourth.id)).toBe(true)
      expect(
        fourth.actions.some((action) => action.kind === 'wait' && /Ready/.test(action.what + action.script)),
      ).toBe(true)
      const others = new Set([...spec.masters.slice(0, 3), ...spec.nodes.slice(0, 1)].map(room.nodeName))
      const restarts = plan.steps.filter(
        (step) =>
          others.has(step.id.split('/')[0] ?? '') &&
          /service|container/.test(JSON.stringify(step.actions.map(({ kind }) => kind))),
      )
      expect(restarts).toEqual([])
      await room.carryOut(plan, world)
      expect(planRun(room.runtime, spec, await room.look(spec)).steps).toEqual([])
      expect(room.k3s.nodes.size).toBe(7)
    })

    it('never by a second master beside SQLite', async () => {
      const room = await openRoom(name)
      await cluster(room, room.spec(1, 1))
      const spec = room.spec(2, 1)
      const world = await room.look(spec)
      expect(() => room.runtime.joinMasters(spec, world, spec.masters.slice(1))).toThrow(
        refusal('E_REFUSED', 5, /SQLite/) as Error,
      )
      expect(() => planRun(room.runtime, spec, world)).toThrow(refusal('E_REFUSED', 5, /SQLite/) as Error)
    })

    it('from one master in etcd to three', async () => {
      const room = await openRoom(name)
      const config = { 'cluster-init': true }
      await cluster(room, room.spec(1, 0, { config }))
      const spec = room.spec(3, 0, { config })
      const world = await room.look(spec)
      await room.carryOut(planAdd(room.runtime, spec, world, spec.masters.slice(1)), world)
      expect([...room.k3s.nodes.values()].filter((node) => node.voter)).toHaveLength(3)
    })
  })

  describe('shrinks', () => {
    const leave = async (room: Room, spec: ClusterSpec, node: NodeSpec): Promise<Plan> => {
      const world = await room.look(spec)
      const remove = node.role === 'master' ? room.runtime.deleteMasters : room.runtime.deleteNodes
      const plan = remove(spec, world, [node])
      await room.carryOut(plan, world)
      return plan
    }

    it.each([
      ['a worker', (spec: ClusterSpec) => spec.nodes[0]],
      ['the first master', (spec: ClusterSpec) => spec.masters[0]],
      ['another master', (spec: ClusterSpec) => spec.masters[2]],
    ])('by %s, touching no other node, and takes it back', async (_, choose) => {
      const room = await openRoom(name)
      const spec = room.spec(3, 2)
      const before = await cluster(room, spec)
      const node = choose(spec)
      if (!node) throw new Error('a node')
      const machine = before.machines.find((entry) => entry.node === node)
      const kept = (await room.left()).filter((entry) => !entry.includes(room.nodeName(node)))
      const plan = await leave(room, spec, node)
      for (const step of plan.steps.filter(
        (entry) => entry.machine !== machine?.id && !/^engine|lb$/.test(entry.machine),
      ))
        for (const action of step.actions) expect(['script', 'wait']).toContain(action.kind)
      expect([...room.k3s.nodes.keys()]).not.toContain(room.nodeName(node))
      expect(await room.left()).toEqual(kept)
      const world = await room.look(spec)
      const again = node.role === 'master' ? room.runtime.deleteMasters : room.runtime.deleteNodes
      expect(again(spec, world, [node]).steps).toEqual([])
      await room.carryOut(planAdd(room.runtime, spec, world, [node]), world)
      expect(room.k3s.nodes.size).toBe(5)
      expect(planRun(room.runtime, spec, await room.look(spec)).steps).toEqual([])
    })

    const sick = (node: NodeStatus | undefined, more: Partial<NodeStatus> = { ready: false }): NodeStatus => {
      if (!node) throw new Error('no such node')
      return { ...node, ...more }
    }
    it.each([
      ['the last master', 1, [0], [], /last master/],
      ['all masters', 3, [0, 1, 2], [], /all masters/],
      ['a master while another member is not healthy', 3, [0], [2], /not healthy/],
      ['a healthy one of two, where the other is not', 2, [0], [1], /not healthy|no master that would stay/],
    ] as const)('never by %s', async (_, masters, leaving, ill, words) => {
      const room = await openRoom(name)
      const spec = room.spec(masters, 1)
      await cluster(room, spec)
      const at = (index: number): NodeSpec => spec.masters[index] as NodeSpec
      for (const index of ill) {
        const known = room.nodeName(at(index))
        room.k3s.nodes.set(known, sick(room.k3s.nodes.get(known)))
      }
      const world = await room.look(spec)
      expect(() => room.runtime.deleteMasters(spec, world, leaving.map(at))).toThrow(
        refusal('E_REFUSED', 5, words) as Error,
      )
    })

    it('never by a member without which there is no majority to agree', async () => {
      const room = await openRoom(name)
      const spec = room.spec(2, 0)
      await cluster(room, spec)
      const second = spec.masters[1] as NodeSpec
      const known = room.nodeName(second)
      room.k3s.nodes.set(known, sick(room.k3s.nodes.get(known)))
      const world = await room.look(spec)
      expect(() => room.runtime.deleteMasters(spec, world, [second])).toThrow(
        refusal('E_REFUSED', 5, /no quorum/) as Error,
      )
    })
  })

  describe('stops and starts', () => {
    it('all of it, and is then as it was', async () => {
      const room = await openRoom(name)
      const spec = room.spec(3, 2)
      const before = await cluster(room, spec)
      const { runtime } = room
      const stop = runtime.stop(spec, before, { drain: false })
      const kept = await room.left()
      await room.carryOut(stop, before)
      const stopped = await room.look(spec)
      expect(stopped.machines.some(({ installed }) => installed.active)).toBe(false)
      expect(await room.left()).toEqual(kept)
      expect(runtime.stop(spec, stopped, { drain: false }).steps).toEqual([])
      const start = runtime.start(spec, stopped)
      await room.carryOut(start, stopped)
      const started = await room.look(spec)
      expect(runtime.start(spec, started).steps).toEqual([])
      expect(planRun(runtime, spec, started).steps).toEqual([])
      expect(runtime.stop(spec, started, { drain: false })).toEqual(stop)
    })

    it('nothing where nothing is', async () => {
      const room = await openRoom(name)
      const spec = room.spec(1, 1)
      expect(room.runtime.stop(spec, await room.look(spec), { drain: false }).steps).toEqual([])
    })
  })

  describe('resets', () => {
    it('nothing where nothing is', async () => {
      const room = await openRoom(name)
      const spec = room.spec(3, 2)
      const plan = room.runtime.reset(spec, await room.look(spec))
      expect(plan).toMatchObject({ operation: 'reset', name: spec.name, steps: [] })
      expect(plan.summary).toEqual({ create: 0, change: 0, remove: 0 })
    })

    it('all that was made, from whatever point on', async () => {
      const length = await stepsOfRun(name, 3, 2)
      expect(length).toBeGreaterThanOrEqual(5)
      for (let cut = 1; cut <= length; cut++) {
        const room = await openRoom(name)
        const spec = room.spec(3, 2)
        const world = await room.look(spec)
        const plan = planRun(room.runtime, spec, world)
        await room.carryOut({ ...plan, steps: inOrder(plan).slice(0, cut) }, world)
        const found = await room.look(spec)
        await room.carryOut(room.runtime.reset(spec, found), found)
        expect([cut, await room.left()]).toEqual([cut, []])
        expect([cut, room.runtime.reset(spec, await room.look(spec)).steps]).toEqual([cut, []])
      }
    })
  })
})
