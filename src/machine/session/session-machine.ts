import { Readable } from 'node:stream'
import pLimit from 'p-limit'
import type { Context } from '../../core/context.js'
import { AirliftError, isAirliftError } from '../../core/errors.js'
import type { Secret } from '../../core/secret.js'
import { redact } from '../../core/secret.js'
import type {
  Machine,
  MachineKind,
  MachineStats,
  PutRequest,
  RunOptions,
  RunResult,
  UnpackRequest,
} from '../machine.js'
import type { Transport } from './process.js'
import { isHopeless, putError, putScript } from './put-file.js'
import type { SessionRequest } from './run-session.js'
import { runSession } from './run-session.js'
import type { Elevation } from './wire.js'
import { interactiveCommand } from './wire.js'

/** sshd's MaxSessions is 10 by default; two are left for ending scripts and for the user. */
const MAX_CHANNELS = 8
const DEFAULT_TIMEOUT_MS = 60_000
const DEFAULT_OUTPUT_BYTES = 16 << 20
/** An archive goes out in pieces of this size. */
const CHUNK = 1 << 20

/** How a machine gets root. */
export interface SudoPolicy {
  readonly mode: 'auto' | 'always' | 'never'
  /** Present when a password can be had: then sudo may ask for it. */
  readonly password?: () => Promise<Secret>
}

/** What a machine over a transport is made of. */
export interface SessionMachineParts {
  readonly id: string
  readonly name: string
  readonly kind: MachineKind
  readonly transport: Transport
  readonly sudo: SudoPolicy
  readonly ctx: Context
}

/** A machine that runs everything as sessions over one transport: over ssh2, OpenSSH's client, or on this computer. */
export function createSessionMachine(parts: SessionMachineParts): Machine {
  const { transport } = parts
  const limit = pLimit(MAX_CHANNELS)
  const stats = { roundTrips: 0, bytesSent: 0 }

  const session = (
    script: string,
    options: RunOptions,
    extra: Partial<SessionRequest>,
  ): Promise<RunResult> => {
    stats.roundTrips++
    return runSession(transport, {
      script,
      elevation: elevation(parts.sudo, options.root ?? true),
      timeoutMs: options.timeoutMs ?? DEFAULT_TIMEOUT_MS,
      signal: options.signal ?? parts.ctx.signal,
      sudoPassword: parts.sudo.password ?? noPassword,
      maxOutputBytes: options.maxOutputBytes ?? DEFAULT_OUTPUT_BYTES,
      machine: parts.name,
      onBytes: (count) => {
        stats.bytesSent += count
      },
      ...(options.stdin === undefined ? {} : { data: options.stdin }),
      ...(options.onLine ? { onLine: options.onLine } : {}),
      ...extra,
    })
  }

  const run = async (script: string, options: RunOptions = {}): Promise<RunResult> => {
    const replayable =
      options.stdin === undefined || typeof options.stdin === 'string' || Buffer.isBuffer(options.stdin)
    const again = options.idempotent === true && replayable
    try {
      return await limit(() => onceMore(again, parts, () => session(script, options, {})))
    } catch (error) {
      throw isAirliftError(error) ? redacted(error, options.secrets ?? []) : error
    }
  }

  const put = async (request: PutRequest): Promise<void> => {
    const upload = async (): Promise<RunResult> => {
      const source = request.open()
      let sent = 0
      const onBytes = (count: number): void => {
        sent += count
        stats.bytesSent += count
        request.onProgress?.(sent)
      }
      const options: RunOptions = { timeoutMs: 0, ...(request.signal ? { signal: request.signal } : {}) }
      try {
        return await session(putScript(request), options, { data: source, onBytes, onError: isHopeless })
      } finally {
        source.destroy()
      }
    }
    const result = await limit(() => onceMore(true, parts, upload))
    const error = putError(request, result, parts.name)
    if (error) throw error
  }

  const unpack = async ({ directory, tar, signal = parts.ctx.signal }: UnpackRequest): Promise<void> => {
    stats.roundTrips++
    const counted = async function* (): AsyncGenerator<Buffer> {
      for await (const chunk of tar) {
        stats.bytesSent += chunk.length
        yield chunk
      }
    }
    const source = Readable.from(counted(), { objectMode: false, highWaterMark: CHUNK })
    // Without a listener an error of the source would end the process once nobody reads any more.
    source.on('error', () => {})
    const onAbort = (): void => {
      source.destroy(new AirliftError('E_INTERRUPTED', 'interrupted', { machine: parts.name }))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    try {
      await transport.unpack?.(directory, source)
    } finally {
      signal.removeEventListener('abort', onAbort)
      source.destroy()
    }
  }

  return {
    id: parts.id,
    name: parts.name,
    kind: parts.kind,
    get stats(): MachineStats {
      return { ...stats }
    },
    run,
    put,
    ...(transport.unpack ? { unpack: (request: UnpackRequest) => unpack(request) } : {}),
    interact: (command, options = {}) => {
      stats.roundTrips++
      const how = elevation(parts.sudo, options.root ?? true)
      return transport.interact(interactiveCommand(command, how), options.tty ?? false)
    },
    close: () => transport.close(),
  }
}

/** Does a thing a second time when the connection was lost and twice does no harm. */
async function onceMore<T>(
  allowed: boolean,
  parts: SessionMachineParts,
  attempt: () => Promise<T>,
): Promise<T> {
  try {
    return await attempt()
  } catch (error) {
    if (!allowed || !isAirliftError(error) || error.code !== 'E_SSH_LOST') throw error
    parts.ctx.events.emit({
      level: 'warn',
      code: 'machine.reconnect',
      message: `${error.message}; connecting again`,
      machine: parts.name,
    })
    return attempt()
  }
}

function elevation(sudo: SudoPolicy, root: boolean): Elevation {
  if (!root) return 'none'
  if (sudo.mode === 'never') return 'never'
  const base = sudo.mode === 'always' ? 'always' : 'sudo'
  return sudo.password ? `${base}-password` : base
}

function noPassword(): Promise<Secret> {
  return Promise.reject(new Error('no sudo password can be had'))
}

/** The same error without the secrets of the script. */
function redacted(error: AirliftError, secrets: readonly Secret[]): AirliftError {
  if (secrets.length === 0) return error
  const hide = (text: string): string => redact(text, secrets)
  Object.assign(error, { message: hide(error.message), log: error.log.map(hide) })
  return error
}
