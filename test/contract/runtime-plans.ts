import { expect } from 'vitest'
import type { ClusterSpec } from '../../src/cluster/spec.js'
import type { AirliftError } from '../../src/core/errors.js'
import { planAdd } from '../../src/operations/add.js'
import { planRun } from '../../src/operations/run.js'
import type { Plan, Step } from '../../src/plan/plan.js'
import type { Runtime, RuntimeInfo, World } from '../../src/runtime/runtime.js'
import { openRoom, type Room, rootfs } from './rooms.js'

/** A verb of the interface. */
export type Verb = Exclude<RuntimeInfo['verbs'][number], 'ports'>

/** How each verb is called, on a cluster with three masters and two workers. */
export const VERBS: Record<Verb, (runtime: Runtime, spec: ClusterSpec, world: World) => Plan> = {
  init: (runtime, spec, world) => runtime.init(spec, world),
  joinMasters: (runtime, spec, world) => runtime.joinMasters(spec, world, spec.masters),
  joinNodes: (runtime, spec, world) => runtime.joinNodes(spec, world, spec.nodes),
  deleteMasters: (runtime, spec, world) => runtime.deleteMasters(spec, world, spec.masters.slice(0, 1)),
  deleteNodes: (runtime, spec, world) => runtime.deleteNodes(spec, world, spec.nodes.slice(-1)),
  upgrade: (runtime, spec, world) => runtime.upgrade(spec, world, rootfs),
  reset: (runtime, spec, world) => runtime.reset(spec, world),
  stop: (runtime, spec, world) => runtime.stop(spec, world, { drain: true }),
  start: (runtime, spec, world) => runtime.start(spec, world),
}

/** A cluster that runs: made by carrying out the plan of a first run. */
export async function cluster(room: Room, spec: ClusterSpec): Promise<World> {
  const world = await room.look(spec)
  await room.carryOut(planRun(room.runtime, spec, world), world)
  return room.look(spec)
}

/** What a refusal must be: said before anything is planned, with its exit code and a way out. */
export function refusal(code: string, exit: number, words?: RegExp): unknown {
  return expect.objectContaining({
    code,
    exit,
    message: words ? expect.stringMatching(words) : expect.any(String),
    hint: expect.stringMatching(/\S/),
  })
}

/** The error that a call throws. */
export function thrown(call: () => unknown): AirliftError | undefined {
  try {
    call()
  } catch (error) {
    return error as AirliftError
  }
  return undefined
}

/** Whether a step waits for another one, directly or through others. */
export function waitsFor(plan: Plan, from: Step, id: string): boolean {
  return from.needs.some((need) => {
    const step = plan.steps.find((entry) => entry.id === need)
    return need === id || (step !== undefined && waitsFor(plan, step, id))
  })
}

/** The step of an id. @throws Error where there is none */
export const stepOf = (plan: Plan, id: string): Step => {
  const step = plan.steps.find((entry) => entry.id === id)
  if (!step) throw new Error(`no step ${id} in ${plan.steps.map((entry) => entry.id).join(', ')}`)
  return step
}

/** Every verb that a runtime has, each in a world in which it has something to do. */
export async function everyPlan(
  room: Room,
): Promise<readonly { verb: string; make: () => Plan; spec: ClusterSpec; world: World }[]> {
  const { runtime } = room
  const spec = room.spec(3, 2, { config: { 'agent-token': 'agent-hunter22' } })
  const bare = await room.look(spec)
  const plans = [{ verb: 'run', make: () => planRun(runtime, spec, bare), spec, world: bare }]
  const running = await cluster(room, spec)
  const grown = room.spec(5, 3, { config: spec.config })
  const world = await room.look(grown)
  const added = [...grown.masters.slice(3), ...grown.nodes.slice(2)]
  plans.push({ verb: 'add', make: () => planAdd(runtime, grown, world, added), spec: grown, world })
  for (const verb of ['deleteMasters', 'deleteNodes', 'stop', 'reset'] as const) {
    plans.push({ verb, make: () => VERBS[verb](runtime, spec, running), spec, world: running })
  }
  await room.carryOut(runtime.stop(spec, running, { drain: false }), running)
  const stopped = await room.look(spec)
  plans.push({ verb: 'start', make: () => runtime.start(spec, stopped), spec, world: stopped })
  return plans
}

/** No member can be set any more. Maps are left: nothing in them is of the caller's making. */
export function freeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value) || ArrayBuffer.isView(value))
    return value
  if (!(value instanceof Map)) Object.freeze(value)
  for (const entry of Object.values(value)) freeze(entry)
  return value
}

/** How many steps a first run has. */
export async function stepsOfRun(name: 'k3s' | 'k3d', masters: number, workers: number): Promise<number> {
  const room = await openRoom(name)
  const spec = room.spec(masters, workers)
  return planRun(room.runtime, spec, await room.look(spec)).steps.length
}

/** The steps in an order in which they can be done. */
export function inOrder(plan: Plan): Step[] {
  const rest = [...plan.steps]
  const done: Step[] = []
  while (rest.length > 0) {
    const at = rest.findIndex((step) => step.needs.every((id) => done.some((one) => one.id === id)))
    if (at < 0) throw new Error('a circle of needs')
    done.push(...rest.splice(at, 1))
  }
  return done
}
