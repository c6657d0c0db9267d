import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { World } from '../runtime.js'

/**
 * Refuses a second master where the first keeps its data in SQLite, which cannot be shared: k3s would have to turn it into
 * etcd, with a restart and for good, and nobody asked for that. Pure.
 * @throws AirliftError E_REFUSED
 */
export function refuseSharingSqlite(spec: ClusterSpec, world: World, masters: readonly NodeSpec[]): void {
  if (spec.config['cluster-init'] === true || spec.config['datastore-endpoint'] !== undefined) return
  const keeper = world.machines.find(
    ({ node, installed, facts }) =>
      node.role === 'master' &&
      installed.cluster === spec.name &&
      installed.initialized &&
      /sqlite/.test(facts.managed.fragments['k3s-datastore'] ?? '') &&
      !/etcd/.test(facts.managed.fragments['k3s-datastore'] ?? ''),
  )
  const joining = masters.filter((node) => node !== keeper?.node)
  if (!keeper || joining.length === 0) return
  const names = joining.map((node) => node.target.text).join(', ')
  throw new AirliftError(
    'E_REFUSED',
    `${keeper.name} keeps the data of the cluster "${spec.name}" in SQLite, which ${names} cannot share`,
    {
      hint: `turn it into etcd first, for good and with a restart: airlift run … --set cluster-init=true for the machines that there are; then add masters`,
    },
  )
}
