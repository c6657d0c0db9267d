/** What each error code means for the exit status and for retrying. The exit codes are those of docs/errors.md. */
interface CodeFacts {
  readonly exit: number
  /** True when the same attempt may succeed later. Authentication and host key errors never are: sshd punishes repeats. */
  readonly retryable: boolean
}

const code = (exit: number, retryable = false): CodeFacts => ({ exit, retryable })

/** Every error code of airlift. A new code is one line here and one paragraph in docs/errors.md. */
export const ERROR_CODES = {
  E_USAGE: code(2),
  E_SPEC_INVALID: code(2),
  E_HOST_INVALID: code(2),
  E_REGISTRIES_INVALID: code(2),
  E_CONFIG_INVALID: code(2),
  E_UNSUPPORTED: code(2),
  E_NO_CLUSTER: code(6),
  E_PREFLIGHT: code(5),
  E_FOREIGN_CLUSTER: code(5),
  E_REMOVE_REFUSED: code(2),
  E_TIMEOUT: code(4),
  E_PARTIAL: code(3),
  E_INTERRUPTED: code(130),
  E_DECLINED: code(1),
  E_INTERNAL: code(1),
  E_COMMAND: code(1),
  E_SSH_UNREACHABLE: code(1, true),
  E_SSH_LOST: code(1, true),
  E_SSH_AUTH: code(1),
  E_SSH_HOST_KEY: code(1),
  E_SSH_CONFIG: code(2),
  E_SUDO: code(1),
  E_DISK_FULL: code(1),
  E_READ_ONLY: code(1),
  E_DIGEST_MISMATCH: code(1, true),
  E_LOCAL_FILE: code(2),
  E_BUNDLE_INVALID: code(2),
  E_BUNDLE_DAMAGED: code(1),
  E_BUNDLE_RUNTIME: code(2),
  E_DOWNLOAD: code(1, true),
  E_OFFLINE: code(5),
  E_JOIN: code(1),
  E_START: code(1),
  E_VERIFY: code(1),
  E_MOUNT: code(1),
  E_KUBECONFIG: code(1),
  E_LOCKED: code(1, true),
  E_REFUSED: code(5),
  E_DRAIN: code(4),
  E_ENGINE: code(1),
  E_ENGINE_UNREACHABLE: code(1, true),
  E_ENGINE_CONFLICT: code(1),
  E_ENGINE_NOT_FOUND: code(1),
  E_ENGINE_PRIVILEGE: code(5),
  E_IMAGE_MISSING: code(5),
  E_IMAGE_INVALID: code(2),
} as const satisfies Record<string, CodeFacts>

/** The name of an error, stable across releases. */
export type ErrorCode = keyof typeof ERROR_CODES

/** What an error carries beside its code and message. */
export interface ErrorDetails {
  /** What to do about it: one sentence, imperative. */
  readonly hint?: string
  /** The machine that it happened on, as the user wrote it or as its id. */
  readonly machine?: string
  readonly cause?: unknown
  /** The last lines that explain it, such as a service's log. Shown below the message. */
  readonly log?: readonly string[]
  /** Facts for scripts; must hold no secrets. */
  readonly data?: Readonly<Record<string, unknown>>
  /** Overrides the exit code of the table. */
  readonly exit?: number
}

const BRAND = Symbol.for('airlift.error')

/** The one error class of airlift. Messages are lower case, have no period and contain the wrong value. */
export class AirliftError extends Error {
  readonly code: ErrorCode
  readonly hint: string | undefined
  readonly machine: string | undefined
  readonly log: readonly string[]
  readonly data: Readonly<Record<string, unknown>> | undefined
  readonly exit: number

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'AirliftError'
    this.code = code
    this.hint = details.hint
    this.machine = details.machine
    this.log = details.log ?? []
    this.data = details.data
    this.exit = details.exit ?? ERROR_CODES[code].exit
    Object.defineProperty(this, BRAND, { value: true })
  }

  /** Whether the same attempt may succeed later. */
  get retryable(): boolean {
    return ERROR_CODES[this.code].retryable
  }
}

/** Whether a value is an airlift error, also when two copies of the package are loaded. */
export function isAirliftError(value: unknown): value is AirliftError {
  return value instanceof Error && BRAND in value
}

/** Turns anything thrown into an airlift error; what is unknown becomes `fallback` (default `E_INTERNAL`). */
export function toAirliftError(value: unknown, fallback: ErrorCode = 'E_INTERNAL'): AirliftError {
  if (isAirliftError(value)) return value
  const message = value instanceof Error ? value.message : String(value)
  return new AirliftError(fallback, message, { cause: value })
}
