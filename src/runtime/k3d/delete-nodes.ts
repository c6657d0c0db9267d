import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import type { Plan } from '../../plan/plan.js'
import { planLeave } from '../k3s/plan-leave.js'
import type { LeaveOptions, World } from '../runtime.js'
import { containerSide } from './container-side.js'

/** Workers leave side by side, as on hosts; then their containers and volumes are removed. @throws AirliftError E_REFUSED */
export function planDeleteNodes(
  spec: ClusterSpec,
  world: World,
  nodes: readonly NodeSpec[],
  options: LeaveOptions = {},
): Plan {
  return planLeave({ spec, world, leaving: nodes, options, side: containerSide(world) })
}
