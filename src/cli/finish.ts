import { AirliftError } from '../core/errors.js'
import type { OperationReport } from '../operations/report.js'
import type { ActionIo } from './io.js'
import { renderError } from './render/error.js'
import { type ReportText, renderFailures, renderReport } from './render/report.js'

/**
 * Prints the result of a verb that changes machines and gives its exit code: 0 done or unchanged, 3 partial, and the code
 * of the error when it failed. With JSON a result that is not whole also holds `error`.
 */
export function finishOperation(
  io: ActionIo,
  report: OperationReport,
  error: AirliftError | undefined,
  text: ReportText & { readonly extra?: Readonly<Record<string, unknown>> } = {},
): number {
  // All steps were done, and yet what was read back is not what was asked for.
  const outcome = error && report.outcome !== 'partial' ? 'failed' : report.outcome
  const result: OperationReport = { ...report, outcome }
  if (io.json) {
    const whole = error && outcome === 'partial' ? partialError(result, error) : error
    io.printJson({ ...result, ...text.extra, ...(whole ? { error: errorJson(whole, result.machines) } : {}) })
  }
  if (error) {
    // What failed on machines is grouped by its cause; an error of the whole stands alone.
    const failures = renderFailures(result.machines, io.style.err)
    io.warn((failures || renderError(error, io)).trimEnd())
  }
  if (!io.json) io.print(renderReport(result, io.style.out, text))
  if (outcome === 'partial') return 3
  return outcome === 'failed' ? (error?.exit ?? 1) : 0
}

/** Each machine holds its own error; the whole has one that says how many. */
function partialError(report: OperationReport, first: AirliftError): AirliftError {
  const failed = report.machines.filter((machine) => machine.outcome === 'failed').length
  return new AirliftError('E_PARTIAL', `${failed} of ${report.machines.length} machines failed`, {
    hint: first.hint ?? 'repair what `machines` names, then run the same command again',
  })
}

/**
 * An error as every JSON document of airlift holds it. Its machine is named as `machines` names it, by its id, where it is one
 * of them: what failed may know it only by another of its names.
 */
export function errorJson(
  error: AirliftError,
  machines: readonly Named[] = [],
): Readonly<Record<string, unknown>> {
  return {
    code: error.code,
    message: error.message,
    hint: error.hint ?? null,
    machine: error.machine === undefined ? null : idOf(error.machine, machines),
    ...(error.log.length > 0 ? { log: error.log } : {}),
  }
}

type Named = Pick<OperationReport['machines'][number], 'machine' | 'node'>

/** The id of a machine that goes by this name: its node's, `host`, `user@host` or `host:port`. The name itself where none does. */
function idOf(name: string, machines: readonly Named[]): string {
  const bare = (text: string): string =>
    text
      .replace(/^[a-z]+:\/\//, '')
      .replace(/^[^@]*@/, '')
      .replace(/:22$/, '')
  const found = machines.filter(
    ({ machine, node }) => machine === name || node === name || bare(machine) === bare(name),
  )
  return found.length === 1 ? (found[0]?.machine ?? name) : name
}
