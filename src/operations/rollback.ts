import { LABELS } from '../cluster/container-labels.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { type Context, createContext } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import { executePlan } from '../plan/execute.js'
import type { Plan } from '../plan/plan.js'
import type { World } from '../runtime/runtime.js'
import type { ObservedCluster } from './observe-cluster.js'
import type { Undone } from './undone.js'

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
    return await undo(cluster.runtime.reset(spec, world), cluster, world, own)
  } catch (error) {
    return { error: toAirliftError(error, 'E_ENGINE') }
  }
}

/** Carries out a plan that takes back what was made. Throws nothing that a step says: the result tells it. */
export async function undo(
  plan: Plan,
  cluster: ObservedCluster,
  world: World,
  ctx: Context,
): Promise<RollbackResult> {
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
    ctx,
  )
  const failed = result.steps.find((step) => step.outcome === 'failed')?.error
  return failed ? { error: failed } : {}
}

/** What the user is told of it. */
export function undoneRun({ error }: RollbackResult): Undone {
  const told = error
    ? `not everything that this run made could be removed (${error.message}): airlift reset removes the rest`
    : 'what this run made was removed; --keep leaves it, to be looked at'
  return { removed: error === undefined, told }
}
