import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { Runtime, World } from '../runtime/runtime.js'

/** How long it is looked again, and how often. A service that ends begins anew after 5 seconds, and listens after 10 more. */
const PATIENCE_MS = 60_000
const PAUSE_MS = 2_000

/**
 * Gives back a world that the runtime can plan with: it is looked at again while what matters is about to show. What does not
 * show in a minute is left to the plan.
 */
export async function decidedWorld(
  spec: ClusterSpec,
  runtime: Runtime,
  world: World,
  observe: () => Promise<World>,
  ctx: Context,
): Promise<World> {
  const deadline = ctx.clock.now() + PATIENCE_MS
  let now = world
  for (let told = false; ; told = true) {
    const what = runtime.undecided?.(spec, now)
    if (what === undefined || ctx.clock.now() >= deadline) return now
    if (!told) ctx.events.emit({ level: 'info', code: 'observe.wait', message: `waiting for ${what}` })
    await ctx.clock.sleep(PAUSE_MS, ctx.signal)
    now = await observe()
  }
}
