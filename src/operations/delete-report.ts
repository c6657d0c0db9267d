import type { NodeSpec } from '../cluster/spec.js'
import type { AirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import type { PlanResult } from '../plan/execute.js'
import type { Plan } from '../plan/plan.js'
import type { World } from '../runtime/runtime.js'
import { type MachineReport, type OperationReport, reportOf } from './report.js'

/** A machine whose node was taken out of the cluster, and which could not be cleaned. */
export interface Uncleaned {
  readonly id: string
  readonly shown: string
  readonly node: NodeSpec
  readonly error: AirliftError
  readonly message: string
  readonly hint: string
}

/** The machines that could not be reached, of those that were to leave. */
export function uncleanedOf(leaving: readonly NodeSpec[], world: World, result: PlanResult): Uncleaned[] {
  return leaving.flatMap((node) => {
    const lost = world.unreachable.find((entry) => entry.node === node)
    if (!lost) return []
    const own = result.steps.filter(({ step }) => step.subject === lost.id)
    const left = own.length > 0 && own.every(({ outcome }) => outcome === 'done')
    const shown = node.target.text
    return [
      {
        id: lost.id,
        shown,
        node,
        error: lost.error,
        message: `${shown} ${left ? 'is out of the cluster, but' : 'was not in the cluster any more, and'} was not cleaned: ${lost.error.message}`,
        hint: 'before it gets back to the network, remove k3s from it (k3s-uninstall.sh or k3s-agent-uninstall.sh), or run the same command again when it is back: it would join anew otherwise',
      },
    ]
  })
}

/** What became of the machines that were to leave. One that is out of the cluster and was not cleaned makes it partial. */
export function deleteReport(input: {
  readonly plan: Plan
  readonly result: PlanResult
  readonly leaving: readonly NodeSpec[]
  readonly world: World
  readonly connections: Iterable<Machine>
  readonly seconds: number
  readonly uncleaned: readonly Uncleaned[]
}): OperationReport {
  const { world, leaving, uncleaned, result } = input
  // Beside those that leave, machines are told of only where something failed on them.
  const failed = new Set(
    result.steps.filter((step) => step.outcome === 'failed').map(({ step }) => step.subject ?? step.machine),
  )
  const report = reportOf({
    ...input,
    machines: world.machines.filter((machine) => leaving.includes(machine.node) || failed.has(machine.id)),
    nodeName: (machine) => machine.facts.hostname.toLowerCase(),
  })
  if (uncleaned.length === 0) return report
  const lost = uncleaned.map(({ id, shown, node, error, message, hint }): MachineReport => {
    const step = result.steps.find((entry) => entry.outcome === 'failed' && entry.step.subject === id)
    const { code, log } = step?.error ?? error
    return {
      machine: id,
      node: shown,
      role: node.role,
      outcome: 'failed',
      error: { code, message: step?.error?.message ?? message, hint: step?.error?.hint ?? hint, log },
    }
  })
  const outcome = failed.size > 0 ? 'failed' : 'partial'
  return { ...report, outcome, machines: [...report.machines, ...lost] }
}
