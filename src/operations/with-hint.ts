import { AirliftError } from '../core/errors.js'

/** The same error with more to say about what to do. */
export function withHint(error: AirliftError, more: string): AirliftError {
  return hinted(error, error.hint === undefined ? more : `${error.hint}\n${more}`)
}

/** The same error with another hint. */
export function hinted(error: AirliftError, hint: string): AirliftError {
  return new AirliftError(error.code, error.message, {
    hint,
    ...(error.machine === undefined ? {} : { machine: error.machine }),
    log: error.log,
    ...(error.data === undefined ? {} : { data: error.data }),
    exit: error.exit,
    cause: error,
  })
}
