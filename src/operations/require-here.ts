import type { Context } from '../core/context.js'
import { imageNotHere } from '../machine/docker/offline-engine.js'
import type { Plan } from '../plan/plan.js'

/** Offline, refuses a plan that would pull, before anything of it is done. @throws AirliftError E_IMAGE_MISSING */
export function requireHere(plan: Plan, ctx: Context): void {
  if (!ctx.offline) return
  for (const { actions } of plan.steps) {
    for (const action of actions) {
      if (action.kind === 'image' && action.op === 'pull') throw imageNotHere(action.ref)
    }
  }
}
