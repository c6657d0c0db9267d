import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import type { Plan, Step } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { checkBegun } from './check-unchanged.js'
import { entryOf } from './first-master.js'
import { planOf } from './init.js'
import { listening, steady } from './join-masters.js'
import { joinThrough } from './join-through.js'
import { layoutOf } from './layout.js'
import { lbReady, lbSteps } from './lb-steps.js'
import { forgetLost } from './lost-data.js'
import { nodeSteps } from './node-steps.js'

/** Workers: their containers are made at once, and started as soon as a master listens. One that asks before backs off. */
export function planJoinNodes(spec: ClusterSpec, world: World, nodes: readonly NodeSpec[]): Plan {
  const layout = layoutOf(spec, world)
  checkBegun(spec, world, layout, nodes)
  const entry = entryOf(spec, world)
  const needs = [...listening(world, entry), ...lbReady(spec, world, layout)]
  const steps: Step[] = nodes.flatMap((node) => {
    const joining = { founder: false, through: joinThrough(spec, world, layout, node, entry) }
    const forget =
      spec.wait === 'none' ? undefined : forgetLost(world, node, entry, steady(spec, world, entry))
    return nodeSteps({ spec, world, layout, node, joining, ...(forget ? { forget } : {}) }, needs)
  })
  return planOf(spec, world, steps.length > 0 ? [...lbSteps(spec, world, layout), ...steps] : steps)
}
