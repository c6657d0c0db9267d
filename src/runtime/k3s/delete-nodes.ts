import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import type { Plan } from '../../plan/plan.js'
import type { LeaveOptions, World } from '../runtime.js'
import { hostSide } from './host-side.js'
import { planLeave } from './plan-leave.js'

/** Workers leave side by side, a few at a time: their pods need room on those that stay. @throws AirliftError E_REFUSED */
export function planDeleteNodes(
  spec: ClusterSpec,
  world: World,
  nodes: readonly NodeSpec[],
  options: LeaveOptions = {},
): Plan {
  return planLeave({ spec, world, leaving: nodes, options, side: hostSide(world) })
}
