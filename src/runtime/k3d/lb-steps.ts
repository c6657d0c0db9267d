import type { ClusterSpec } from '../../cluster/spec.js'
import type { Step } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { lbContainer } from './container-config.js'
import { CONTAINER, containerId } from './contract.js'
import { ENGINE_STEPS, engineSteps } from './engine-steps.js'
import { containerOf, engineOf, type Layout } from './layout.js'
import { entries, lbFiles, lbTargets } from './node-files.js'
import { stepId } from './node-steps.js'

/** The load balancer, where there is one: made before the masters, whose addresses are known; its targets kept right. */
export function lbSteps(spec: ClusterSpec, world: World, layout: Layout): Step[] {
  const name = layout.lb
  if (name === undefined) return []
  const machine = containerId(name)
  const found = containerOf(world, name)
  if (found?.state === 'running') return targetsStep(spec, world, layout, name)
  const create: Step = {
    id: stepId.create(name),
    machine,
    title: `${found ? 'complete' : 'create'} the load balancer`,
    needs: engineSteps(spec, world, layout)
      .map((step) => step.id)
      .filter((id) => id !== ENGINE_STEPS.images),
    effect: found ? 'change' : 'create',
    actions: [
      {
        kind: 'container',
        op: 'create',
        config: lbContainer(spec, world, layout, name),
        files: entries(lbFiles(spec, world, layout, name)),
      },
    ],
  }
  const start: Step = {
    id: stepId.start(name),
    machine,
    title: 'start the load balancer',
    needs: [create.id],
    effect: 'create',
    actions: [{ kind: 'container', op: 'start', name }],
  }
  return [create, start]
}

/** Steps after which the load balancer leads to the masters; none where it does already. */
export function lbReady(spec: ClusterSpec, world: World, layout: Layout): string[] {
  return lbSteps(spec, world, layout)
    .map((step) => step.id)
    .slice(-1)
}

function targetsStep(spec: ClusterSpec, world: World, layout: Layout, name: string): Step[] {
  const content = lbTargets(spec, layout, name)
  if (engineOf(world).lbTargets === content) return []
  return [
    {
      id: `${name}/targets`,
      machine: containerId(name),
      title: 'tell the load balancer its masters',
      needs: [],
      effect: 'change',
      journal: false,
      actions: [{ kind: 'write', path: CONTAINER.lbConfig, mode: '0644', content }],
    },
  ]
}
