import type { ErrorCode } from '../../core/errors.js'
import type { SpecProblem } from '../problems.js'

/** Why the value of one option is refused. */
export interface OptionProblem {
  /** Default E_SPEC_INVALID. */
  readonly code?: ErrorCode
  /** What is wrong, with the wrong value; lower case, no period, no secrets. */
  readonly message: string
  /** What to write instead. */
  readonly hint: string
}

/** Whether the reading of an option failed. */
export function isOptionProblem(value: unknown): value is OptionProblem {
  return typeof value === 'object' && value !== null && 'message' in value && 'hint' in value
}

/** The problem with the flag that it is about. */
export function atFlag(flag: string, problem: OptionProblem): SpecProblem {
  return { code: problem.code ?? 'E_SPEC_INVALID', path: flag, message: problem.message, hint: problem.hint }
}
