import { LABELS } from '../../cluster/container-labels.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { type Action, type Plan, type Step, summarize } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { containerId, ENGINE } from './contract.js'
import { engineOf } from './layout.js'

/** Removes all containers of the cluster at the same time, then its network and volumes. Images stay. */
export function planReset(spec: ClusterSpec, world: World): Plan {
  const engine = engineOf(world)
  const steps: Step[] = [...engine.containers, ...(engine.temporary ?? [])].map(({ name }) => ({
    id: `${name}/remove`,
    machine: containerId(name),
    title: 'remove the container',
    needs: [],
    effect: 'remove',
    journal: false,
    actions: [{ kind: 'container', op: 'remove', name }],
  }))
  const actions: Action[] = [
    ...engine.networks
      .filter((network) => network.labels[LABELS.cluster] === spec.name)
      .map(({ name }): Action => ({ kind: 'network', op: 'remove', name })),
    ...engine.volumes.map(({ name }): Action => ({ kind: 'volume', op: 'remove', name })),
  ]
  if (actions.length > 0)
    steps.push({
      id: 'engine/remove',
      machine: ENGINE,
      title: 'remove network and volumes',
      needs: steps.map((step) => step.id),
      effect: 'remove',
      actions,
    })
  return { operation: 'reset', name: spec.name, runtime: 'k3d', steps, summary: summarize(steps) }
}
