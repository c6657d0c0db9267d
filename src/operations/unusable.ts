import type { AirliftError, ErrorCode } from '../core/errors.js'
import type { PreflightCode } from '../runtime/preflight/codes.js'

const CODES: Partial<Record<ErrorCode, PreflightCode>> = {
  E_SSH_AUTH: 'ssh-auth',
  E_SSH_HOST_KEY: 'ssh-host-key',
  E_SUDO: 'no-sudo',
  E_COMMAND: 'probe-failed',
}

/** What a machine that cannot be looked at counts as; `unreachable` where nothing more is known of the reason. */
export function unusableCode({ code }: AirliftError): PreflightCode {
  return CODES[code] ?? 'unreachable'
}

/** Whether a machine is there and does not let us in, or not become root; or a file here keeps us from asking it. */
export function isShut(error: AirliftError): boolean {
  return (
    error.code === 'E_LOCAL_FILE' || ['ssh-auth', 'ssh-host-key', 'no-sudo'].includes(unusableCode(error))
  )
}
