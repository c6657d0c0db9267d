import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { type Plan, summarize } from '../../plan/plan.js'
import { planLeave } from '../k3s/plan-leave.js'
import type { LeaveOptions, World } from '../runtime.js'
import { containerSide } from './container-side.js'
import { forgetTargets } from './lb-steps.js'

/**
 * Workers leave side by side, as on hosts; then their containers and volumes are removed, and the load balancer forgets them.
 * @throws AirliftError E_REFUSED
 */
export function planDeleteNodes(
  spec: ClusterSpec,
  world: World,
  nodes: readonly NodeSpec[],
  options: LeaveOptions = {},
): Plan {
  const plan = planLeave({ spec, world, leaving: nodes, options, side: containerSide(world) })
  const ids = plan.steps.map((step) => step.id)
  const forget = forgetTargets(spec, world, nodes).map((step) => ({ ...step, needs: ids }))
  if (ids.length === 0 || forget.length === 0) return plan
  const steps = [...plan.steps, ...forget]
  return { ...plan, steps, summary: summarize(steps) }
}
