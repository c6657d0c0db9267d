import { AirliftError } from '../../core/errors.js'
import { PREFLIGHT_CODES, type PreflightCode, preflightCodes } from './codes.js'
import type { Problem } from './problem.js'
import { problemLines } from './problem-lines.js'

/**
 * Checks the values of `--ignore`. Codes of warnings are taken: a check may become stricter.
 * @throws AirliftError E_USAGE for a code that does not exist or that nothing lets pass, listing those that can be ignored
 */
export function checkIgnore(ignore: readonly string[]): void {
  const known = (code: string): code is PreflightCode => Object.hasOwn(PREFLIGHT_CODES, code)
  const hint = `codes that can be ignored: ${preflightCodes.filter((code) => PREFLIGHT_CODES[code].ignorable && PREFLIGHT_CODES[code].severity === 'error').join(', ')}`
  const unknown = ignore.filter((code) => !known(code))
  if (unknown.length > 0)
    throw new AirliftError('E_USAGE', `--ignore does not know "${unknown.join('", "')}"`, { hint })
  const firm = ignore.find((code) => known(code) && !PREFLIGHT_CODES[code].ignorable)
  if (firm !== undefined)
    throw new AirliftError(
      'E_USAGE',
      `"${firm}" cannot be ignored: going on could not work, or would destroy something`,
      {
        hint,
      },
    )
}

/** The problems that refuse: errors which were not ignored, or cannot be. */
export function refusals(problems: readonly Problem[], ignore: readonly string[]): readonly Problem[] {
  return problems.filter(
    (entry) => entry.severity === 'error' && !(entry.ignorable && ignore.includes(entry.code)),
  )
}

/**
 * Refuses when any error is left that was not ignored. All problems of all machines are in the error's log and data.
 * @throws AirliftError E_PREFLIGHT or E_ENGINE_PRIVILEGE (exit 5); E_SPEC_INVALID (exit 2) where all that is wrong is a network
 * that was named; E_USAGE as {@link checkIgnore}
 */
export function refuse(problems: readonly Problem[], ignore: readonly string[]): void {
  checkIgnore(ignore)
  const errors = refusals(problems, ignore)
  const [first] = errors
  if (!first) return
  const machines = new Set(errors.map((entry) => entry.machine))
  const [only] = machines
  const codes = [...new Set(errors.filter((entry) => entry.ignorable).map((entry) => entry.code))]
  const one = errors.length === 1
  // An engine that may not run k3s at all has a code of its own, for scripts that then choose another one.
  const privilege = errors.some((entry) => /^engine-(rootless|privilege)$/.test(entry.code))
  const named = errors.every((entry) => /^network-(missing|automatic|ipv6)$/.test(entry.code))
  throw new AirliftError(
    privilege ? 'E_ENGINE_PRIVILEGE' : named ? 'E_SPEC_INVALID' : 'E_PREFLIGHT',
    one
      ? `${first.machine}: ${first.message} (${first.code})`
      : `${errors.length} problems on ${machines.size === 1 ? only : `${machines.size} machines`}; nothing was changed`,
    {
      ...(machines.size === 1 && only !== undefined ? { machine: only } : {}),
      log: one && problems.length === 1 ? [] : problemLines(problems, ignore),
      hint: [
        one ? first.fix : 'fix what is listed, then run the same command again',
        ...(codes.length > 0 ? [`to go on regardless: --ignore ${codes.join(',')}`] : []),
      ].join('\n'),
      data: { problems },
    },
  )
}
