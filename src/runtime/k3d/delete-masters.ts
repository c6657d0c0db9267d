import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { type Plan, summarize } from '../../plan/plan.js'
import { planLeave } from '../k3s/plan-leave.js'
import type { LeaveOptions, World } from '../runtime.js'
import { containerSide } from './container-side.js'
import { containerOf, layoutOf } from './layout.js'
import { lbSteps } from './lb-steps.js'

/**
 * Masters leave one after the other, as on hosts, and the load balancer is told first: nothing new is sent to one that is
 * about to end. The first master leaves like any other.
 * @throws AirliftError E_REFUSED: the last master, a loss of quorum, another master that is not healthy
 */
export function planDeleteMasters(
  spec: ClusterSpec,
  world: World,
  masters: readonly NodeSpec[],
  options: LeaveOptions = {},
): Plan {
  const plan = planLeave({ spec, world, leaving: masters, options, side: containerSide(world) })
  const staying = { ...spec, masters: spec.masters.filter((node) => !masters.includes(node)) }
  const layout = layoutOf(staying, world)
  const lb = layout.lb ?? layout.portsLb
  if (plan.steps.length === 0 || lb === undefined || containerOf(world, lb)?.state !== 'running') return plan
  const told = lbSteps(staying, world, layout).filter((step) => step.id === `${lb}/targets`)
  const steps = [...told, ...plan.steps]
  return { ...plan, steps, summary: summarize(steps) }
}
