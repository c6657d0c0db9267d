import pLimit from 'p-limit'
import type { MachineTarget, SshOptions } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { AirliftError } from '../core/errors.js'
import { toAirliftError } from '../core/errors.js'
import { containerId } from './container-id.js'
import type { Engine } from './docker/engine.js'
import { createLocalMachine } from './local/local-machine.js'
import type { Machine } from './machine.js'
import type { SudoPolicy } from './session/session-machine.js'
import type { SecretSource } from './ssh/secret-source.js'

/** Connects to machines; what they have in common is done once: reading the configuration, bastions, prompts, keys. */
export interface Connector {
  /** The machine of a target. The same target gives the same machine. @throws AirliftError see {@link connectMachine} */
  connect(target: MachineTarget): Promise<Machine>
  /** The container engine, connected when it is first asked for. @throws AirliftError E_ENGINE_UNREACHABLE, E_ENGINE, E_UNSUPPORTED, E_CONFIG_INVALID */
  engine(): Promise<Engine>
  /** Closes every machine that it connected, and the engine. */
  close(): Promise<void>
}

/** Makes the connector of one operation. `connectEngine` replaces the way to the container engine, for tests. */
export function createConnector(
  options: SshOptions,
  ctx: Context,
  secrets: SecretSource,
  connectEngine: () => Promise<Engine> = () => connectOwnEngine(ctx),
): Connector {
  const machines = new Map<string, Promise<Machine>>()
  const handshakes = pLimit(ctx.limits.handshakes)
  const sudo = sudoPolicy(options, secrets)
  let ssh: Promise<(target: MachineTarget) => Promise<Machine>> | undefined
  let connected: Promise<Engine> | undefined

  const engine = (): Promise<Engine> => {
    connected ??= connectEngine()
    return connected
  }
  const connect = async (target: MachineTarget): Promise<Machine> => {
    if (target.kind === 'local') return createLocalMachine(sudo('local'), ctx)
    if (target.kind === 'container') {
      const { createDockerMachine } = await import('./docker/docker-machine.js')
      return createDockerMachine({ engine: await engine(), name: target.host, ctx })
    }
    // ssh2 is loaded only when a machine is behind SSH.
    ssh ??= import('./ssh/ssh-connector.js').then(({ createSshConnector }) =>
      createSshConnector({ options, ctx, secrets, sudo, handshakes }),
    )
    return (await ssh)(target)
  }
  return {
    engine,
    connect(target) {
      const key = keyOf(target)
      const had = machines.get(key) ?? connect(target)
      machines.set(key, had)
      return had
    },
    async close() {
      await Promise.allSettled([...machines.values()].map(async (machine) => (await machine).close()))
      await connected?.then((one) => one.close()).catch(() => {})
    },
  }
}

async function connectOwnEngine(ctx: Context): Promise<Engine> {
  const { connectEngine } = await import('./docker/connect-engine.js')
  return connectEngine(ctx)
}

/** What tells machines apart. */
function keyOf(target: MachineTarget): string {
  if (target.kind === 'local') return 'local'
  if (target.kind === 'container') return containerId(target.host)
  return `${target.user ?? ''}@${target.host}:${target.port ?? ''}`
}

/**
 * Connects to one machine.
 * @throws AirliftError E_SSH_CONFIG, E_SSH_UNREACHABLE, E_SSH_AUTH, E_SSH_HOST_KEY, E_SSH_LOST, E_INTERRUPTED
 */
export function connectMachine(
  target: MachineTarget,
  options: SshOptions,
  ctx: Context,
  secrets: SecretSource,
): Promise<Machine> {
  return createConnector(options, ctx, secrets).connect(target)
}

/** What became of one target. */
export interface Connected {
  readonly target: MachineTarget
  /** The machine, or why there is none. */
  readonly result: Machine | AirliftError
}

/** Connects to all targets at once, within the limits of the context. Never throws: each target has its own result, in the order given. */
export function connectAll(
  targets: readonly MachineTarget[],
  connector: Connector,
): Promise<readonly Connected[]> {
  return Promise.all(
    targets.map(async (target): Promise<Connected> => {
      try {
        return { target, result: await connector.connect(target) }
      } catch (error) {
        return { target, result: toAirliftError(error, 'E_SSH_LOST') }
      }
    }),
  )
}

function sudoPolicy(options: SshOptions, secrets: SecretSource): (who: string) => SudoPolicy {
  const mayAsk = options.askSudoPass || secrets.given('sudo-password')
  return (who) => ({
    mode: options.sudo,
    ...(mayAsk ? { password: () => secrets.sudoPassword(who) } : {}),
  })
}
