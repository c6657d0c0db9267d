import { AirliftError, ERROR_CODES, type ErrorCode } from '../core/errors.js'
import { redact, type Secret } from '../core/secret.js'
import type { Machine, RunResult } from '../machine/machine.js'
import type { Action, Step } from './plan.js'

/** Reads the `@@fail`, `@@hint` and `@@log` lines of a compiled script and makes the error of the step. */
export function stepError(
  step: Step,
  actions: readonly Action[],
  machine: Machine,
  result: RunResult,
  secrets: Iterable<Secret>,
): AirliftError {
  const known = [...secrets]
  const lines = redact(result.stdout, known).split('\n')
  const last = (prefix: string): string | undefined =>
    lines.findLast((line) => line.startsWith(prefix))?.slice(prefix.length)
  const log = lines.filter((line) => line.startsWith('@@log ')).map((line) => line.slice(6))
  const hint = last('@@hint ')
  const failure = /^(\S+) (.*)$/s.exec(last('@@fail ') ?? '')
  const code =
    failure?.[1] !== undefined && failure[1] in ERROR_CODES ? (failure[1] as ErrorCode) : 'E_COMMAND'
  const action = actions[Number(last('@@action ') ?? 0)]
  const stderr = redact(result.stderr, known).trim().split('\n').filter(Boolean)
  const message =
    failure?.[2] ?? `${step.title}: ${action?.kind ?? 'script'} ended with exit code ${result.exitCode}`
  return new AirliftError(code, message, {
    machine: machine.name,
    log: log.length > 0 ? log : stderr.slice(-5),
    ...(hint ? { hint } : {}),
    data: { step: step.id, exitCode: result.exitCode },
  })
}
