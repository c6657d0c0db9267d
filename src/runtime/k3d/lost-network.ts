import { recordOfLabels } from '../../cluster/container-labels.js'
import type { Action } from '../../plan/plan.js'
import { missedNetwork } from '../missed-network.js'
import type { World } from '../runtime.js'
import { containerOf, engineOf } from './layout.js'

/** Whether a container of the cluster runs outside of its network. */
export function isOffNetwork(world: World, name: string): boolean {
  const found = containerOf(world, name)
  return found !== undefined && missedNetwork(found) !== undefined
}

/**
 * Puts a container into the cluster's network again: one that was taken off it, or one that does not run where the network
 * was removed meanwhile, as `docker network prune` does with the network of a stopped cluster: an engine starts it in no other
 * of the same name. Pure.
 */
export function attachAgain(world: World, name: string): Action[] {
  const found = containerOf(world, name)
  const record = found && recordOfLabels(found.labels)
  if (!record || !found.networkIds) return []
  if (found.state === 'running' && missedNetwork(found) === undefined) return []
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
