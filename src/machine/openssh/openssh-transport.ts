import { mkdtemp, open, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { execa } from 'execa'
import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import type { MachineProcess, ProcessExit } from '../session/process.js'
import { tail } from '../session/sudo.js'
import type { ResolvedHost } from '../ssh/resolved-host.js'
import type { SshTransport } from '../ssh/ssh-transport.js'
import { opensshError } from './openssh-error.js'

/** What {@link createOpensshTransport} needs. */
export interface OpensshParts {
  readonly host: ResolvedHost
  /** Options of ssh, without the host. */
  readonly args: readonly string[]
  /** The host as the configuration knows it. */
  readonly alias: string
  readonly env: Readonly<Record<string, string>>
  /** The private directory, removed on close. */
  readonly dir: string
  readonly ctx: Context
}

/** Beyond ConnectTimeout, for key exchange, authentication and the commands of the configuration. */
const HANDSHAKE_MS = 60_000

/** A private directory with a short name, for control sockets and askpass. */
export function createPrivateDir(): Promise<string> {
  // A socket's path has room for 108 bytes; ssh adds 40 for %C and 17 while it creates it.
  const base = tmpdir().length <= 30 ? tmpdir() : '/tmp'
  return mkdtemp(join(base, 'airlift-'))
}

/**
 * Processes through OpenSSH's own client: one master connection, a channel of it for each process. Unlike ssh2 the client
 * tells neither signals (they are 255) nor the end of a script whose children keep its output open.
 */
export function createOpensshTransport(parts: OpensshParts): SshTransport {
  const { args, alias, env, dir, host, ctx } = parts
  const ssh = (extra: readonly string[], rest: readonly string[] = []): string[] => [
    ...args,
    ...extra,
    '--',
    alias,
    ...rest,
  ]

  const alive = async (): Promise<boolean> => {
    const { exitCode } = await execa('ssh', ssh(['-O', 'check']), { reject: false, stdin: 'ignore', env })
    return exitCode === 0
  }

  const connect = async (): Promise<void> => {
    // The master inherits stderr and lives on: with a pipe we would wait for it as long as it lives.
    const log = join(dir, 'master.log')
    const file = await open(log, 'w', 0o600)
    try {
      const result = await execa('ssh', ssh(['-f', '-N', '-T']), {
        stdin: 'ignore',
        stdout: 'ignore',
        stderr: { fd: file.fd } as never,
        env,
        reject: false,
        detached: true,
        cleanup: true,
        timeout: host.connectTimeoutMs + HANDSHAKE_MS,
        cancelSignal: ctx.signal,
      })
      if (result.exitCode === 0) return
      if (result.isCanceled) {
        throw new AirliftError('E_INTERRUPTED', 'interrupted', {
          machine: host.alias,
          cause: ctx.signal.reason,
        })
      }
      if (result.code === 'ENOENT') throw noSsh(host)
      const said = await readFile(log, 'utf8')
      throw await opensshError(host, result.timedOut ? `${said}\ntimed out` : said)
    } finally {
      await file.close()
    }
  }

  return {
    connect,
    async start(command): Promise<MachineProcess> {
      const child = execa('ssh', ssh(['-T'], [command]), {
        stdin: 'pipe',
        stdout: 'pipe',
        stderr: 'pipe',
        buffer: false,
        reject: false,
        encoding: 'buffer',
        detached: true,
        cleanup: true,
        env,
      })
      let said = ''
      child.stderr.on('data', (chunk: Buffer) => {
        said = `${said}${chunk.toString('utf8')}`.slice(-2_000)
      })
      const exit = child.then(async (result): Promise<ProcessExit> => {
        if (result.exitCode === undefined) return { kind: 'lost', reason: result.shortMessage ?? 'ssh ended' }
        // ssh's own failures are 255 too; the master tells them from a script that exits 255.
        if (result.exitCode === 255 && !(await alive()))
          return { kind: 'lost', reason: tail(said, 1)[0] ?? 'ssh ended' }
        return { kind: 'code', code: result.exitCode }
      })
      return {
        stdin: child.stdin,
        stdout: child.stdout,
        stderr: child.stderr,
        exit,
        drop: () => {
          child.kill('SIGTERM')
        },
      }
    },
    async interact(command, tty) {
      const result = await execa('ssh', ssh([tty ? '-tt' : '-T'], [command]), {
        stdio: 'inherit',
        reject: false,
        env,
      })
      return result.exitCode ?? 255
    },
    async close() {
      await execa('ssh', ssh(['-O', 'exit']), { reject: false, stdin: 'ignore', env, timeout: 5_000 })
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** The error for a computer without OpenSSH's client. */
export function noSsh(host: ResolvedHost): AirliftError {
  return new AirliftError(
    'E_UNSUPPORTED',
    `only OpenSSH's client can reach ${host.alias} (${host.needsOpenssh ?? 'as asked for'}), and there is no ssh here`,
    {
      machine: host.alias,
      hint: 'install the OpenSSH client, or use --transport ssh',
      exit: 1,
    },
  )
}
