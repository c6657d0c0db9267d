import { recordOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { type Plan, summarize } from '../../plan/plan.js'
import { planLeave } from '../k3s/plan-leave.js'
import type { LeaveOptions, World } from '../runtime.js'
import { containerSide } from './container-side.js'
import { finishHandOver, handOver } from './hand-over.js'
import { containerOf, layoutOf } from './layout.js'
import { lbSteps } from './lb-steps.js'

/**
 * Masters leave one after the other, as on hosts, and the load balancer is told first: nothing new is sent to one that is
 * about to end. The first master leaves like any other: what its container published is then published by a load balancer.
 * @throws AirliftError E_REFUSED: the last master, a loss of quorum, another master that is not healthy; E_IMAGE_MISSING where
 * a load balancer is needed and cannot be made
 */
export function planDeleteMasters(
  spec: ClusterSpec,
  world: World,
  masters: readonly NodeSpec[],
  options: LeaveOptions = {},
): Plan {
  const plan = planLeave({ spec, world, leaving: masters, options, side: containerSide(world) })
  if (plan.steps.length === 0) return plan
  const staying = { ...spec, masters: spec.masters.filter((node) => !masters.includes(node)) }
  const layout = layoutOf(staying, world)
  const lb = layout.lb ?? layout.portsLb
  const running = lb !== undefined && containerOf(world, lb)?.state === 'running'
  const told = running ? lbSteps(staying, world, layout).filter((step) => step.id === `${lb}/targets`) : []
  const publisher = masters.find(({ target }) => {
    const container = containerOf(world, target.host)
    return container !== undefined && recordOfLabels(container.labels)?.api !== undefined
  })
  const taken =
    publisher && staying.masters.length > 0
      ? handOver(staying, world, masters, publisher)
      : { remember: [], publish: finishHandOver(staying, world) }
  const noted = taken.remember.map((step) => step.id)
  const left = plan.steps.map((step) =>
    noted.length > 0 ? { ...step, needs: [...step.needs, ...noted] } : step,
  )
  const ids = left.map((step) => step.id)
  const publish = taken.publish.map((step) => ({ ...step, needs: [...step.needs, ...ids] }))
  const steps = [...told, ...taken.remember, ...left, ...publish]
  return { ...plan, steps, summary: summarize(steps) }
}
