import { execa } from 'execa'
import type { MachineProcess, ProcessExit, Transport } from '../session/process.js'
import { BOOT_ARGS } from '../session/wire.js'

/** Starts the processes of the machine that airlift runs on. Each gets a session of its own, so that it can be ended with its children. */
export function createLocalTransport(): Transport {
  return {
    async start(): Promise<MachineProcess> {
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
      const exit = child.then((result): ProcessExit => {
        if (result.signal) return { kind: 'signal', signal: result.signal }
        if (result.exitCode === undefined)
          return { kind: 'lost', reason: result.shortMessage ?? 'no exit status' }
        return { kind: 'code', code: result.exitCode }
      })
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
      const result = await execa('/bin/sh', ['-c', command], { stdio: 'inherit', reject: false })
      return result.exitCode ?? 255
    },
    async close() {},
  }
}
