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

/** Connects to the container engine where there is one; without one there is nothing to say but with -v. */
export async function engineIfAny(ctx: Context, deps: OperationDeps): Promise<Engine | undefined> {
  try {
    return await connectToEngine(ctx, deps)
  } catch (error) {
    if (ctx.signal.aborted) throw error
    const { message } = toAirliftError(error)
    ctx.events.emit({
      level: 'debug',
      code: 'engine.none',
      message: `no container engine is asked: ${message}`,
    })
    return undefined
  }
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
