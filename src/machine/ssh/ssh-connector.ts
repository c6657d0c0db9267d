import type { LimitFunction } from 'p-limit'
import type { MachineTarget, SshOptions } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { AirliftError, isAirliftError } from '../../core/errors.js'
import type { Machine } from '../machine.js'
import type { SudoPolicy } from '../session/session-machine.js'
import { createSessionMachine } from '../session/session-machine.js'
import { evaluateConfig } from './config-evaluate.js'
import { loadConfig } from './config-load.js'
import type { SshShared } from './connect-ssh.js'
import { createDialer } from './hops.js'
import { createKeyStore } from './key-store.js'
import { localFacts } from './local-facts.js'
import { namedUser, resolveHost } from './resolve-host.js'
import type { ResolvedHost } from './resolved-host.js'
import { hostPort, machineId } from './resolved-host.js'
import type { SecretSource } from './secret-source.js'
import { createSshTransport } from './ssh-transport.js'
import { whyOpenssh } from './why-openssh.js'

/** What the machines of one operation share. */
export interface SshConnectorParts {
  readonly options: SshOptions
  readonly ctx: Context
  readonly secrets: SecretSource
  readonly sudo: (who: string) => SudoPolicy
  /** Limits handshakes to different hosts. */
  readonly handshakes: LimitFunction
}

/** Connects targets over SSH, with ssh2 where it can and through OpenSSH's client where only that can. */
export function createSshConnector(parts: SshConnectorParts): (target: MachineTarget) => Promise<Machine> {
  const { options, ctx, secrets } = parts
  const shared: SshShared = { options, ctx, secrets, keys: createKeyStore(secrets) }
  const local = localFacts(ctx.env)
  const config = loadConfig(options.configFile, local)
  // Its error is thrown where a host is resolved.
  config.catch(() => {})

  const resolve = async (
    target: Pick<MachineTarget, 'host' | 'user' | 'port'>,
    flags: SshOptions,
  ): Promise<ResolvedHost> => {
    const wanted = { host: target.host, user: namedUser(target, flags), local }
    return resolveHost(target, flags, evaluateConfig(await config, wanted), local)
  }
  // --user, --ssh-port and --jump are about the targets; keys and known hosts are good for bastions too.
  const { user: _user, port: _port, jump: _jump, ...flagsForHops } = options
  const dialer = createDialer({
    shared,
    handshakes: parts.handshakes,
    resolveHop: (hop) => resolve(hop, flagsForHops),
  })

  const throughOpenssh = async (target: MachineTarget, host: ResolvedHost, why: string): Promise<Machine> => {
    ctx.events.emit({
      level: options.transport === 'openssh' ? 'debug' : 'info',
      code: 'machine.openssh',
      message: `using OpenSSH's client: ${why}`,
      machine: target.text,
      data: { why },
    })
    const { connectOpenssh } = await import('../openssh/openssh-machine.js')
    return parts.handshakes(() =>
      connectOpenssh({
        target,
        options,
        host: { ...host, needsOpenssh: why },
        ctx,
        secrets,
        sudo: parts.sudo,
      }),
    )
  }

  /** Why the host, or a bastion on the way to it, is beyond ssh2. */
  const whyThrough = async (host: ResolvedHost): Promise<string | undefined> => {
    const own = await whyOpenssh(host, shared)
    if (own !== undefined) return own
    for (const hop of await dialer.hops(host)) {
      const why = await whyOpenssh(hop, shared)
      if (why !== undefined) return `${why} of the bastion ${hop.alias}`
    }
    return undefined
  }

  const connect = async (target: MachineTarget, known: (id: string) => void): Promise<Machine> => {
    const host = await resolve(target, options)
    known(machineId(host))
    if (options.identities.length > 0) await checkNamedKeys(host, shared)
    if (options.transport === 'openssh') return throughOpenssh(target, host, 'asked for with --transport')
    const why = await whyThrough(host)
    if (why !== undefined) {
      if (options.transport === 'auto') return throughOpenssh(target, host, why)
      throw new AirliftError('E_UNSUPPORTED', `only OpenSSH's client can reach ${target.text}: ${why}`, {
        machine: target.text,
        hint: 'leave out "--transport ssh"',
      })
    }
    const transport = createSshTransport(() => dialer.dial(host), target.text)
    try {
      await transport.connect()
    } catch (error) {
      if (!isNoCommonAlgorithm(error)) throw error
      const reason = `the server has no algorithm in common with ssh2 (${error.message})`
      if (options.transport === 'auto') return throughOpenssh(target, host, reason)
      throw new AirliftError('E_SSH_LOST', reason, {
        machine: target.text,
        hint: 'leave out "--transport ssh", so that OpenSSH\'s client is used',
        cause: error,
      })
    }
    return createSessionMachine({
      id: machineId(host),
      name: target.text,
      kind: 'ssh',
      transport,
      sudo: parts.sudo(`${host.user}@${hostPort(host.hostName, host.port)}`),
      ctx,
    })
  }
  return async (target) => {
    let id: string | undefined
    try {
      return await connect(target, (found) => {
        id = found
      })
    } catch (error) {
      throw isAirliftError(error) ? about(target, id, error) : error
    }
  }
}

/** A key that a flag names must be there: to go on with other keys would hide the mistake. */
async function checkNamedKeys(host: ResolvedHost, shared: SshShared): Promise<void> {
  for (const name of host.identityFiles) {
    const { file, problem } = await shared.keys.load(name)
    if (problem === undefined) continue
    if (problem === 'not found') {
      throw new AirliftError('E_LOCAL_FILE', `there is no key ${file}`, {
        machine: host.alias,
        hint: 'give the path of a private key with --identity',
      })
    }
    shared.ctx.events.emit({
      level: 'warn',
      code: 'ssh.key-skipped',
      message: `the key ${file} is not offered: ${problem}`,
      machine: host.alias,
    })
  }
}

/**
 * The same error with the machine as the user wrote it, and its id where its configuration could be read. A new one, since all
 * hosts behind a bastion share the bastion's.
 */
function about(target: MachineTarget, id: string | undefined, error: AirliftError): AirliftError {
  const { machine, hint, log, exit, cause } = error
  const data = id === undefined ? error.data : { ...error.data, id }
  const elsewhere = machine !== undefined && machine !== target.host && machine !== target.text
  return new AirliftError(error.code, elsewhere ? `${machine}: ${error.message}` : error.message, {
    machine: target.text,
    log,
    exit,
    cause,
    ...(hint === undefined ? {} : { hint }),
    ...(data === undefined ? {} : { data }),
  })
}

function isNoCommonAlgorithm(error: unknown): error is Error {
  return (
    error instanceof Error &&
    (error as { level?: string }).level === 'handshake' &&
    /no matching/i.test(error.message)
  )
}
