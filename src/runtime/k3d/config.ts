import { CLUSTER_NETWORKS, clusterNetworks } from '../../cluster/cluster-networks.js'
import type { ClusterSpec, ConfigValue, NodeSpec } from '../../cluster/spec.js'
import { apiPort, nodeConfig, urlOf } from '../k3s/config.js'
import { unitName } from '../k3s/paths.js'
import { k3sRelease, parseK3sVersion } from '../k3s/versions.js'
import type { World } from '../runtime.js'
import { CONTAINER } from './contract.js'
import { listArg } from './k3s-args.js'
import { engineOf, type Layout } from './layout.js'

/** Whether a node founds the cluster, and through what it joins where it does not. */
export interface Joining {
  readonly founder: boolean
  /** Container that it joins through: the load balancer or a master. */
  readonly through: string
}

/** Text of a node's config.yaml. Decided before the container exists: name and address are given to it. */
export function containerConfig(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  node: NodeSpec,
  joining: Joining,
): string {
  const name = node.target.host
  const own = { ...spec, config: withListArgs(spec.config, node) }
  const addresses = [layout.addresses.get(name), layout.addresses6.get(name)]
  return nodeConfig({
    spec: own,
    configured: spec.config,
    node,
    name,
    addresses: addresses.filter((address) => address !== undefined),
    ...(joining.founder
      ? {}
      : { server: urlOf(layout.addresses.get(joining.through) ?? joining.through, apiPort(spec)) }),
    certificateNames: certificateNames(world, layout, name),
    extra: {
      log: `/var/log/${unitName(node.role)}.log`,
      alsologtostderr: true,
      'resolv-conf': CONTAINER.resolvConf,
      ...(node.role === 'master' ? dualStack(spec, layout) : {}),
      ...kubeletArgs(own, world, layout, node),
    },
  })
}

/**
 * The configuration with the lists of a node's arguments: k3s takes a list that is on its command line from there alone, and
 * what airlift or the user has in the file of the same name would be gone.
 */
function withListArgs(config: ClusterSpec['config'], node: NodeSpec): ClusterSpec['config'] {
  const merged: Record<string, ConfigValue> = { ...config }
  for (const arg of node.container?.k3sArgs ?? []) {
    const given = listArg(arg)
    if (!given) continue
    const there = merged[given.key]
    merged[given.key] = [...(there === undefined ? [] : [there].flat().map(String)), given.value]
  }
  return merged
}

/** Names under which a master is reached: from its nodes, through the load balancer, and from the operator's computer. */
function certificateNames(world: World, layout: Layout, name: string): string[] {
  const { endpoint } = engineOf(world)
  const all = [
    name,
    layout.addresses.get(name),
    layout.addresses6.get(name),
    layout.lb,
    layout.lb && layout.addresses.get(layout.lb),
    layout.lb && layout.addresses6.get(layout.lb),
    layout.api.host,
    endpoint.host,
    layout.api.address,
    '127.0.0.1',
    'localhost',
    CONTAINER.hostAlias,
  ]
  return [...new Set(all)].filter(
    (entry): entry is string => entry !== undefined && entry !== '' && entry !== '0.0.0.0' && entry !== '::',
  )
}

/**
 * What a master of a cluster with both families has to be told; k3s knows of none by itself. Nobody outside knows the way to a
 * pod's address of IPv6, so what pods send out there gets the address of their node, as it does with IPv4.
 */
function dualStack({ config }: ClusterSpec, { network }: Layout): Record<string, ConfigValue> {
  if (network.subnet6 === undefined) return {}
  const left = CLUSTER_NETWORKS.filter((key) => config[key] === undefined)
  return {
    ...Object.fromEntries(left.map((key) => [key, clusterNetworks(config, key, true)])),
    'flannel-ipv6-masq': true,
  }
}

/** What the kubelet has to be told about the engine's computer and the limits of the container. */
function kubeletArgs(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  node: NodeSpec,
): Record<string, ConfigValue> {
  const args: string[] = []
  const version = layout.image.version ?? ''
  const v1 = engineOf(world).info.cgroupVersion === '1'
  if (v1 && parseK3sVersion(version) && k3sRelease(version).refusesCgroupV1) args.push('fail-cgroupv1=false')
  const cpus = node.container?.cpus
  const given = JSON.stringify(spec.config['kubelet-arg'] ?? '')
  if (cpus !== undefined && !Number.isInteger(cpus) && !given.includes('kube-reserved=')) {
    // Capacity is in whole processors; what the container does not have of the last one is reserved.
    args.push(`kube-reserved=cpu=${Math.round((Math.ceil(cpus) - cpus) * 1000)}m`)
  }
  return args.length > 0 ? { 'kubelet-arg': args } : {}
}
