import type { Duplex } from 'node:stream'
import type { LimitFunction } from 'p-limit'
import pLimit from 'p-limit'
import type { Client } from 'ssh2'
import type { MachineTarget, SshOptions } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { isAirliftError } from '../../core/errors.js'
import type { Machine } from '../machine.js'
import type { SudoPolicy } from '../session/session-machine.js'
import { createSessionMachine } from '../session/session-machine.js'
import { createBastionPool } from './bastions.js'
import { evaluateConfig } from './config-evaluate.js'
import { loadConfig } from './config-load.js'
import type { SshShared } from './connect-ssh.js'
import { connectSsh, openThrough } from './connect-ssh.js'
import { createKeyStore } from './key-store.js'
import { localFacts } from './local-facts.js'
import { namedUser, resolveHost } from './resolve-host.js'
import type { ResolvedHost } from './resolved-host.js'
import { hostPort, machineId } from './resolved-host.js'
import type { SecretSource } from './secret-source.js'
import { openSocket } from './socket.js'
import { createSshTransport } from './ssh-transport.js'

/** What the machines of one operation share. */
export interface SshConnectorParts {
  readonly options: SshOptions
  readonly ctx: Context
  readonly secrets: SecretSource
  readonly sudo: (who: string) => SudoPolicy
  /** Limits handshakes to different hosts. */
  readonly handshakes: LimitFunction
}

const RETRY_WAITS_MS = [500, 1_500]
/** Reasons that pass: a daemon that restarts, a route that comes up, MaxStartups that drops at random, a name server that hiccups. */
const PASSING = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EAI_AGAIN'])

/** Connects targets over SSH. */
export function createSshConnector(parts: SshConnectorParts): (target: MachineTarget) => Promise<Machine> {
  const { options, ctx, secrets } = parts
  const shared: SshShared = { options, ctx, secrets, keys: createKeyStore(secrets) }
  const local = localFacts(ctx.env)
  const bastions = createBastionPool()
  const gates = new Map<string, LimitFunction>()
  const config = loadConfig(options.configFile, local)
  // Its error is thrown where a host is resolved.
  config.catch(() => {})
  const resolve = async (target: Pick<MachineTarget, 'host' | 'user' | 'port'>): Promise<ResolvedHost> => {
    const wanted = { host: target.host, user: namedUser(target, options), local }
    return resolveHost(target, options, evaluateConfig(await config, wanted), local)
  }

  const dial = async (host: ResolvedHost): Promise<Client> => {
    const hops = host.proxyJump
    if (hops.length === 0) {
      return parts.handshakes(() =>
        withRetries(ctx, async () => connectSsh(host, await openSocket(host, ctx.signal), shared)),
      )
    }
    // Each hop is a host of its own configuration, except that the hops before it are those of the list.
    const last = hops[hops.length - 1]
    if (!last) throw new Error('no hop')
    const before = hops.slice(0, -1)
    const resolved = await resolve(last)
    const hop: ResolvedHost = {
      ...resolved,
      user: last.user ?? resolved.user,
      port: last.port ?? resolved.port,
      proxyJump: before.length > 0 ? before : options.jump === undefined ? resolved.proxyJump : [],
    }
    const via = `${hop.user}@${hostPort(hop.hostName, hop.port)}`
    const { client: bastion, release } = await bastions.use(chain(hop), () => dial(hop))
    const gate = gates.get(via) ?? pLimit(ctx.limits.handshakesPerBastion)
    gates.set(via, gate)
    try {
      const client = await gate(() =>
        withRetries(ctx, async () => {
          const socket: Duplex = await openThrough(bastion, via, host)
          return connectSsh(host, socket, shared)
        }),
      )
      client.once('close', release)
      return client
    } catch (error) {
      release()
      throw error
    }
  }

  return async (target) => {
    const host = await resolve(target)
    const transport = createSshTransport(() => dial(host), target.text)
    await transport.connect()
    return createSessionMachine({
      id: machineId(host),
      name: target.text,
      kind: 'ssh',
      transport,
      sudo: parts.sudo(`${host.user}@${host.alias}`),
      ctx,
    })
  }
}

function chain(hop: ResolvedHost): string {
  const before = hop.proxyJump.map((each) => `${each.user ?? ''}@${each.host}:${each.port ?? ''}`)
  return [...before, machineId(hop)].join(' ')
}

/** Tries again, for a short while, what may pass. Never what sshd punishes: authentication and host keys. */
async function withRetries<T>(ctx: Context, attempt: () => Promise<T>): Promise<T> {
  for (const waitMs of RETRY_WAITS_MS) {
    try {
      return await attempt()
    } catch (error) {
      const passing =
        isAirliftError(error) && error.code === 'E_SSH_UNREACHABLE' && PASSING.has(String(error.data?.code))
      if (!passing) throw error
      ctx.events.emit({
        level: 'debug',
        code: 'machine.retry',
        message: `${error.message}; trying again`,
        ...(error.machine === undefined ? {} : { machine: error.machine }),
      })
    }
    await ctx.clock.sleep(waitMs, ctx.signal)
  }
  return attempt()
}
