import { existsSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { execa } from 'execa'
import type { MachineTarget, SshOptions } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import type { Machine } from '../machine.js'
import type { SudoPolicy } from '../session/session-machine.js'
import { createSessionMachine } from '../session/session-machine.js'
import { localFacts } from '../ssh/local-facts.js'
import type { ResolvedHost } from '../ssh/resolved-host.js'
import { hostPort, machineId } from '../ssh/resolved-host.js'
import { withRetries } from '../ssh/retries.js'
import type { SecretSource } from '../ssh/secret-source.js'
import { sshArguments, sshConfigText } from './arguments.js'
import type { AskpassSecrets } from './askpass.js'
import { prepareAskpass } from './askpass.js'
import { opensshError } from './openssh-error.js'
import { createOpensshTransport, createPrivateDir, noSsh } from './openssh-transport.js'

/** What {@link connectOpenssh} needs. */
export interface OpensshMachineParts {
  readonly target: MachineTarget
  readonly options: SshOptions
  readonly host: ResolvedHost
  readonly ctx: Context
  readonly secrets: SecretSource
  readonly sudo: (who: string) => SudoPolicy
}

/**
 * Connects through OpenSSH's own client, which can do what ssh2 cannot: ProxyCommand, security keys, certificates, GSSAPI,
 * `Match exec`, post-quantum key exchange.
 * @throws AirliftError E_SSH_UNREACHABLE, E_SSH_AUTH, E_SSH_HOST_KEY, E_SSH_CONFIG, E_SSH_LOST, E_UNSUPPORTED, E_INTERRUPTED
 */
export async function connectOpenssh(parts: OpensshMachineParts): Promise<Machine> {
  const { target, options, ctx, secrets } = parts
  const dir = await createPrivateDir()
  try {
    const who = `${parts.host.user}@${hostPort(parts.host.hostName, parts.host.port)}`
    const password = options.askPass || secrets.given('ssh-password')
    const asked: AskpassSecrets = {
      ...(password ? { password: await secrets.sshPassword(who) } : {}),
      ...(secrets.given('key-passphrase') ? { passphrase: await secrets.keyPassphrase('the SSH key') } : {}),
    }
    const env = Object.keys(asked).length > 0 ? await prepareAskpass(dir, asked) : {}
    const terminal = existsSync('/dev/tty') && process.stdin.isTTY === true
    const mayAsk = terminal || Object.keys(asked).length > 0
    const configFiles = ownConfigFiles(options, ctx)
    const wanted = { ...parts, dir, password, mayAsk, configFiles }
    const configFile = join(dir, 'config')
    await writeFile(configFile, sshConfigText(wanted), { mode: 0o600 })
    const args = sshArguments(wanted, configFile)
    const host = await askSsh(parts.host, target, args, env, ctx)
    const transport = createOpensshTransport({ host, args, alias: target.host, env, dir, ctx })
    await withRetries(ctx, () => transport.connect())
    ctx.events.emit({
      level: 'debug',
      code: 'machine.connected',
      message: `connected to ${who} through ssh`,
      machine: target.text,
    })
    return createSessionMachine({
      id: machineId(host),
      name: target.text,
      kind: 'openssh',
      transport,
      sudo: parts.sudo(who),
      ctx,
    })
  } catch (error) {
    await rm(dir, { recursive: true, force: true })
    throw error
  }
}

/** The files that ssh would read by itself. ssh passes over an include that does not exist. */
function ownConfigFiles(options: SshOptions, ctx: Context): readonly string[] {
  if (options.configFile === 'none') return []
  if (options.configFile !== undefined) return [resolve(options.configFile)]
  return [join(localFacts(ctx.env).home, '.ssh', 'config'), '/etc/ssh/ssh_config']
}

/** How long programs of `Match exec` may take, beside the time that a connection may. Milliseconds. */
const RESOLVE_MS = 15_000

function noAnswer(host: ResolvedHost): AirliftError {
  return new AirliftError('E_SSH_UNREACHABLE', `ssh does not tell in time where ${host.alias} is`, {
    machine: host.alias,
    hint: `see what takes so long, such as a program of "Match exec": ssh -G ${host.alias}`,
  })
}

/** Host, user and port as ssh resolves them: `Match exec` may have decided about them. */
async function askSsh(
  host: ResolvedHost,
  target: MachineTarget,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  { signal }: Context,
): Promise<ResolvedHost> {
  const result = await execa('ssh', [...args, '-G', '--', target.host], {
    reject: false,
    stdin: 'ignore',
    env,
    cancelSignal: signal,
    timeout: host.connectTimeoutMs + RESOLVE_MS,
    forceKillAfterDelay: 1_000,
  })
  signal.throwIfAborted()
  if (result.timedOut) throw noAnswer(host)
  if (result.code === 'ENOENT') throw noSsh(host)
  if (result.exitCode !== 0) throw await opensshError(host, result.stderr)
  const value = (key: string): string | undefined => new RegExp(`^${key} (.+)$`, 'm').exec(result.stdout)?.[1]
  return {
    ...host,
    hostName: value('hostname') ?? host.hostName,
    user: value('user') ?? host.user,
    port: Number(value('port') ?? host.port),
  }
}
