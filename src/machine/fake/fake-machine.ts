import { createHash } from 'node:crypto'
import { AirliftError } from '../../core/errors.js'
import type { Machine, PutRequest, RunOptions, RunResult } from '../machine.js'

/** What a scripted answer is: text for stdout, a result, or an error to throw. */
export type FakeReply = string | Partial<RunResult> | Error

/** What a rule's function is told. */
export interface FakeCall {
  readonly script: string
  readonly options: RunOptions
  /** What was sent as data, read to its end. */
  readonly stdin: Buffer
}

/** One expected script: it matches when `match` is a part of the script, or matches as a regular expression. */
export interface FakeRule {
  readonly match: string | RegExp
  readonly reply?: FakeReply
  readonly fn?: (call: FakeCall) => FakeReply | Promise<FakeReply>
  /** How often it may match; later rules are tried after that. Default: without end. */
  readonly times?: number
}

/** What a fake machine is told. */
export interface FakeOptions {
  readonly id?: string
  readonly name?: string
  readonly on?: readonly FakeRule[]
}

/** A put as it arrived. */
export interface FakePut {
  readonly path: string
  readonly mode: string
  readonly content: Buffer
}

/** A scripted machine: what it was told is on record, and what it did not expect fails the test. */
export interface FakeMachine extends Machine {
  readonly kind: 'fake'
  /** Scripts in the order in which they arrived, also the unexpected. */
  readonly scripts: readonly string[]
  readonly calls: readonly FakeCall[]
  readonly puts: readonly FakePut[]
  /** The latest content per path. */
  readonly files: ReadonlyMap<string, FakePut>
  readonly closed: boolean
  /** Adds a rule ahead of the others. */
  on(rule: FakeRule): void
  /** Loses the connection: the next `count` runs and puts reject with E_SSH_LOST, unless they may be repeated. Default 1. */
  loseConnection(count?: number): void
  /** Throws when an unexpected script arrived, even if the code under test swallowed the error. Call it at the end. */
  verify(): void
}

/** Makes a fake machine. An unexpected script throws and is remembered for {@link FakeMachine.verify}. */
export function createFakeMachine(options: FakeOptions = {}): FakeMachine {
  const id = options.id ?? 'ssh://root@fake:22'
  const name = options.name ?? id
  const rules = (options.on ?? []).map((rule) => ({ rule, left: rule.times ?? Number.POSITIVE_INFINITY }))
  const calls: FakeCall[] = []
  const puts: FakePut[] = []
  const files = new Map<string, FakePut>()
  const unexpected: string[] = []
  const stats = { roundTrips: 0, bytesSent: 0 }
  let losses = 0
  let closed = false

  const lose = (mayRepeat: boolean): void => {
    while (losses > 0) {
      losses--
      stats.roundTrips++
      if (!mayRepeat)
        throw new AirliftError('E_SSH_LOST', 'the connection was lost: on demand', { machine: name })
      mayRepeat = false
    }
  }
  const checkSignal = (signal: AbortSignal | undefined): void => {
    if (signal?.aborted)
      throw new AirliftError('E_INTERRUPTED', 'interrupted', { machine: name, cause: signal.reason })
  }

  const run = async (script: string, runOptions: RunOptions = {}): Promise<RunResult> => {
    checkSignal(runOptions.signal)
    lose(runOptions.idempotent === true)
    stats.roundTrips++
    const stdin = await readAll(runOptions.stdin)
    stats.bytesSent += stdin.length
    const call = { script, options: runOptions, stdin }
    calls.push(call)
    const found = rules.find((entry) => entry.left > 0 && matches(entry.rule.match, script))
    if (!found) {
      unexpected.push(script)
      throw new Error(`unexpected script on ${name}:\n${script}`)
    }
    found.left--
    const reply = found.rule.fn ? await found.rule.fn(call) : (found.rule.reply ?? '')
    if (reply instanceof Error) throw reply
    const result = {
      exitCode: 0,
      stdout: '',
      stderr: '',
      ...(typeof reply === 'string' ? { stdout: reply } : reply),
    }
    if (runOptions.onLine) for (const line of lines(result.stdout)) runOptions.onLine(line)
    return result
  }

  const put = async (request: PutRequest): Promise<void> => {
    checkSignal(request.signal)
    lose(true)
    stats.roundTrips++
    const content = await readAll(request.open())
    stats.bytesSent += content.length
    request.onProgress?.(content.length)
    const digest = createHash('sha256').update(content).digest('hex')
    if (digest !== request.sha256 || content.length !== request.sizeBytes) {
      throw new AirliftError(
        'E_DIGEST_MISMATCH',
        `${request.path} arrived as sha256 ${digest}, not ${request.sha256}`,
        {
          machine: name,
          hint: 'verify the source',
        },
      )
    }
    const file = { path: request.path, mode: request.mode, content }
    puts.push(file)
    files.set(request.path, file)
  }

  return {
    id,
    name,
    kind: 'fake',
    get stats() {
      return { ...stats }
    },
    get scripts() {
      return calls.map((call) => call.script)
    },
    calls,
    puts,
    files,
    get closed() {
      return closed
    },
    on: (rule) => {
      rules.unshift({ rule, left: rule.times ?? Number.POSITIVE_INFINITY })
    },
    loseConnection: (count = 1) => {
      losses = count
    },
    verify: () => {
      if (unexpected.length > 0)
        throw new Error(`unexpected scripts on ${name}:\n${unexpected.join('\n---\n')}`)
    },
    run,
    put,
    async close() {
      closed = true
    },
  }
}

function matches(match: string | RegExp, script: string): boolean {
  return typeof match === 'string'
    ? script.includes(match)
    : new RegExp(match.source, match.flags.replace(/[gy]/g, '')).test(script)
}

function lines(text: string): string[] {
  return text
    .replace(/\n$/, '')
    .split('\n')
    .filter((line, _index, all) => line !== '' || all.length > 1)
}

async function readAll(source: RunOptions['stdin']): Promise<Buffer> {
  if (source === undefined) return Buffer.alloc(0)
  if (typeof source === 'string' || Buffer.isBuffer(source)) return Buffer.from(source)
  const chunks: Buffer[] = []
  for await (const chunk of source) chunks.push(Buffer.from(chunk))
  return Buffer.concat(chunks)
}
