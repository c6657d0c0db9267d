import type { ClusterSpec } from '../../cluster/spec.js'
import { type Plan, type Step, summarize } from '../../plan/plan.js'
import type { MachineWorld, World } from '../runtime.js'
import { nodeName } from './config.js'
import { uninstallScript } from './uninstall.js'

/**
 * Removes k3s and everything of airlift from every machine of the cluster. Workers and masters go at the same time: the
 * whole cluster ends, so there is nothing to drain to and no quorum to keep.
 */
export function planReset(spec: ClusterSpec, world: World): Plan {
  const steps = world.machines
    .filter((machine) => hasSomething(machine))
    .map((machine) => resetStep(machine, world, spec.timeoutMs))
  return { operation: 'reset', name: spec.name, runtime: 'k3s', steps, summary: summarize(steps) }
}

/** Whether there is anything of airlift or k3s to remove. Also true for a machine where only an upload had begun. */
export function hasSomething({ facts, installed }: MachineWorld): boolean {
  const { managed } = facts
  return (
    installed.role !== undefined ||
    installed.cluster !== undefined ||
    managed.blobs.length > 0 ||
    managed.files.length > 0 ||
    managed.journal.length > 0 ||
    (managed.fragments['k3s-remains'] ?? '').trim() !== ''
  )
}

function resetStep(machine: MachineWorld, world: World, timeoutMs: number): Step {
  return {
    id: `${nodeName(machine)}/reset`,
    machine: machine.id,
    title: `remove k3s from ${machine.name}`,
    needs: [],
    effect: 'remove',
    journal: false,
    actions: [{ kind: 'script', script: uninstallScript(world), timeoutMs }],
  }
}
