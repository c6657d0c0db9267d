import type { AirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import type { PlanResult } from '../plan/execute.js'
import type { Plan } from '../plan/plan.js'
import type { MachineWorld } from '../runtime/runtime.js'

/** How one machine ended. */
export interface MachineReport {
  readonly machine: string
  readonly node: string
  /** `lb` where a load balancer was changed, which is no node. */
  readonly role: 'master' | 'worker' | 'lb'
  readonly outcome: 'changed' | 'unchanged' | 'failed'
  readonly error: {
    readonly code: string
    readonly message: string
    readonly hint: string | null
    readonly log: readonly string[]
  } | null
}

/** The result of every verb that changes machines; the JSON of the command line. */
export interface OperationReport {
  readonly operation: string
  readonly outcome: 'done' | 'unchanged' | 'partial' | 'failed'
  readonly name: string
  readonly seconds: number
  readonly bytesSent: number
  readonly steps: { readonly done: number; readonly skipped: number; readonly failed: number }
  readonly machines: readonly MachineReport[]
}

/** Verbs for which each machine stands for itself: the others are what they are to be without it. */
const SINGLE: ReadonlySet<string> = new Set(['add', 'delete', 'reset', 'stop'])

/** Sums up what a plan did. Pure. */
export function reportOf(input: {
  readonly plan: Plan
  readonly result: PlanResult
  readonly machines: readonly MachineWorld[]
  readonly connections: Iterable<Pick<Machine, 'stats'>>
  readonly seconds: number
  readonly nodeName: (machine: MachineWorld) => string
}): OperationReport {
  const { plan, result } = input
  const count = (outcome: string): number => result.steps.filter((step) => step.outcome === outcome).length
  const machines = input.machines.map((machine): MachineReport => {
    const own = result.steps.filter(({ step }) => (step.subject ?? step.machine) === machine.id)
    const failed = own.find((step) => step.outcome === 'failed')
    const undone = own.find((step) => step.outcome === 'skipped')
    const cause = failed ?? (undone ? rootCause(undone.step.id, result) : undefined)
    const outcome =
      failed || undone ? 'failed' : own.some((step) => step.step.effect) ? 'changed' : 'unchanged'
    return {
      machine: machine.id,
      node: input.nodeName(machine),
      role: machine.node.role,
      outcome,
      error: outcome === 'failed' ? describeError(cause?.error) : null,
    }
  })
  const bad = machines.filter((machine) => machine.outcome === 'failed').length
  const outcome =
    plan.steps.length === 0
      ? 'unchanged'
      : bad === 0
        ? 'done'
        : bad === machines.length || (!SINGLE.has(plan.operation) && masterFailed(machines))
          ? 'failed'
          : 'partial'
  let bytesSent = 0
  for (const connection of input.connections) bytesSent += connection.stats.bytesSent
  return {
    operation: plan.operation,
    outcome,
    name: plan.name,
    seconds: Math.round(input.seconds * 10) / 10,
    bytesSent,
    steps: { done: count('done'), skipped: count('skipped'), failed: count('failed') },
    machines,
  }
}

/** A cluster without its first master is not partly done. */
function masterFailed(machines: readonly MachineReport[]): boolean {
  const masters = machines.filter((machine) => machine.role === 'master')
  return masters.length > 0 && masters.every((machine) => machine.outcome === 'failed')
}

/** The failed step that a skipped one waited for, directly or through others. */
function rootCause(id: string, result: PlanResult): PlanResult['steps'][number] | undefined {
  const byId = new Map(result.steps.map((step) => [step.step.id, step]))
  const seen = new Set<string>()
  const queue = [id]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    if (seen.has(next)) continue
    seen.add(next)
    const step = byId.get(next)
    if (step?.outcome === 'failed') return step
    queue.push(...(step?.step.needs ?? []))
  }
  return undefined
}

/** An error as the report of a machine holds it. */
export function describeError(error: AirliftError | undefined): MachineReport['error'] {
  if (!error)
    return { code: 'E_INTERRUPTED', message: 'not reached', hint: 'run the same command again', log: [] }
  return { code: error.code, message: error.message, hint: error.hint ?? null, log: error.log }
}
