import type { PlanResult } from '../plan/execute.js'
import type { Step } from '../plan/plan.js'

/**
 * Those of `machines` that need not be looked into once an operation is over: it has made them, or has looked into them and
 * then left them alone.
 */
export function knownMachines(
  machines: readonly { readonly id: string }[],
  result: Pick<PlanResult, 'steps'>,
): ReadonlySet<string> {
  const touched = new Set(result.steps.map(({ step }) => step.machine))
  const alone = machines.map(({ id }) => id).filter((id) => !touched.has(id))
  return new Set([...alone, ...madeMachines(result)])
}

/** Containers that an operation has made and brought up: all that it had to do with them is done. Ids of their machines. */
export function madeMachines({ steps }: Pick<PlanResult, 'steps'>): ReadonlySet<string> {
  const unfinished = new Set(
    steps.filter(({ outcome }) => outcome !== 'done').map(({ step }) => step.machine),
  )
  const made = steps.map(({ step }) => step).filter(isMaking)
  return new Set(made.map(({ machine }) => machine).filter((machine) => !unfinished.has(machine)))
}

/** One that an earlier operation left half-made is completed, which is a change. */
function isMaking({ effect, actions }: Step): boolean {
  return (
    effect === 'create' && actions.some((action) => action.kind === 'container' && action.op === 'create')
  )
}
