import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import type { Plan, Step } from '../../plan/plan.js'
import { hasLeft } from '../has-left.js'
import { machineOf } from '../k3s/first-master.js'
import { isReady } from '../k3s/node-steps.js'
import { refuseSharingSqlite } from '../k3s/require-join.js'
import { voteSteps } from '../k3s/vote-script.js'
import type { World } from '../runtime.js'
import { checkBegun } from './check-unchanged.js'
import { entryOf, founderOf, isNew } from './first-master.js'
import { planOf } from './init.js'
import { joinThrough } from './join-through.js'
import { containerOf, layoutOf } from './layout.js'
import { lbReady, lbSteps } from './lb-steps.js'
import { forgetLost, hasData } from './lost-data.js'
import { nodeSteps, stepId } from './node-steps.js'

/**
 * Further masters. While the cluster is being created they start together, as soon as the first one listens: etcd admits
 * one at a time and k3s asks again. Where the cluster carries data already each waits for the one before.
 * @throws AirliftError E_REFUSED where the data is in SQLite
 */
export function planJoinMasters(spec: ClusterSpec, world: World, masters: readonly NodeSpec[]): Plan {
  refuseSharingSqlite(spec, world, masters)
  const layout = layoutOf(spec, world)
  checkBegun(spec, world, layout, masters)
  const founder = founderOf(spec, world)
  const entry = entryOf(spec, world)
  const together = isNew(spec, world)
  const before = together ? listening(world, entry) : steady(spec, world, entry)
  let last = before
  const steps: Step[] = []
  const joined: string[] = []
  const forgotten: string[] = []
  for (const node of masters.filter((candidate) => candidate !== founder)) {
    const joining = { founder: false, through: joinThrough(spec, world, layout, node, entry) }
    const resumes = isMember(world, node, entry)
    const needs = [...(resumes ? [] : last), ...lbReady(spec, world, layout)]
    // Its old member leaves etcd only when the master before it has joined: one change of members at a time.
    const forget = forgetLost(world, node, entry, last)
    const own = nodeSteps({ spec, world, layout, node, joining, ...(forget ? { forget } : {}) }, needs)
    if (forget) forgotten.push(forget.id)
    steps.push(...own)
    const start = stepId.start(node.target.host)
    if (!own.some((step) => step.id === start)) continue
    if (!resumes) joined.push(start)
    if (!together) last = resumes ? [...last, start] : [start]
  }
  const needs = [...before, ...forgotten]
  steps.push(...voteSteps(spec, { machine: machineOf(world, entry).id, needs, joining: joined }))
  return planOf(spec, world, steps.length > 0 ? [...lbSteps(spec, world, layout), ...steps] : steps)
}

/**
 * A member that was stopped, or whose container is gone, changes no membership by starting, and a majority may be needed for any
 * to be ready. The one that the others join through waits for none of them. One that the cluster took out joins as a new one.
 */
function isMember(world: World, node: NodeSpec, entry: NodeSpec): boolean {
  const name = node.target.host
  if (node === entry) return true
  if (hasLeft(world, name)) return false
  const found = containerOf(world, name)
  return found ? found.state === 'exited' : hasData(world, name)
}

/** Steps after which others can join through a node. */
export function listening(world: World, entry: NodeSpec): string[] {
  return machineOf(world, entry).installed.apiReady ? [] : [stepId.start(entry.target.host)]
}

/** Steps after which the datastore may change its members. */
export function steady(spec: ClusterSpec, world: World, entry: NodeSpec): string[] {
  const machine = machineOf(world, entry)
  if (isReady({ world, node: entry, machine })) return []
  const name = entry.target.host
  return [spec.wait === 'none' || founderOf(spec, world) !== entry ? stepId.start(name) : stepId.ready(name)]
}
