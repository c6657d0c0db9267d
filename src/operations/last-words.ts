import { AirliftError, type ErrorCode } from '../core/errors.js'
import type { EngineContainer } from '../machine/docker/engine.js'

/** What a log says that never gets better, and what to do about it. */
export type ExplainLog = (
  log: string,
) => { readonly code: ErrorCode; readonly message: string; readonly hint: string } | undefined

/** The remedy where nothing is known but that the log may tell. */
export const seeLog = (container: string): string => `see its whole log: docker logs ${container}`

/** So many restarts in one wait mean that the node cannot start; one that joins may need one or two. */
export const RESTARTS = 5

const TELLING = /level=(fatal|error)|^panic|^F[0-9]{4} |unknown flag|airlift-/
/** k3s answers its own early questions so, at every start, and calls it an error. */
const ALWAYS = /503 response to 127\.0\.0\.1/
const SHOWN = 6
const WIDTH = 300

/** The lines of a log that tell why k3s ended or does not go on: the last that say so, else the last. */
function tellingLines(log: readonly string[]): string[] {
  const telling = log.filter((line) => TELLING.test(line) && !ALWAYS.test(line))
  return (telling.length > 0 ? telling : log).slice(-SHOWN).map((line) => line.slice(0, WIDTH))
}

/**
 * Why k3s has ended in a container: the known cause in the log of its last start, which no waiting heals (`final`), else its
 * last words. Those may be of a start before the last, so that the `log` should reach back.
 */
export function explainEnd(
  container: EngineContainer,
  restarts: number,
  log: readonly string[],
  explain: ExplainLog,
): { readonly error: AirliftError; readonly final: boolean } {
  const known = explain(log.join('\n'))
  const details = { machine: container.name, log: tellingLines(log) }
  if (known)
    return {
      final: true,
      error: new AirliftError(known.code, known.message, { ...details, hint: known.hint }),
    }
  const { name, state, exitCode } = container
  const message =
    state === 'exited' || state === 'dead'
      ? `k3s ended with exit code ${exitCode} in ${name}, and the container with it`
      : `k3s has ended ${restarts} times in ${name}`
  return { final: false, error: new AirliftError('E_START', message, { ...details, hint: seeLog(name) }) }
}

/** What was waited for too long, with the cause where the log tells it: something else may have been waited for first. */
export function explainLate(
  container: string,
  wait: { readonly what: string; readonly timeoutMs: number },
  log: readonly string[],
  explain: ExplainLog,
): AirliftError {
  const known = explain(log.join('\n'))
  const late = `not done after ${Math.ceil(wait.timeoutMs / 1000)} s: ${wait.what}`
  return new AirliftError('E_TIMEOUT', known ? `${late}: ${known.message}` : late, {
    machine: container,
    log: tellingLines(log),
    hint: known?.hint ?? seeLog(container),
  })
}
