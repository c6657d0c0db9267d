import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { type Action, type Plan, type Step, summarize } from '../../plan/plan.js'
import type { MachineWorld, World } from '../runtime.js'
import { nodeName, usesEtcd } from './config.js'
import { entryOf, founderOf, machineOf } from './first-master.js'
import { ANSWERS } from './init.js'
import { forgetStep } from './leftover-node.js'
import { firstUpload, joinThrough, knownNode, nodeSteps, stepId } from './node-steps.js'
import { refuseSharingSqlite } from './require-join.js'
import { waitApi, waitMasterReady } from './waits.js'

/**
 * Further masters: staged and installed side by side, started one after the other. Each waits until the one before it is
 * ready and a voting member of etcd, since etcd admits one new member at a time and must not lose its majority. Members that
 * were stopped start at once.
 */
export function planJoinMasters(spec: ClusterSpec, world: World, masters: readonly NodeSpec[]): Plan {
  refuseSharingSqlite(spec, world, masters)
  const entry = entryOf(spec, world)
  const founder = founderOf(spec, world)
  const uploadAfter = firstUpload(spec, world, founder)
  const steps: Step[] = []
  let before = founder === entry ? gate(spec, world, entry) : []
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
    if (own.some((step) => step.id === stepId.start(machine)))
      before = resumes ? [...before, stepId.start(machine)] : [stepId.start(machine)]
  }
  return { operation: 'run', name: spec.name, runtime: 'k3s', steps, summary: summarize(steps) }
}

/**
 * A member of etcd whose service is stopped changes no membership by starting. It must not wait for another master to be
 * ready: where a majority is stopped, none is ready before they have all been started.
 */
function isStoppedMember({ installed }: MachineWorld): boolean {
  return installed.initialized && !installed.active && installed.role === 'master'
}

/** Steps of the entry that must be done before another master starts; none where it is ready already. */
function gate(spec: ClusterSpec, world: World, entry: MachineWorld): string[] {
  const ready =
    entry.installed.apiReady &&
    knownNode(world, nodeName(entry))?.ready === true &&
    entry.installed.initialized
  const needs = ready ? [] : [spec.wait === 'none' ? stepId.start(entry) : stepId.ready(entry)]
  return world.secrets.has('join-token') ? needs : [...needs, ANSWERS]
}
