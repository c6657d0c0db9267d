import type { ClusterSpec } from '../cluster/spec.js'
import { waitsForNodes } from '../cluster/waits-for-nodes.js'
import type { Context } from '../core/context.js'
import { executePlan } from '../plan/execute.js'
import type { Plan } from '../plan/plan.js'
import type { World } from '../runtime/runtime.js'

/** What settling a cluster needs. */
export interface Settling {
  readonly spec: ClusterSpec
  /** What is left to do in a world. Pure. */
  readonly planOf: (world: World) => Plan
  readonly observe: () => Promise<World>
  readonly handlers: Parameters<typeof executePlan>[1]
}

/**
 * A master that was ready may not be so for a moment, such as while members of etcd come and go. Where nothing is left but
 * to wait, that is done, once, and the machines are looked at again.
 */
export async function settle(
  { spec, planOf, observe, handlers }: Settling,
  world: World,
  ctx: Context,
): Promise<World> {
  if (!waitsForNodes(spec)) return world
  const rest = planOf(world)
  if (rest.steps.length === 0 || rest.steps.some((step) => step.effect !== undefined)) return world
  await executePlan(rest, { ...handlers, secrets: world.secrets }, ctx)
  return ctx.signal.aborted ? world : observe()
}
