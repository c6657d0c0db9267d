import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import type { Plan } from '../../plan/plan.js'
import type { LeaveOptions, World } from '../runtime.js'
import { hostSide } from './host-side.js'
import { planLeave } from './plan-leave.js'

/**
 * Masters leave one after the other, each only while the datastore is healthy on all that stay. `spec` is the cluster as it
 * is, those that leave among its masters; which of them founded it makes no difference.
 * @throws AirliftError E_REFUSED: the last master, a loss of quorum, another master that is not healthy
 */
export function planDeleteMasters(
  spec: ClusterSpec,
  world: World,
  masters: readonly NodeSpec[],
  options: LeaveOptions = {},
): Plan {
  return planLeave({ spec, world, leaving: masters, options, side: hostSide(world) })
}
