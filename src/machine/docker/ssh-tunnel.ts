import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { execa } from 'execa'
import { AirliftError } from '../../core/errors.js'
import type { SshTarget } from './endpoint.js'

/** A socket of this computer that leads to an engine behind SSH. */
export interface SshTunnel {
  readonly socketPath: string
  /** Name or address of the other side, as ssh resolves it: published ports are reached there. */
  readonly host: string
  /** What ssh or docker on the other side last complained about. */
  lastError(): string | undefined
  /** Processes of ssh that were started for calls; the tests count with it. */
  readonly started: number
  close(): Promise<void>
}

/** What {@link openSshTunnel} needs. */
export interface SshTunnelParts {
  readonly target: SshTarget
  /** For messages. */
  readonly url: string
  readonly signal: AbortSignal
  /** Environment of ssh: its agent, and where it is found. */
  readonly env: Readonly<Record<string, string | undefined>>
}

const CONNECT_SECONDS = 30
/** sshd takes 10 sessions per connection by default (MaxSessions); two are left to others. */
const SESSIONS = 8

/**
 * Opens the way to an engine behind SSH as docker's own client does, with `docker system dial-stdio` on the other side,
 * but over one connection that is made once: each call that needs a socket of its own is a session of it. Sockets that
 * are kept alive make most calls need none.
 * @throws AirliftError E_ENGINE_UNREACHABLE, E_INTERRUPTED
 */
export async function openSshTunnel(parts: SshTunnelParts): Promise<SshTunnel> {
  const { target, url, signal } = parts
  // A socket's path has room for 108 bytes; ssh adds 17 while it creates it.
  const dir = await mkdtemp(join(tmpdir().length <= 60 ? tmpdir() : '/tmp', 'airlift-engine-'))
  const control = join(dir, 'ssh')
  const options = { env: parts.env, extendEnv: false, reject: false } as const
  const args = (...own: string[]): string[] => [
    '-T',
    ...['-o', `ConnectTimeout=${CONNECT_SECONDS}`, '-o', 'ServerAliveInterval=15'],
    ...own,
    ...(target.user ? ['-l', target.user] : []),
    ...(target.port ? ['-p', String(target.port)] : []),
    '--',
    target.host,
  ]
  const fail = async (reason: string, cause?: unknown): Promise<never> => {
    await rm(dir, { recursive: true, force: true })
    if (signal.aborted) {
      throw new AirliftError('E_INTERRUPTED', 'interrupted', { machine: url, cause: signal.reason })
    }
    throw new AirliftError('E_ENGINE_UNREACHABLE', `no container engine answers at ${url}: ${reason}`, {
      machine: url,
      hint: `"ssh ${target.user ? `${target.user}@` : ''}${target.host} docker version" must work without a password`,
      cause,
    })
  }

  const master = execa('ssh', args('-o', 'ControlMaster=yes', '-o', `ControlPath=${control}`, '-N'), {
    ...options,
    stdin: 'ignore',
    stdout: 'ignore',
    stderr: 'pipe',
    cancelSignal: signal,
  })
  let masterEnd: { readonly stderr: string; readonly code?: string | undefined } | undefined
  void master.then((result) => {
    masterEnd = result
  })
  while (!existsSync(control)) {
    if (masterEnd?.code === 'ENOENT') return fail('there is no ssh on this computer')
    if (masterEnd) return fail(lastLine(masterEnd.stderr) ?? 'ssh ended without a reason')
    await sleep(10)
  }

  let channels = 0
  let started = 0
  let complaint: string | undefined
  const sockets = new Set<Socket>()
  const docker = target.socketPath ? ['docker', '--host', `unix://${target.socketPath}`] : ['docker']
  const dial = (socket: Socket): void => {
    channels++
    started++
    sockets.add(socket)
    // Beyond what one connection takes, a further one is made for the call.
    const way = channels <= SESSIONS && !masterEnd ? control : 'none'
    const own = args('-o', 'ControlMaster=no', '-o', `ControlPath=${way}`)
    const child = execa('ssh', [...own, ...docker, 'system', 'dial-stdio'], {
      ...options,
      stdin: 'pipe',
      stdout: 'pipe',
      stderr: 'pipe',
      buffer: { stdout: false },
      encoding: 'buffer',
    })
    socket.on('error', () => child.kill('SIGTERM'))
    socket.on('close', () => child.kill('SIGTERM'))
    for (const stream of [child.stdin, child.stdout]) stream.on('error', () => socket.destroy())
    socket.pipe(child.stdin)
    child.stdout.pipe(socket)
    void child.then((result) => {
      channels--
      sockets.delete(socket)
      if (result.exitCode !== 0 && !socket.destroyed) {
        complaint = lastLine(Buffer.from(result.stderr ?? '').toString('utf8')) ?? complaint
        socket.destroy()
      }
    })
  }
  const server = createServer({ allowHalfOpen: true }, dial)
  const socketPath = join(dir, 'engine')
  await new Promise<void>((resolve, reject) => {
    server.on('error', reject)
    server.listen(socketPath, resolve)
  })
  const resolved = await execa('ssh', ['-G', ...args()], { ...options, stdin: 'ignore' })
  const host = /^hostname (.+)$/m.exec(resolved.stdout)?.[1] ?? target.host

  return {
    socketPath,
    host,
    lastError: () => complaint,
    get started() {
      return started
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      master.kill('SIGTERM')
      await master
      await rm(dir, { recursive: true, force: true })
    },
  }
}

function lastLine(text: string): string | undefined {
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .at(-1)
}
