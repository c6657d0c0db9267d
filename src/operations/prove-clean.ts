import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import { checkClean } from '../runtime/clean/check-clean.js'
import type { Problem } from '../runtime/preflight/problem.js'
import type { MachineWorld } from '../runtime/runtime.js'
import type { MachineReport, OperationReport } from './report.js'

/** Looks at machines from which everything was removed. An empty list is the proof that nothing is left. */
export async function proveClean(machines: readonly Machine[], ctx: Context): Promise<Problem[]> {
  return (await Promise.all(machines.map((machine) => checkClean(machine, ctx)))).flat()
}

/** The error for what is left; undefined when nothing is. `verb` is the one that should have removed it. */
export function leftError(left: readonly Problem[], verb: 'reset' | 'delete'): AirliftError | undefined {
  const [first] = left
  if (!first) return undefined
  return new AirliftError('E_VERIFY', `${left.length} things are left after the ${verb}`, {
    machine: first.machine,
    log: left.slice(0, 10).map((problem) => `${problem.machine}: ${problem.message}`),
    hint: 'run the same command again; see airlift doctor --clean for the whole list',
  })
}

/** The report of a reset where the proof found something: a machine with remains has failed, whatever its steps said. Pure. */
export function withLeft(
  report: OperationReport,
  left: readonly Problem[],
  machines: readonly MachineWorld[],
): OperationReport {
  if (left.length === 0) return report
  const told = report.machines.map((entry): MachineReport => {
    const name = machines.find(({ id }) => id === entry.machine)?.name
    const error = leftError(
      left.filter(({ machine }) => machine === name),
      'reset',
    )
    if (!error || entry.outcome === 'failed') return entry
    const { code, message, hint = null, log } = error
    return { ...entry, outcome: 'failed', error: { code, message, hint, log } }
  })
  const failed = told.filter(({ outcome }) => outcome === 'failed').length
  const partial = failed > 0 && failed < told.length
  return { ...report, outcome: partial ? 'partial' : 'failed', machines: told }
}
