import type { LimitFunction } from 'p-limit'
import pLimit from 'p-limit'
import type { Client } from 'ssh2'
import { AirliftError } from '../../core/errors.js'
import { createBastionPool } from './bastions.js'
import type { SshShared } from './connect-ssh.js'
import { connectSsh, openThrough } from './connect-ssh.js'
import type { JumpHop, ResolvedHost } from './resolved-host.js'
import { hostPort, machineId } from './resolved-host.js'
import { withRetries } from './retries.js'
import { openSocket } from './socket.js'

/** What {@link createDialer} needs. */
export interface DialerParts {
  readonly shared: SshShared
  /** Limits handshakes to different hosts. */
  readonly handshakes: LimitFunction
  /** Resolves a hop through the configuration, without the flags that are about the targets. */
  readonly resolveHop: (hop: JumpHop) => Promise<ResolvedHost>
}

/** Makes connections, and knows the way to a host. */
export interface Dialer {
  /** @throws AirliftError see {@link connectSsh} */
  dial(host: ResolvedHost): Promise<Client>
  /** The bastions on the way to a host, the nearest to it first. @throws AirliftError E_SSH_CONFIG when they form a loop */
  hops(host: ResolvedHost): Promise<readonly ResolvedHost[]>
}

/**
 * Makes connections, through as many bastions as the configuration names. A bastion is connected to once, whatever is
 * behind it, and sees a limited number of handshakes at once: its sshd drops what is over MaxStartups.
 */
export function createDialer(parts: DialerParts): Dialer {
  const { shared } = parts
  const { ctx } = shared
  const bastions = createBastionPool()
  const gates = new Map<string, LimitFunction>()

  const gateOf = (bastion: string): LimitFunction => {
    const gate = gates.get(bastion) ?? pLimit(ctx.limits.handshakesPerBastion)
    gates.set(bastion, gate)
    return gate
  }

  /** The last hop before a host, with the hops before it in its own ProxyJump. */
  const hopBefore = async (host: ResolvedHost): Promise<ResolvedHost | undefined> => {
    const last = host.proxyJump.at(-1)
    if (!last) return undefined
    const before = host.proxyJump.slice(0, -1)
    const resolved = await parts.resolveHop(last)
    const hop = { ...resolved, proxyJump: before.length > 0 ? before : resolved.proxyJump }
    // `Host *` with ProxyJump covers the bastion too, which is not reached through itself.
    return machineId(hop) === machineId(host) ? undefined : hop
  }

  const hops = async (host: ResolvedHost): Promise<readonly ResolvedHost[]> => {
    const way: ResolvedHost[] = []
    for (let hop = await hopBefore(host); hop; hop = await hopBefore(hop)) {
      const name = machineId(hop)
      if ([host, ...way].some((each) => machineId(each) === name)) throw loop(host, [...way, hop])
      way.push(hop)
    }
    return way
  }

  const dial = async (host: ResolvedHost): Promise<Client> => {
    const hop = await hopBefore(host)
    if (!hop) {
      return parts.handshakes(() =>
        withRetries(ctx, async () => connectSsh(host, await openSocket(host, ctx.signal), shared)),
      )
    }
    const via = `${hop.user}@${hostPort(hop.hostName, hop.port)}`
    const { client: bastion, release } = await bastions.use(chainName(hop), () => dial(hop))
    try {
      const client = await gateOf(via)(() =>
        withRetries(ctx, async () =>
          connectSsh(host, await openThrough(bastion, via, host, ctx.signal), shared),
        ),
      )
      client.once('close', release)
      return client
    } catch (error) {
      release()
      throw error
    }
  }
  return { dial, hops }
}

function loop(host: ResolvedHost, way: readonly ResolvedHost[]): AirliftError {
  const names = [host, ...way].map(machineId).join(' behind ')
  return new AirliftError('E_SSH_CONFIG', `the jump hosts form a loop: ${names}`, {
    machine: host.alias,
    hint: 'add "ProxyJump none" for the outermost of them to ~/.ssh/config',
  })
}

function chainName(hop: ResolvedHost): string {
  const before = hop.proxyJump.map((each) => `${each.user ?? ''}@${each.host}:${each.port ?? ''}`)
  return [...before, machineId(hop)].join(' ')
}
