import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { bareHost } from '../../core/bare-host.js'
import { changedFiles } from '../k3s/desired.js'
import { machineOf } from '../k3s/first-master.js'
import { isReady } from '../k3s/node-steps.js'
import type { MachineWorld, World } from '../runtime.js'
import type { Layout } from './layout.js'
import { configFile } from './node-files.js'

/**
 * The container that a node's configuration names. Workers join through the load balancer, where there is one: any master may
 * answer. A master joins through another one: to be admitted k3s asks the etcd of the one that it is given (pkg/etcd,
 * ClientURLs), and else of any, also of one that was admitted just before and serves nobody for 15 seconds yet. A node keeps
 * what it joined through: which master happens to answer first today is no reason to restart a node, nor that the one it names
 * has left the cluster.
 */
export function joinThrough(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  node: NodeSpec,
  entry: NodeSpec,
): string {
  const { lb } = layout
  if (lb !== undefined && node.role === 'worker') return lb
  const others = spec.masters.filter((master) => master !== node).map((master) => master.target.host)
  const machine = machineOf(world, node)
  const named = isReady({ world, node, machine }) ? namedServer(machine) : undefined
  const candidates = [...others, lb, named].filter((through) => through !== undefined)
  const kept = candidates.find((through) => {
    const config = configFile(spec, world, layout, node, { founder: false, through })
    return changedFiles([config], machine, world).length === 0
  })
  return kept ?? (entry === node ? (others[0] ?? entry.target.host) : entry.target.host)
}

/** The address of the server that a node's configuration names. */
function namedServer({ facts }: MachineWorld): string | undefined {
  const server = (facts.managed.fragments['k3s-server'] ?? '').trim()
  return URL.canParse(server) ? bareHost(new URL(server)) : undefined
}
