import { containerName } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { containerId } from '../../machine/container-id.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import type { Step } from '../../plan/plan.js'
import type { EngineWorld, World } from '../runtime.js'
import { objectNames } from './contract.js'

/** The containers of a cluster, and what became of a change of ports that was cut off. */
export interface SortedContainers extends Pick<EngineWorld, 'containers' | 'lbNext'> {
  /** The load balancer that was to take the place of another. */
  readonly next?: EngineContainer
}

/**
 * A load balancer is replaced by another one, which has the name `…-lb-next` until the old one is removed. So where both are
 * there the old one counts; where only the new one is, and was started, it does. Pure.
 */
export function withoutNextBalancer(
  cluster: string,
  containers: readonly EngineContainer[],
): SortedContainers {
  const name = containerName(cluster, 'lb')
  const next = containers.find((container) => container.name === objectNames.lbNext(cluster))
  if (!next) return { containers }
  const others = containers.filter((container) => container !== next)
  const old = others.some((container) => container.name === name)
  if (old || next.state === 'created') return { containers: others, next, lbNext: 'remove' }
  return { containers: [...others, { ...next, name }], next, lbNext: 'rename' }
}

/** What brings a change of ports that was cut off to an end: taken back, or its last step done; nothing where none was. */
export function settleSteps(spec: ClusterSpec, world: World): Step[] {
  const pending = world.engine?.lbNext
  if (!pending) return []
  const to = containerName(spec.name, 'lb')
  const name = objectNames.lbNext(spec.name)
  return [
    {
      id: `${to}/settle`,
      machine: containerId(to),
      title: `${pending === 'rename' ? 'finish' : 'take back'} a change of ports that was cut off`,
      needs: [],
      effect: pending === 'rename' ? 'change' : 'remove',
      journal: false,
      actions: [
        pending === 'rename'
          ? { kind: 'container', op: 'rename', name, to }
          : { kind: 'container', op: 'remove', name },
      ],
    },
  ]
}
