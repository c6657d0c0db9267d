import { spawn } from 'node:child_process'
import type { Readable } from 'node:stream'
import { AirliftError } from '../core/errors.js'
import type { Machine, RunResult } from '../machine/machine.js'
import { STATE_DIR } from '../machine/state-paths.js'

/** How a script is run in a test. */
export interface ShellMachineOptions {
  /** Takes the place of /var/lib/airlift. */
  readonly dir: string
  /** Program and arguments in front of `-c SCRIPT`. */
  readonly shell?: readonly string[]
  /** Directory with programs that go before those of the system. */
  readonly path?: string
  /** Ends the connection after so many bytes, the first time. */
  readonly loseAfter?: number
  /** Changes what is sent, the first time. */
  readonly garble?: (chunk: Buffer) => Buffer
}

/** A machine for staging alone: runs the script in a real shell, in a directory of the test. */
export function createShellMachine(options: ShellMachineOptions): Machine & { readonly runs: number } {
  let runs = 0
  const run: Machine['run'] = async (script, runOptions = {}) => {
    runs++
    const first = runs === 1
    const [program = '/bin/sh', ...args] = options.shell ?? []
    const text = script.replaceAll(STATE_DIR, options.dir)
    const child = spawn(program, [...args, '-c', text], {
      env: { PATH: `${options.path ? `${options.path}:` : ''}${process.env.PATH}` },
    })
    const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? 255)))
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk
    })
    child.stdin.on('error', () => {})
    let sent = 0
    let lost = false
    const feed = async (): Promise<void> => {
      for await (const chunk of (runOptions.stdin ?? []) as Readable) {
        const bytes = first && options.garble ? options.garble(chunk as Buffer) : (chunk as Buffer)
        sent += bytes.length
        lost = first && options.loseAfter !== undefined && sent > options.loseAfter
        if (lost) child.stdin.write(bytes.subarray(0, bytes.length - (sent - (options.loseAfter ?? 0))))
        if (lost || child.exitCode !== null) break
        if (!child.stdin.write(bytes)) {
          await new Promise<void>((resolve) => {
            child.stdin.once('drain', resolve)
            child.stdin.once('close', resolve)
            child.once('close', () => resolve())
          })
        }
      }
    }
    const failure = await feed().catch((error: unknown) => error)
    child.stdin.end()
    const result: RunResult = { exitCode: await ended, stdout, stderr }
    if (failure !== undefined) throw failure
    for (const line of stdout.split('\n')) runOptions.onLine?.(line)
    if (lost) throw new AirliftError('E_SSH_LOST', 'the connection was lost', { machine: 'shell' })
    return result
  }
  return {
    id: 'local://',
    name: 'shell',
    kind: 'fake',
    stats: { roundTrips: 0, bytesSent: 0 },
    get runs() {
      return runs
    },
    run,
    put: () => Promise.reject(new Error('not for tests')),
    async close() {},
  }
}
