import type { ClusterSpec } from '../../cluster/spec.js'
import { type Plan, type Step, summarize } from '../../plan/plan.js'
import { machineOf } from '../k3s/first-master.js'
import { waitSystem } from '../k3s/waits.js'
import type { World } from '../runtime.js'
import { checkUnchanged } from './check-unchanged.js'
import { requirePullable } from './choose-image.js'
import { ENGINE_STEPS, engineSteps } from './engine-steps.js'
import { founderOf } from './first-master.js'
import { layoutOf } from './layout.js'
import { lbSteps } from './lb-steps.js'
import { requireData } from './lost-data.js'
import { nodeSteps, stepId } from './node-steps.js'

/**
 * Network, images, load balancer and the first master.
 * @throws AirliftError E_REFUSED where the data of the cluster is gone
 */
export function planInit(spec: ClusterSpec, world: World): Plan {
  const layout = layoutOf(spec, world)
  checkUnchanged(spec, world, layout)
  requireData(spec, world)
  const founder = founderOf(spec, world)
  const own = founder
    ? nodeSteps(
        {
          spec,
          world,
          layout,
          node: founder,
          joining: { founder: true, through: founder.target.host },
        },
        [],
      )
    : []
  const steps: Step[] = [...lbSteps(spec, world, layout), ...own]
  const ready = founder && steps.find((step) => step.id === stepId.ready(founder.target.host))
  if (spec.wait === 'system' && founder && ready)
    steps.push({
      id: 'cluster/system',
      machine: machineOf(world, founder).id,
      title: 'wait for the system pods',
      needs: [ready.id],
      actions: [waitSystem(spec.timeoutMs)],
    })
  return planOf(spec, world, steps)
}

/** A plan of these steps, with what the engine needs for them. */
export function planOf(spec: ClusterSpec, world: World, steps: readonly Step[]): Plan {
  const layout = layoutOf(spec, world)
  const engine = engineSteps(spec, world, layout)
  const ids = new Set(engine.map((step) => step.id))
  const wanted = new Set(steps.flatMap((step) => step.needs).filter((id) => ids.has(id)))
  // What a needed step of the engine needs itself comes before it in the list.
  for (const step of [...engine].reverse())
    if (wanted.has(step.id)) for (const id of step.needs) wanted.add(id)
  if (wanted.has(ENGINE_STEPS.image)) requirePullable(layout.image)
  const all = [...engine.filter((step) => wanted.has(step.id)), ...steps]
  return { operation: 'run', name: spec.name, runtime: 'k3d', steps: all, summary: summarize(all) }
}
