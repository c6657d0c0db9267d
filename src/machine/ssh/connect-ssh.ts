import type { Duplex } from 'node:stream'
import type { Client } from 'ssh2'
import type { SshOptions } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import { listAgentKeys } from './agent-keys.js'
import { createAuthenticator, orderCandidates } from './authenticate.js'
import { handshake } from './dial.js'
import { createHostKeyCheck } from './host-key-check.js'
import type { KeyStore } from './key-store.js'
import type { ResolvedHost } from './resolved-host.js'
import { hostPort } from './resolved-host.js'
import type { SecretSource } from './secret-source.js'

/** What connections of one operation share. */
export interface SshShared {
  readonly options: SshOptions
  readonly ctx: Context
  readonly secrets: SecretSource
  readonly keys: KeyStore
}

/** Connects and authenticates over a stream that reaches the host. @throws what {@link handshake} throws */
export async function connectSsh(host: ResolvedHost, socket: Duplex, shared: SshShared): Promise<Client> {
  const { ctx, secrets, keys, options } = shared
  // The host may hang up while keys are read, as a busy sshd does: without a listener that would end the process.
  socket.on('error', () => {})
  const files = await Promise.all(host.identityFiles.map((file) => keys.load(file)))
  const agent = host.identityAgent === undefined ? [] : await listAgentKeys(host.identityAgent)
  const skipped: string[] = []
  for (const { file, problem } of files) {
    if (problem === undefined || (problem === 'not found' && !host.identitiesNamed)) continue
    skipped.push(`${file} (${problem})`)
  }
  const who = `${host.user}@${hostPort(host.hostName, host.port)}`
  const mayUsePassword = options.askPass || secrets.given('ssh-password')
  const auth = createAuthenticator({
    host,
    candidates: orderCandidates(files, agent, host.identitiesOnly),
    skipped,
    password: mayUsePassword ? () => secrets.sshPassword(who) : undefined,
  })
  const hostKey = await createHostKeyCheck(host, ctx.events)
  const client = await handshake(host, { socket, hostKey, auth, signal: ctx.signal })
  ctx.events.emit({
    level: 'debug',
    code: 'machine.connected',
    message: `connected to ${who}`,
    machine: host.alias,
  })
  return client
}

/**
 * A stream to `target` through a connected bastion.
 * @throws AirliftError E_SSH_UNREACHABLE, also when the bastion gets no answer in time; E_INTERRUPTED
 */
export function openThrough(
  bastion: Client,
  via: string,
  target: ResolvedHost,
  signal: AbortSignal,
): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const finish = (settle: () => void): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    const fail = (reason: string, cause?: unknown): void =>
      finish(() => reject(notThrough(via, target, reason, cause)))
    const onAbort = (): void =>
      finish(() =>
        reject(
          new AirliftError('E_INTERRUPTED', 'interrupted', { machine: target.alias, cause: signal.reason }),
        ),
      )
    const timer = setTimeout(
      () => fail(`no answer within ${target.connectTimeoutMs / 1000} s`),
      target.connectTimeoutMs,
    )
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      bastion.forwardOut('127.0.0.1', 0, target.hostName, target.port, (error, channel) => {
        if (error) fail(error.message, error)
        else finish(() => resolve(channel))
      })
    } catch (error) {
      // ssh2 throws when the bastion's connection has just gone.
      fail(error instanceof Error ? error.message : String(error), error)
    }
  })
}

function notThrough(via: string, target: ResolvedHost, reason: string, cause: unknown): AirliftError {
  const at = hostPort(target.hostName, target.port)
  return new AirliftError('E_SSH_UNREACHABLE', `the bastion ${via} cannot reach ${at}: ${reason}`, {
    machine: target.alias,
    hint: `check with "ssh -W ${at} ${via}"; the bastion's sshd must allow TCP forwarding`,
    cause,
    data: { host: target.hostName, port: target.port, via },
  })
}
