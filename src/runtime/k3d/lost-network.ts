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

/**
 * What makes a container of the cluster run. A start does not wake a paused one, does nothing for one that runs outside of the
 * network, and nothing for one that has ended too often, which the engine starts again only in a minute. Pure.
 */
export function wakeOp(world: World, name: string): 'start' | 'restart' {
  const state = containerOf(world, name)?.state
  return state === 'paused' || state === 'restarting' || isOffNetwork(world, name) ? 'restart' : 'start'
}
