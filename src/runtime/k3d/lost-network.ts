import { recordOfLabels } from '../../cluster/container-labels.js'
import type { Action } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { containerOf, engineOf } from './layout.js'

/**
 * Puts a container that does not run into the cluster's network again, where that was removed meanwhile, as
 * `docker network prune` does with the network of a stopped cluster: an engine starts it in no other of the same name. Pure.
 */
export function attachAgain(world: World, name: string): Action[] {
  const found = containerOf(world, name)
  const record = found && recordOfLabels(found.labels)
  if (!record || !found.networkIds || found.state === 'running') return []
  const id = found.networkIds[record.network]
  // One that was never started looks for the name; Podman tells the name.
  if (id === '' || engineOf(world).networks.some((network) => network.id === id || network.name === id))
    return []
  const { network, address, address6 } = record
  return [
    {
      kind: 'container',
      op: 'attach',
      name,
      network,
      ...(address === undefined ? {} : { address }),
      ...(address6 === undefined ? {} : { address6 }),
    },
  ]
}
