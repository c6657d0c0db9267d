import { nodeOfLabels } from '../cluster/container-labels.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { World } from './runtime.js'

/**
 * Whether a container is that of a master which the cluster has taken out, and which a delete that was killed has not removed.
 * It holds nothing that counts any more: started as it is it ends again, or begins a cluster of its own where it was the
 * first one. Its note tells it; until that is written the master ends, kept from coming back, and another one that answers
 * does not know it. Pure.
 */
export function hasLeft({ engine, machines }: World, name: string): boolean {
  if (machines.some((machine) => machine.name === name && machine.installed.apiReady)) return false
  if (engine?.left?.includes(name)) return true
  const found = engine?.containers.find((container) => container.name === name)
  if (found?.restart !== 'no' || nodeOfLabels(found.labels)?.role !== 'master') return false
  const told = machines.find(({ installed }) => installed.apiReady && (installed.nodes ?? []).length > 0)
  return told !== undefined && !told.installed.nodes?.some((node) => node.name === name)
}

/** What is told of such a container, and what the user can do about it. Pure. */
export function aboutLeft(
  { name: cluster }: Pick<ClusterSpec, 'name'>,
  name: string,
): { readonly message: string; readonly hint: string } {
  return {
    message: `${name} was taken out of the cluster, and its container is still there: a delete was cut off`,
    hint: `finish it: airlift delete --name ${cluster} --masters ${name}; or let it join again: the same airlift run command`,
  }
}
