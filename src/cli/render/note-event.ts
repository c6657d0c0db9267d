import type { AirliftError } from '../../core/errors.js'
import type { AirliftEvent } from '../../core/events.js'

/** A text for people as a line of NDJSON: with --events, stderr holds nothing else. */
export function noteEvent(level: 'info' | 'warn', message: string): string {
  return line({ time: new Date().toISOString(), level, code: 'note', message })
}

/** The error that ended a command, as a line of NDJSON. */
export function errorEvent(error: AirliftError): string {
  const { message, machine, hint = null, log } = error
  return line({
    time: new Date().toISOString(),
    level: 'error',
    code: 'error',
    message,
    ...(machine === undefined ? {} : { machine }),
    data: { errorCode: error.code, exit: error.exit, hint, log },
  })
}

function line(event: AirliftEvent): string {
  return `${JSON.stringify(event)}\n`
}
