import { LABELS } from '../cluster/container-labels.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { type Context, createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { executePlan } from '../plan/execute.js'
import type { World } from '../runtime/runtime.js'
import type { ObservedCluster } from './observe-cluster.js'

/** Whether the engine had nothing of the cluster: whatever has its name then was made by this run. */
export function isUnmade(spec: ClusterSpec, world: World): boolean {
  const { engine } = world
  if (!engine) return false
  return (
    engine.containers.length === 0 &&
    (engine.temporary ?? []).length === 0 &&
    engine.volumes.length === 0 &&
    !engine.networks.some((network) => network.labels[LABELS.cluster] === spec.name)
  )
}

/** What became of an attempt to undo. */
export interface RollbackResult {
  /** Containers, networks and volumes that were removed. */
  readonly removed: number
  /** Why something may be left. */
  readonly error?: AirliftError
}

/**
 * Removes what a run made that created a cluster and failed, also after an interruption: with a signal of its own. Images
 * stay, since the next run needs them again.
 */
export async function rollBack(
  spec: ClusterSpec,
  cluster: ObservedCluster,
  ctx: Context,
): Promise<RollbackResult> {
  const own = createContext({ ...ctx, signal: new AbortController().signal })
  own.events.emit({ level: 'info', code: 'rollback.start', message: 'removing what this run made' })
  try {
    const world = await cluster.lookFromOutside(own)
    const plan = cluster.runtime.reset(spec, world)
    const result = await executePlan(
      plan,
      {
        machines: cluster.session.byId,
        secrets: world.secrets,
        stage: () => {
          throw new AirliftError('E_INTERNAL', 'undoing stages nothing')
        },
        ...(cluster.engine ? { engine: cluster.engine } : {}),
      },
      own,
    )
    const failed = result.steps.find((step) => step.outcome === 'failed')?.error
    const removed = plan.steps.reduce((sum, step) => sum + step.actions.length, 0)
    return { removed, ...(failed ? { error: failed } : {}) }
  } catch (error) {
    return {
      removed: 0,
      error: error instanceof AirliftError ? error : new AirliftError('E_ENGINE', String(error)),
    }
  }
}

/** What the user is told of it, as the end of a hint. */
export function rollbackHint(result: RollbackResult): string {
  if (result.error)
    return `not everything that this run made could be removed (${result.error.message}): airlift reset removes the rest`
  return 'what this run made was removed; --keep leaves it, to be looked at'
}
