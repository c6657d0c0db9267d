import type { AirliftError } from '../core/errors.js'
import { WAIT_LONGER } from '../plan/compile.js'
import { seeLog } from './last-words.js'
import type { MachineReport, OperationReport } from './report.js'
import { hinted } from './with-hint.js'

/** What became of what a failed operation had made. */
export interface Undone {
  /** Whether all of it is gone. */
  readonly removed: boolean
  /** What the user is told of it, as the end of a hint. */
  readonly told: string
}

/** The error of what was taken back: its hint tells so, and names no log that is gone. */
export function undoneError(error: AirliftError, undone: Undone): AirliftError {
  return hinted(error, hintOf(error, error.machine ?? '', undone))
}

/** The report of what was taken back. What `error` says is told with it, and no machine names a log that is gone. Pure. */
export function undoneReport(
  report: OperationReport,
  error: AirliftError | undefined,
  undone: Undone,
): OperationReport {
  const machines = report.machines.map((machine): MachineReport => {
    const own = machine.error
    if (!own) return machine
    const isFirst = own.code === error?.code && own.message === error.message
    if (!isFirst && !(undone.removed && isOfContainer(own.hint, machine.node))) return machine
    return { ...machine, error: { ...own, hint: hintOf(own, machine.node, undone) } }
  })
  return { ...report, outcome: 'failed', machines }
}

/** A container that is gone has no log, and there is nothing that could go on. */
function hintOf(
  { code, hint }: { readonly code: string; readonly hint?: string | null | undefined },
  container: string,
  { removed, told }: Undone,
): string {
  const useless = removed && isOfContainer(hint, container)
  if (!useless) return hint ? `${hint}\n${told}` : told
  const longer = code === 'E_TIMEOUT' ? '--timeout lets it wait longer\n' : ''
  return `${longer}${told}: docker logs ${container}`
}

function isOfContainer(hint: string | null | undefined, container: string): boolean {
  return hint === WAIT_LONGER || hint === seeLog(container)
}
