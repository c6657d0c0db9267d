import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { changedFiles } from '../k3s/desired.js'
import { machineOf } from '../k3s/first-master.js'
import { K3S } from '../k3s/paths.js'
import type { World } from '../runtime.js'
import type { Layout } from './layout.js'
import { nodeFiles } from './node-files.js'

/**
 * The master that a node's configuration names where there is no load balancer. A node that joined through one keeps it:
 * which master happens to answer first today is no reason to restart a node.
 */
export function joinThrough(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  node: NodeSpec,
  entry: NodeSpec,
): string {
  if (layout.lb !== undefined) return layout.lb
  const others = spec.masters.filter((master) => master !== node)
  const machine = machineOf(world, node)
  const kept = others.find((master) => {
    const files = nodeFiles(spec, world, layout, node, { founder: false, through: master.target.host })
    const config = files.filter((file) => file.path === K3S.config)
    return changedFiles(config, machine, world).length === 0
  })
  return (kept ?? (entry === node ? (others[0] ?? entry) : entry)).target.host
}
