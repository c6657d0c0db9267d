import type { ChildProcess } from 'node:child_process'
import type { MachineProcess, ProcessExit, Transport } from '../session/process.js'
import { BOOT_ARGS } from '../session/wire.js'

/** Children that a script leaves running may hold its output open; it is over when it was silent for so long. */
const LINGER_MS = 1_000

/** Resolves when the process has ended and its output has been silent for a while. */
function lingered(child: Pick<ChildProcess, 'on' | 'stdout' | 'stderr'>): Promise<ProcessExit> {
  return new Promise((resolve) => {
    child.on('exit', (code, signal) => {
      const end: ProcessExit =
        code === null ? { kind: 'signal', signal: signal ?? 'SIGKILL' } : { kind: 'code', code }
      const timer = setTimeout(() => resolve(end), LINGER_MS)
      for (const stream of [child.stdout, child.stderr]) stream?.on('data', () => timer.refresh())
    })
  })
}

/** Starts the processes of the machine that airlift runs on. Each gets a session of its own, so that it can be ended with its children. */
export function createLocalTransport(): Transport {
  return {
    async start(): Promise<MachineProcess> {
      const { execa } = await import('execa')
      const child = execa('/bin/sh', [...BOOT_ARGS], {
        stdin: 'pipe',
        stdout: 'pipe',
        stderr: 'pipe',
        buffer: false,
        reject: false,
        encoding: 'buffer',
        detached: true,
        cleanup: true,
      })
      const exit = Promise.race([
        child.then((result): ProcessExit => {
          if (result.signal) return { kind: 'signal', signal: result.signal }
          if (result.exitCode === undefined) {
            return { kind: 'lost', reason: result.shortMessage ?? 'no exit status' }
          }
          return { kind: 'code', code: result.exitCode }
        }),
        lingered(child),
      ])
      return {
        stdin: child.stdin,
        stdout: child.stdout,
        stderr: child.stderr,
        exit,
        drop: () => {
          child.kill('SIGKILL')
        },
      }
    },
    async interact(command) {
      const { execa } = await import('execa')
      const result = await execa('/bin/sh', ['-c', command], { stdio: 'inherit', reject: false })
      return result.exitCode ?? 255
    },
    async close() {},
  }
}
