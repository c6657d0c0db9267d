import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { AirliftError } from '../../core/errors.js'
import type { Secret } from '../../core/secret.js'
import type { RunResult } from '../machine.js'
import type { Source } from './feed.js'
import { feed } from './feed.js'
import type { Output } from './output.js'
import { createOutput } from './output.js'
import type { MachineProcess, ProcessExit, Transport } from './process.js'
import { sudoError, tail, wrongSudoPassword } from './sudo.js'
import type { Elevation } from './wire.js'
import { BOOT, body, createNonce, elevationLine, killScript, readyWord, sudoPrompt } from './wire.js'

const { signals } = constants

/** One script to run. */
export interface SessionRequest {
  readonly script: string
  readonly elevation: Elevation
  readonly data?: Source
  /** 0 is no deadline. */
  readonly timeoutMs: number
  readonly signal: AbortSignal
  readonly sudoPassword: () => Promise<Secret>
  readonly maxOutputBytes: number
  readonly onLine?: (line: string) => void
  /** Called with the script's stderr so far, for uploads that may stop early. Returns true to stop feeding. */
  readonly onError?: (text: string) => boolean
  readonly onBytes: (count: number) => void
  /** The machine's name for errors. */
  readonly machine: string
}

/** How long a killed script may take to be gone before its connection is let go. */
const KILL_GRACE_MS = 6_000
/** How long a script that is to be killed may take to start. */
const START_GRACE_MS = 4_000

/**
 * Runs one script over a transport.
 * @throws AirliftError E_TIMEOUT, E_INTERRUPTED, E_SUDO, E_SSH_LOST, E_COMMAND and what `transport.start` throws
 */
export async function runSession(transport: Transport, request: SessionRequest): Promise<RunResult> {
  const { machine, signal } = request
  if (signal.aborted) throw interrupted(machine, signal.reason)
  const killer = async (script: string): Promise<void> => {
    const { data: _data, onLine: _onLine, onError: _onError, ...rest } = request
    const child = await transport.start(BOOT)
    const own = new AbortController()
    const kill = { ...rest, script, signal: own.signal, timeoutMs: KILL_GRACE_MS, onBytes: () => {} }
    await new Session(child, kill, undefined).run()
  }
  const child = await transport.start(BOOT)
  return new Session(child, request, killer).run()
}

/** The state of one script that runs. */
class Session {
  readonly child: MachineProcess
  readonly #request: SessionRequest
  readonly #killer: ((script: string) => Promise<void>) | undefined
  readonly #nonce = createNonce()
  readonly #stop = new AbortController()
  #session: number | undefined
  #failure: unknown
  #fail: (error: unknown) => void = () => {}
  #sent = false
  #onStarted: () => void = () => {}
  readonly #hasStarted = new Promise<void>((resolve) => {
    this.#onStarted = resolve
  })
  #answered = false
  #asking = false

  constructor(
    child: MachineProcess,
    request: SessionRequest,
    killer: ((script: string) => Promise<void>) | undefined,
  ) {
    this.child = child
    this.#request = request
    this.#killer = killer
  }

  async run(): Promise<RunResult> {
    const request = this.#request
    const marker = `${this.#nonce} go`
    const failed = new Promise<'failed'>((resolve) => {
      this.#fail = (error) => {
        this.#failure ??= error
        resolve('failed')
      }
    })
    const stdout = createOutput({
      marker,
      maxBytes: request.maxOutputBytes,
      onStart: (rest) => this.#started(rest),
      onNoise: (noise) => this.#maySend(noise),
      onOverflow: () => this.#fail(tooMuchOutput(request)),
      ...(request.onLine ? { onLine: request.onLine } : {}),
    })
    const stderr = createOutput({ marker, onNoise: (noise) => this.#answer(noise) })
    const { child } = this
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => {
      stderr.push(chunk)
      if (stderr.started && request.onError?.(stderr.text())) this.#endInput()
    })
    // A pipe that broke is explained by how the process ended.
    child.stdin.on('error', () => this.#stop.abort())
    for (const stream of [child.stdout, child.stderr]) stream.on('error', () => {})
    child.stdin.write(`${elevationLine(this.#nonce, request.elevation)}\n`)
    if (!this.#mayAsk) this.#send()

    const exit = await this.#settle(failed)
    this.#stop.abort()
    if (exit === 'failed') {
      await this.#kill()
      throw this.#failure
    }
    stdout.end()
    return this.#result(exit, stdout, stderr)
  }

  /** Waits for the end, the deadline, the caller's abort or a failure of ours. */
  async #settle(failed: Promise<'failed'>): Promise<ProcessExit | 'failed'> {
    const { timeoutMs, signal, machine } = this.#request
    const onAbort = (): void => this.#fail(interrupted(machine, signal.reason))
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    const timer = setInterval(() => {
      // While the user types a password the clock stands still.
      if (!this.#asking) this.#fail(timedOut(machine, timeoutMs))
    }, timeoutMs || 1_000_000)
    if (timeoutMs === 0) clearInterval(timer)
    try {
      return await Promise.race([this.child.exit, failed])
    } finally {
      clearInterval(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }

  get #mayAsk(): boolean {
    return this.#request.elevation.endsWith('password')
  }

  /** Sends the script and the data. */
  #send(): void {
    if (this.#sent) return
    this.#sent = true
    const { script, data, onBytes } = this.#request
    this.child.stdin.write(body(this.#nonce, script, data !== undefined))
    if (data === undefined) this.child.stdin.end()
    else feed(this.child.stdin, data, this.#stop.signal, onBytes).catch((error: unknown) => this.#fail(error))
  }

  #maySend(noise: string): void {
    if (this.#mayAsk && noise.includes(readyWord(this.#nonce))) this.#send()
  }

  /** Answers sudo's first prompt; a second one says that the answer was wrong. */
  #answer(noise: string): void {
    if (!this.#mayAsk || this.#sent) return
    const prompts = noise.split(sudoPrompt(this.#nonce)).length - 1
    if (prompts > 1) this.#fail(wrongSudoPassword(this.#request.machine))
    if (prompts < 1 || this.#answered) return
    this.#answered = true
    this.#asking = true
    this.#request
      .sudoPassword()
      .then((password) => this.child.stdin.write(`${password.reveal()}\n`))
      .catch((error: unknown) => this.#fail(error))
      .finally(() => {
        this.#asking = false
      })
  }

  #endInput(): void {
    this.#stop.abort()
    this.child.stdin.end()
  }

  #started(rest: string): void {
    const session = Number.parseInt(rest, 10)
    if (Number.isInteger(session) && session > 1) this.#session = session
    this.#onStarted()
  }

  /** Ends the script and its children on the machine, then this end of it. */
  async #kill(): Promise<void> {
    // A script that was sent but did not say that it started may start yet: it is waited for, or nobody would end it.
    if (this.#session === undefined && this.#sent && this.#killer) {
      await Promise.race([
        this.#hasStarted,
        this.child.exit,
        sleep(START_GRACE_MS, undefined, { ref: false }),
      ])
    }
    if (this.#session !== undefined && this.#killer) {
      const killed = this.#killer(killScript(this.#session)).catch(() => {})
      await Promise.race([killed, sleep(KILL_GRACE_MS, undefined, { ref: false })])
    }
    this.child.drop()
  }

  #result(exit: ProcessExit, stdout: Output, stderr: Output): RunResult {
    const { machine } = this.#request
    if (stdout.started) {
      if (exit.kind === 'lost') throw lost(machine, exit.reason)
      return { exitCode: exitCode(exit), stdout: stdout.text(), stderr: stderr.text() }
    }
    const said = stderr.noise()
    const refused = sudoError(stdout.noise(), said, this.#nonce, machine)
    if (refused) throw refused
    if (exit.kind === 'lost') throw lost(machine, exit.reason)
    throw new AirliftError('E_COMMAND', `the login shell did not start /bin/sh (exit ${exitCode(exit)})`, {
      machine,
      hint: 'log in with ssh as that user: the shell must be able to run "/bin/sh -c true"',
      log: tail(`${stdout.noise()}\n${said}`),
    })
  }
}

/** The exit status as a shell would tell it: a signal is 128 and its number. */
function exitCode(exit: ProcessExit): number {
  if (exit.kind === 'code') return exit.code
  if (exit.kind === 'lost') return 255
  const name = exit.signal.startsWith('SIG') ? exit.signal : `SIG${exit.signal}`
  return 128 + ((signals as Record<string, number>)[name] ?? 0)
}

function tooMuchOutput(request: SessionRequest): AirliftError {
  return new AirliftError('E_COMMAND', `the script wrote more than ${request.maxOutputBytes} bytes`, {
    machine: request.machine,
    hint: 'let the command write to a file on the machine instead',
  })
}

function lost(machine: string, reason: string): AirliftError {
  return new AirliftError('E_SSH_LOST', `the connection was lost: ${reason}`, {
    machine,
    hint: 'run the same command again: it goes on where it stopped',
  })
}

function timedOut(machine: string, timeoutMs: number): AirliftError {
  return new AirliftError('E_TIMEOUT', `the script did not end within ${timeoutMs / 1000} s`, {
    machine,
    hint: 'look at the load of the machine, or give more time with --timeout',
  })
}

function interrupted(machine: string, cause: unknown): AirliftError {
  return new AirliftError('E_INTERRUPTED', 'interrupted', { machine, cause })
}
