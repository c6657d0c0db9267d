import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { type Action, type Plan, type Step, summarize } from '../../plan/plan.js'
import type { MachineWorld, World } from '../runtime.js'
import { nodeName, usesEtcd } from './config.js'
import { entryOf, founderOf, machineOf, mastersOf } from './first-master.js'
import { ANSWERS } from './init.js'
import { forgetStep } from './leftover-node.js'
import { firstUpload, isAsWanted, joinThrough, nodeSteps, stepId } from './node-steps.js'
import { refuseSharingSqlite } from './require-join.js'
import { voteSteps } from './vote-script.js'
import { waitApi, waitMasterReady } from './waits.js'

/**
 * Further masters: staged and installed side by side. While the cluster is being created they start together, as soon as the
 * first one answers: etcd admits one at a time and k3s asks again. Where the cluster carries data already each waits until the
 * one before it is ready and a voting member of etcd, which must not lose its majority. Members that were stopped start at
 * once.
 */
export function planJoinMasters(spec: ClusterSpec, world: World, masters: readonly NodeSpec[]): Plan {
  refuseSharingSqlite(spec, world, masters)
  const entry = entryOf(spec, world)
  const founder = founderOf(spec, world)
  const uploadAfter = firstUpload(spec, world, founder)
  const steps: Step[] = []
  const together = isNew(spec, world)
  const answers =
    founder === entry ? (together ? answering(spec, world, entry) : gate(spec, world, entry)) : []
  let before = answers
  const joining: string[] = []
  for (const node of masters.filter((candidate) => candidate !== founder?.node)) {
    const machine = machineOf(world, node)
    const waits: Action[] = [waitApi(spec.timeoutMs)]
    if (spec.wait !== 'api') waits.push(waitMasterReady(nodeName(machine), usesEtcd(spec), spec.timeoutMs))
    // Its old member leaves etcd only when the master before it has joined: one change of members at a time.
    const forget = forgetStep(world, machine, entry, before)
    const resumes = !forget && isStoppedMember(machine)
    const own = nodeSteps(
      { spec, world, node, machine, join: joinThrough(spec, world, machine, entry) },
      {
        needs: resumes ? [] : forget ? [...before, forget.id] : before,
        waits,
        warmUp: true,
        uploadAfter,
        restart: forget !== undefined,
      },
    )
    steps.push(...(forget ? [forget] : []), ...own)
    const start = stepId.start(machine)
    if (!own.some((step) => step.id === start)) continue
    if (!resumes) joining.push(start)
    if (!together) before = resumes ? [...before, start] : [start]
  }
  steps.push(...voteSteps(spec, { machine: entry.id, needs: answers, joining }))
  return { operation: 'run', name: spec.name, runtime: 'k3s', steps, summary: summarize(steps) }
}

/**
 * A member of etcd whose service is stopped changes no membership by starting. It must not wait for another master to be
 * ready: where a majority is stopped, none is ready before they have all been started.
 */
function isStoppedMember({ installed }: MachineWorld): boolean {
  return installed.initialized && !installed.active && installed.role === 'master'
}

/** Whether the cluster is only being created: no master of it was ever seen ready. */
function isNew(spec: ClusterSpec, world: World): boolean {
  return mastersOf(spec, world).every(({ installed }) => !installed.initialized && !installed.apiReady)
}

/** Steps after which others can join through the entry. */
function answering(spec: ClusterSpec, world: World, entry: MachineWorld): string[] {
  if (!world.secrets.has('join-token')) return [ANSWERS]
  return isAsWanted({ spec, world, node: entry.node, machine: entry }) ? [] : [stepId.start(entry)]
}

/** Steps of the entry that must be done before another master starts; none where it is ready already. */
function gate(spec: ClusterSpec, world: World, entry: MachineWorld): string[] {
  const needs = isAsWanted({ spec, world, node: entry.node, machine: entry })
    ? []
    : [spec.wait === 'none' ? stepId.start(entry) : stepId.ready(entry)]
  return world.secrets.has('join-token') ? needs : [...needs, ANSWERS]
}
