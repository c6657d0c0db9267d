import { Socket } from 'node:net'
import { AirliftError } from '../../core/errors.js'
import type { ResolvedHost } from './resolved-host.js'
import { hostPort } from './resolved-host.js'

/**
 * Opens a TCP connection with Nagle switched off (small packets of a script must not wait for each other).
 * @throws AirliftError E_SSH_UNREACHABLE with a sentence of its own for each cause; E_INTERRUPTED
 */
export function openSocket(host: ResolvedHost, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket()
    const done = (error?: unknown): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
      socket.removeAllListeners()
      if (error === undefined) {
        resolve(socket)
        return
      }
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const onAbort = (): void =>
      done(new AirliftError('E_INTERRUPTED', 'interrupted', { machine: host.alias, cause: signal.reason }))
    const timer = setTimeout(() => done(unreachable(host, 'ETIMEDOUT')), host.connectTimeoutMs)
    signal.addEventListener('abort', onAbort, { once: true })
    if (signal.aborted) {
      onAbort()
      return
    }
    socket.on('error', (error: NodeJS.ErrnoException) => done(unreachable(host, errorCode(error), error)))
    socket.on('connect', () => {
      socket.setNoDelay(true)
      done()
    })
    const family = host.addressFamily === 'inet' ? 4 : host.addressFamily === 'inet6' ? 6 : 0
    socket.connect({ host: host.hostName, port: host.port, family })
  })
}

/** The code of an error; of several addresses that all failed, the first one's. */
function errorCode(error: NodeJS.ErrnoException): string {
  if (error instanceof AggregateError) {
    return (error.errors as NodeJS.ErrnoException[]).find((each) => each.code)?.code ?? 'UNKNOWN'
  }
  return error.code ?? 'UNKNOWN'
}

/** The error for a host that does not answer, told by the code of the system. */
export function unreachable(host: ResolvedHost, code: string, cause?: unknown): AirliftError {
  const at = hostPort(host.hostName, host.port)
  const [message, hint] = sentence(host, code, at)
  return new AirliftError('E_SSH_UNREACHABLE', message, {
    machine: host.alias,
    hint,
    cause,
    data: { host: host.hostName, port: host.port, code },
  })
}

function sentence(host: ResolvedHost, code: string, at: string): [string, string] {
  switch (code) {
    case 'ECONNREFUSED':
      return [
        `connection to ${at} refused`,
        `start sshd on ${host.hostName}, or name its port with --ssh-port`,
      ]
    case 'ETIMEDOUT':
      return [
        `no answer from ${at} within ${host.connectTimeoutMs / 1000} s`,
        'check that the host is up and that no firewall drops the port; use --jump if it is behind a bastion',
      ]
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_NODATA':
      return [
        `no address for "${host.hostName}"${code === 'EAI_AGAIN' ? ': the name server does not answer' : ''}`,
        'check the spelling, /etc/hosts and DNS, or give the IP address',
      ]
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EADDRNOTAVAIL':
      return [`no route to ${at}`, 'check the network and the routes of this computer, or use --jump']
    case 'HANDSHAKE_TIMEOUT':
      return [
        `${at} accepted the connection but did not finish the SSH handshake`,
        'check that sshd answers on that port and is not overloaded',
      ]
    case 'ECONNRESET':
    case 'EPIPE':
      return [
        `${at} closed the connection before the handshake`,
        'sshd may be over its MaxStartups or punish this address (PerSourcePenalties); wait a minute and look at its log',
      ]
    default:
      return [`cannot connect to ${at}: ${code}`, 'check that "ssh" reaches the host from here']
  }
}
