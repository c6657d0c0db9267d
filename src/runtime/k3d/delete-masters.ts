import { recordOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import { type Plan, summarize } from '../../plan/plan.js'
import { planLeave } from '../k3s/plan-leave.js'
import type { LeaveOptions, World } from '../runtime.js'
import { containerSide } from './container-side.js'
import { containerOf, layoutOf } from './layout.js'
import { lbSteps } from './lb-steps.js'

/**
 * Masters leave one after the other, as on hosts, and the load balancer is told first: nothing new is sent to one that is
 * about to end. The first master leaves like any other.
 * @throws AirliftError E_REFUSED: the last master, a loss of quorum, another master that is not healthy, the master that
 * publishes the API where there is no load balancer
 */
export function planDeleteMasters(
  spec: ClusterSpec,
  world: World,
  masters: readonly NodeSpec[],
  options: LeaveOptions = {},
): Plan {
  if (!options.force) refuseLosingApi(spec, world, masters)
  const plan = planLeave({ spec, world, leaving: masters, options, side: containerSide(world) })
  const staying = { ...spec, masters: spec.masters.filter((node) => !masters.includes(node)) }
  const layout = layoutOf(staying, world)
  const lb = layout.lb ?? layout.portsLb
  if (plan.steps.length === 0 || lb === undefined || containerOf(world, lb)?.state !== 'running') return plan
  const told = lbSteps(staying, world, layout).filter((step) => step.id === `${lb}/targets`)
  const steps = [...told, ...plan.steps]
  return { ...plan, steps, summary: summarize(steps) }
}

/**
 * An engine cannot give a port to a container that exists: with the one that publishes the API the cluster would go on, and
 * nobody outside could reach it. The last master is left to the check that refuses it for more than that.
 */
function refuseLosingApi(spec: ClusterSpec, world: World, masters: readonly NodeSpec[]): void {
  const staying = spec.masters.filter((node) => !masters.includes(node))
  const publisher = masters.find(({ target }) => {
    const container = containerOf(world, target.host)
    return container !== undefined && recordOfLabels(container.labels)?.api !== undefined
  })
  if (!publisher || staying.length === 0) return
  const name = publisher.target.host
  const other = staying[0]?.target.host
  throw new AirliftError(
    'E_REFUSED',
    `${name} publishes the API of the cluster "${spec.name}", which has no load balancer: without it every kubeconfig would lead nowhere`,
    {
      machine: name,
      hint: `delete another master, such as ${other}, or make the cluster with a load balancer; --force deletes it all the same, and the API is then reached inside only: docker exec ${other} k3s kubectl get nodes`,
    },
  )
}
