import { LABELS } from '../cluster/container-labels.js'
import type { Context } from '../core/context.js'
import { toAirliftError } from '../core/errors.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import { connectToEngine } from './container-session.js'
import type { OperationDeps } from './session.js'

/** The containers of one cluster, as an engine's labels tell. */
export interface EngineCluster {
  readonly name: string
  readonly version: string
  readonly masters: readonly EngineContainer[]
  readonly workers: readonly EngineContainer[]
}

/** A container engine, or why there is none to ask. */
export type EngineOrNot =
  | { readonly engine: Engine }
  | {
      readonly engine?: undefined
      /** What names the engine that does not answer, `DOCKER_HOST=unix:///nope`; absent where nobody named one. */
      readonly named?: string
      readonly message: string
    }

/**
 * Connects to the container engine where there is one. Without one there is nothing to say but with -v: it may never have been
 * there. That one does not answer which the environment names is a warning.
 */
export async function findEngine(ctx: Context, deps: OperationDeps): Promise<EngineOrNot> {
  try {
    return { engine: await connectToEngine(ctx, deps) }
  } catch (error) {
    if (ctx.signal.aborted) throw error
    const { message } = toAirliftError(error)
    const named = namedEngine(ctx.env)
    ctx.events.emit(
      named === undefined
        ? { level: 'debug', code: 'engine.none', message: `no container engine is asked: ${message}` }
        : {
            level: 'warn',
            code: 'engine.none',
            message: `containers are not looked at: the engine of ${named} cannot be asked: ${message}`,
          },
    )
    return { ...(named === undefined ? {} : { named }), message }
  }
}

/** The engine of {@link findEngine}, where only that counts. */
export async function engineIfAny(ctx: Context, deps: OperationDeps): Promise<Engine | undefined> {
  return (await findEngine(ctx, deps)).engine
}

/** What says which engine is meant, as docker's own client takes it. */
function namedEngine(env: Context['env']): string | undefined {
  const key = ['DOCKER_HOST', 'DOCKER_CONTEXT'].find((name) => env[name])
  return key && `${key}=${env[key]}`
}

/** Clusters that have a container, by name. What only helps for a moment is no node of any. Pure. */
export function clustersOf(containers: readonly EngineContainer[]): EngineCluster[] {
  const names = [...new Set(containers.map(({ labels }) => labels[LABELS.cluster] ?? ''))]
    .filter(Boolean)
    .sort()
  return names.map((name) => {
    const own = containers.filter(
      ({ labels }) => labels[LABELS.cluster] === name && labels[LABELS.temporary] === undefined,
    )
    const ofRole = (role: string): EngineContainer[] =>
      own.filter(({ labels }) => labels[LABELS.role] === role)
    const masters = ofRole('master')
    const version = masters.map(({ labels }) => labels[LABELS.version]).find(Boolean) ?? ''
    return { name, version, masters, workers: ofRole('worker') }
  })
}
