import type { Duplex } from 'node:stream'
import { Client } from 'ssh2'
import { AirliftError } from '../../core/errors.js'
import type { Authenticator } from './authenticate.js'
import { coalesceWrites } from './coalesce.js'
import type { HostKeyCheck } from './host-key-check.js'
import type { ResolvedHost } from './resolved-host.js'
import { hostPort } from './resolved-host.js'
import { unreachable } from './socket.js'

/** How long key exchange and authentication may take; a bastion under load is slow. A prompt stops the clock. */
const HANDSHAKE_MS = 60_000

/** What a handshake needs beside the host. */
export interface HandshakeParts {
  readonly socket: Duplex
  readonly hostKey: HostKeyCheck
  readonly auth: Authenticator
  readonly signal: AbortSignal
}

/**
 * Does the SSH handshake over an open stream.
 * @throws AirliftError E_SSH_HOST_KEY, E_SSH_AUTH, E_SSH_UNREACHABLE, E_SSH_LOST, E_INTERRUPTED; an error of ssh2 with
 *   `level` "handshake" when the two ends have no algorithm in common
 */
export function handshake(host: ResolvedHost, parts: HandshakeParts): Promise<Client> {
  const { socket, hostKey, auth, signal } = parts
  const client = new Client()
  // Each channel listens while it is open.
  client.setMaxListeners(0)
  return new Promise((resolve, reject) => {
    let settled = false
    const finish = (error?: unknown): void => {
      if (settled) return
      settled = true
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      if (error === undefined) {
        // From here on errors are told to whoever uses a channel; without a listener they would end the process.
        client.on('error', () => {})
        resolve(client)
        return
      }
      client.on('error', () => {})
      client.destroy()
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void =>
      finish(new AirliftError('E_INTERRUPTED', 'interrupted', { machine: host.alias, cause: signal.reason }))
    const timer = setTimeout(() => {
      if (auth.waitsForUser()) timer.refresh()
      else finish(unreachable(host, 'HANDSHAKE_TIMEOUT'))
    }, HANDSHAKE_MS)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) onAbort()
    // What has ended already says nothing any more.
    if (socket.destroyed) finish(unreachable(host, 'ECONNRESET', socket.errored ?? undefined))
    if (settled) return
    client.on('ready', () => finish())
    client.on('error', (error: Error & { level?: string }) => {
      // A key that the agent will not sign with is passed over; the next one is tried.
      if (error.level === 'agent' && auth.failure() === undefined) return
      finish(hostKey.failure() ?? auth.failure() ?? translate(host, error, auth))
    })
    client.on('close', () => {
      finish(hostKey.failure() ?? auth.failure() ?? closedEarly(host))
    })
    client.connect({
      sock: coalesceWrites(socket) as never,
      username: host.user,
      readyTimeout: 0,
      keepaliveInterval: host.keepaliveMs,
      keepaliveCountMax: host.keepaliveCount,
      algorithms: { serverHostKey: hostKey.algorithms as never },
      hostVerifier: (key: Buffer, verify: (valid: boolean) => void) => {
        hostKey.verify(key).then(verify, () => verify(false))
      },
      authHandler: auth.handler as never,
    })
  })
}

function closedEarly(host: ResolvedHost): AirliftError {
  return new AirliftError(
    'E_SSH_LOST',
    `${hostPort(host.hostName, host.port)} closed the connection during the handshake`,
    {
      machine: host.alias,
      hint: 'sshd may be over its MaxStartups; wait a minute, run again, and look at the log of sshd',
    },
  )
}

function translate(host: ResolvedHost, error: Error & { level?: string }, auth: Authenticator): unknown {
  if (error.level === 'client-authentication') return auth.refused()
  if (error.level === 'client-socket')
    return unreachable(host, (error as NodeJS.ErrnoException).code ?? 'UNKNOWN', error)
  if (error.level === 'protocol' && /before handshake/.test(error.message))
    return unreachable(host, 'ECONNRESET', error)
  if (/too many authentication failures/i.test(error.message)) return auth.refused(error.message)
  if (error.level === 'handshake') return error
  return new AirliftError(
    'E_SSH_LOST',
    `the handshake with ${hostPort(host.hostName, host.port)} failed: ${error.message}`,
    {
      machine: host.alias,
      hint: 'try "ssh" to the host, or --transport openssh',
      cause: error,
    },
  )
}
