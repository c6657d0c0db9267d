import { PREFLIGHT_CODES, type PreflightCode, type Severity } from './codes.js'

/** One thing that would go wrong, or has been left, on one machine. */
export interface Problem {
  readonly code: PreflightCode
  readonly severity: Severity
  /** As the user wrote it; `this computer` for the operator's own. */
  readonly machine: string
  /** Lower case, no period, with the wrong value. */
  readonly message: string
  /** A command or a sentence. */
  readonly fix: string
  /** Whether `--ignore` lets it pass. */
  readonly ignorable: boolean
}

/** Makes a problem; severity and fix are the table's unless given. */
export function problem(
  code: PreflightCode,
  machine: string,
  message: string,
  more: { readonly fix?: string; readonly severity?: Severity } = {},
): Problem {
  const { severity, fix, ignorable } = PREFLIGHT_CODES[code]
  return {
    code,
    severity: more.severity ?? severity,
    machine,
    message,
    fix: more.fix ?? fix.replaceAll('`', '').replace(/\.$/, ''),
    ignorable,
  }
}
