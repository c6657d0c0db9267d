import { LABELS } from '../../cluster/container-labels.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { containerId } from '../../machine/container-id.js'
import { type Action, type Plan, type Step, summarize } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { ENGINE, nodeVolumes } from './contract.js'
import { engineOf } from './layout.js'

/**
 * Removes all containers of the cluster at the same time, the network beside them, and the volumes of each as soon as it is
 * gone. What was still in use then is removed when all containers are gone. Images stay.
 */
export function planReset(spec: ClusterSpec, world: World): Plan {
  const engine = engineOf(world)
  const containers: Step[] = [...engine.containers, ...(engine.temporary ?? [])].map(({ name }) => ({
    id: `${name}/remove`,
    machine: containerId(name),
    title: 'remove the container',
    needs: [],
    effect: 'remove',
    journal: false,
    actions: [{ kind: 'container', op: 'remove', name }],
  }))
  const all = containers.map((step) => step.id)
  const volumes = new Set(engine.volumes.map(({ name }) => name))
  const steps = [...containers]
  for (const { name } of engine.containers) {
    const own = nodeVolumes(name).flatMap(({ source }) => (volumes.delete(source) ? [source] : []))
    steps.push(...removal(`${name}/volumes`, 'remove its volumes', [`${name}/remove`], removeVolumes(own)))
  }
  const networks = engine.networks.filter((network) => network.labels[LABELS.cluster] === spec.name)
  const removeNetworks = networks.map(({ name }): Action => ({ kind: 'network', op: 'remove', name }))
  const detach = engine.containers.filter(({ state }) => state === 'running').map(({ name }) => name)
  const early = removal(
    'engine/network',
    'take the containers off the network, and remove it',
    [],
    detach.length === 0 ? [] : removeNetworks.map((action) => ({ ...action, detach }) as Action),
  )
  const last = [...all, ...early.map((step) => step.id)]
  steps.push(
    ...early,
    ...removal(
      early.length > 0 ? 'engine/network-gone' : 'engine/network',
      early.length > 0 ? 'see that the network is gone' : 'remove the network',
      last,
      removeNetworks,
    ),
    ...removal('engine/volumes', 'remove volumes', all, removeVolumes([...volumes])),
  )
  return { operation: 'reset', name: spec.name, runtime: 'k3d', steps, summary: summarize(steps) }
}

function removeVolumes(names: readonly string[]): Action[] {
  return names.map((name) => ({ kind: 'volume', op: 'remove', name }))
}

/** One step of the engine, where there is anything to remove. */
function removal(id: string, title: string, needs: readonly string[], actions: readonly Action[]): Step[] {
  return actions.length === 0 ? [] : [{ id, machine: ENGINE, title, needs, effect: 'remove', actions }]
}
