import { CLUSTER_NETWORKS, clusterNetworks } from '../cluster/cluster-networks.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { World } from '../runtime/runtime.js'

type Config = ClusterSpec['config']

/**
 * Refuses other networks for pods or services than a cluster has: nodes and Services keep the addresses that they were given,
 * and k3s would not find its own any more. Leaving the flag out means k3s' own networks, which is a change, too. Pure.
 * @throws AirliftError E_UNSUPPORTED (exit 2)
 */
export function checkNetworksKept(spec: ClusterSpec, world: World): void {
  for (const { installed, facts } of world.machines) {
    const before = facts.managed.record?.config
    if (installed.role !== 'master' || !installed.initialized || !isConfig(before)) continue
    for (const key of CLUSTER_NETWORKS) {
      if (same(before, spec.config, key)) continue
      const was = clusterNetworks(before, key, false).join(',')
      const becomes = clusterNetworks(spec.config, key, false).join(',')
      throw new AirliftError(
        'E_UNSUPPORTED',
        `${key} of the cluster "${spec.name}" is ${was}, and cannot become ${becomes}`,
        { hint: `use --set ${key}=${was}; other networks need a new cluster` },
      )
    }
  }
}

/** Whether two configurations mean the same networks; what is left out is k3s' choice, of one family or of both. */
function same(a: Config, b: Config, key: (typeof CLUSTER_NETWORKS)[number]): boolean {
  return [false, true].some(
    (dual) => clusterNetworks(a, key, dual).join() === clusterNetworks(b, key, dual).join(),
  )
}

function isConfig(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
