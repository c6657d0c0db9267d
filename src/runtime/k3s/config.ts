import { familiesOf } from '../../cluster/cluster-networks.js'
import { renderConfig, splitConfig } from '../../cluster/config.js'
import { isSecretSetting } from '../../cluster/k3s-options.js'
import type { ClusterSpec, ConfigValue, NodeSpec } from '../../cluster/spec.js'
import { taintText } from '../../cluster/taint-text.js'
import { AirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'
import { machineHost } from '../../machine/machine-host.js'
import { secretRef } from '../../plan/fill-secrets.js'
import { nodeIpOf, nodeIpsOf } from '../preflight/node-ip.js'
import type { MachineWorld } from '../runtime.js'
import { K3S } from './paths.js'

const secretKey = (key: string, index?: number): string =>
  index === undefined ? `config:${key}` : `config:${key}.${index}`

/** The secrets that the user's k3s configuration holds, under the names that plans use. */
export function configSecrets(spec: ClusterSpec): Map<string, Secret> {
  const secrets = new Map<string, Secret>()
  // Escaped as inside a double-quoted YAML string, since that is where it is filled in.
  const keep = (name: string, value: string): unknown =>
    secrets.set(name, new Secret(JSON.stringify(value).slice(1, -1)))
  for (const [key, value] of Object.entries(spec.config)) {
    if (Array.isArray(value)) {
      for (const [index, item] of value.entries())
        if (hides(key, item)) keep(secretKey(key, index), String(item))
    } else if (hides(key, value)) keep(secretKey(key), String(value))
  }
  return secrets
}

function hides(key: string, value: ConfigValue): boolean {
  return typeof value === 'string' && isSecretSetting(key, value)
}

/** A value as plans may show it: what {@link configSecrets} of the same configuration holds is only referred to. */
function shown(key: string, value: ConfigValue, known: ConfigValue | undefined): ConfigValue {
  if (!Array.isArray(value)) return hides(key, value) ? secretRef(secretKey(key)) : value
  const count = Array.isArray(known) ? known.length : 0
  return value.map((item, index) =>
    index < count && hides(key, item) ? secretRef(secretKey(key, index)) : item,
  )
}

/** The node's name: its host name in lower case, as k3s itself would choose, unless the configuration has one. */
export function nodeName(machine: MachineWorld): string {
  return machine.facts.hostname.toLowerCase()
}

/** The address under which the other nodes reach a machine: the source of its route to the first master. */
export function nodeAddress(machine: MachineWorld): string {
  const address = nodeIpOf(machine.facts)
  if (address !== undefined) return address
  throw new AirliftError(
    'E_PREFLIGHT',
    `cannot tell which address ${machine.name} has towards the first master`,
    {
      machine: machine.name,
      hint: 'give it a default route, or a route to the first master',
    },
  )
}

/**
 * What a node has for node-ip: that address, or one of each family where the networks of the pods are of another one or of both.
 * @throws AirliftError E_PREFLIGHT where the machine has none
 */
export function nodeAddresses(spec: ClusterSpec, machine: MachineWorld): string[] {
  const configured = spec.config['node-ip']
  if (configured !== undefined) return [configured].flat().map(String)
  const own = nodeAddress(machine)
  const found = nodeIpsOf(machine.facts, familiesOf(spec.config))
  const addresses = found.filter((address) => address !== undefined)
  if (addresses.length === found.length) return addresses
  throw new AirliftError(
    'E_PREFLIGHT',
    `${machine.name} has ${own}, and beside it no address of the other family of cluster-cidr`,
    { machine: machine.name, hint: 'see what airlift doctor says of node-ip-family' },
  )
}

/** Port of the API server. */
export function apiPort(spec: ClusterSpec): number {
  const port = spec.config['https-listen-port']
  return typeof port === 'number' ? port : 6443
}

/** What a node joins through: a master, or the URL that its configuration names already. */
export type JoinPoint = MachineWorld | { readonly server: string }

/** `https://10.0.0.1:6443`, with brackets around IPv6. */
export function serverUrl(spec: ClusterSpec, machine: JoinPoint): string {
  if ('server' in machine) return machine.server
  return urlOf(nodeAddress(machine), apiPort(spec))
}

/** The URL of an API server at an address or a name. */
export function urlOf(host: string, port: number): string {
  return `https://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** Whether the cluster keeps its data in embedded etcd: with two masters or more, or when asked to. */
export function usesEtcd(spec: ClusterSpec): boolean {
  if (spec.config['datastore-endpoint'] !== undefined) return false
  return spec.masters.length > 1 || spec.config['cluster-init'] === true
}

/** What makes one node's configuration. */
export interface NodeConfigInput {
  readonly spec: ClusterSpec
  readonly node: NodeSpec
  readonly name: string
  /** Under which the other nodes reach it, one of each family of the cluster; none where k3s is to find it out. */
  readonly addresses: readonly string[]
  /** URL of what it joins through; absent for the first master. */
  readonly server?: string
  /** The first master's data is in etcd already, however many masters are left. */
  readonly etcd?: boolean
  /** Names in a master's certificate. */
  readonly certificateNames: readonly string[]
  /** The configuration whose secrets are known, where `spec` has arguments of this node in its lists beside it. */
  readonly configured?: ClusterSpec['config']
  /** What else the runtime sets; lists are joined with the user's. */
  readonly extra?: Readonly<Record<string, ConfigValue>>
}

/**
 * Text of /etc/rancher/k3s/config.yaml for one node. Each role gets only keys that it knows: a server's key in a worker's
 * file is fatal to k3s. What the user set wins over what airlift would choose.
 */
export function nodeConfig(input: NodeConfigInput): string {
  const { spec, node, addresses, server } = input
  const master = node.role === 'master'
  const own: Record<string, ConfigValue> = {
    'node-name': input.name,
    ...(addresses.length === 0 ? {} : { 'node-ip': addresses.join(',') }),
    'token-file': K3S.tokenFile,
    // Nothing on a machine reaches out: without this, every missing image waits for the internet's time-out.
    'disable-default-registry-endpoint': true,
    ...input.extra,
  }
  if (server !== undefined && (!master || spec.config['datastore-endpoint'] === undefined))
    own.server = server
  if (master && server === undefined && (usesEtcd(spec) || input.etcd)) own['cluster-init'] = true
  if (master) own['tls-san'] = [...input.certificateNames]
  const labels = Object.entries(node.labels).map(([key, value]) => `${key}=${value}`)
  const taints = node.taints.map(taintText)
  if (labels.length > 0) own['node-label'] = labels
  if (taints.length > 0) own['node-taint'] = taints

  const merged: Record<string, ConfigValue> = { ...own }
  for (const [key, value] of Object.entries(splitConfig(spec.config, node.role))) {
    if (key === 'token' || (key === 'cluster-init' && server !== undefined)) continue
    const mine = own[key]
    const given = shown(key, value, (input.configured ?? spec.config)[key])
    merged[key] = Array.isArray(mine) ? [...mine, ...(Array.isArray(given) ? given : [String(given)])] : given
  }
  return renderConfig(merged)
}

/** Whether a master of this cluster has its data in embedded etcd: k3s never goes back from it, so neither may its configuration. */
export function keepsEtcd(spec: ClusterSpec, machine: MachineWorld): boolean {
  return (
    spec.config['datastore-endpoint'] === undefined &&
    machine.installed.cluster === spec.name &&
    machine.installed.initialized &&
    (machine.facts.managed.fragments['k3s-datastore'] ?? '').includes('etcd')
  )
}

/** The configuration of a node on a host. */
export function hostConfig(input: {
  readonly spec: ClusterSpec
  readonly node: NodeSpec
  readonly machine: MachineWorld
  /** The master that it joins through; absent for the first one. */
  readonly join?: JoinPoint
  /** The resolv.conf that the kubelet hands to pods, when the host's own will not do. */
  readonly resolvConf?: string
}): string {
  const { spec, node, machine, join, resolvConf } = input
  const device = flannelDevice(machine)
  return nodeConfig({
    spec,
    node,
    name: nodeName(machine),
    addresses: nodeAddresses(spec, machine),
    ...(join ? { server: serverUrl(spec, join) } : {}),
    etcd: keepsEtcd(spec, machine),
    certificateNames: certificateNames(spec, machine),
    extra: {
      ...(device ? { 'flannel-iface': device } : {}),
      ...(resolvConf ? { 'resolv-conf': resolvConf } : {}),
    },
  })
}

/** Every name under which an operator may reach this master: as it was typed, as ssh resolved it, as its nodes know it. */
export function certificateNames(spec: ClusterSpec, machine: MachineWorld): string[] {
  const names = [
    ...[machine.node.target.host, machineHost(machine.id), nodeAddress(machine)],
    ...nodeAddresses(spec, machine),
  ]
  return [...new Set(names)].filter((name): name is string => name !== undefined && name !== 'local')
}

/** Flannel follows the default route; a node whose address is on another device must say so. */
function flannelDevice(machine: MachineWorld): string | undefined {
  const device = machine.facts.addresses.find((entry) => entry.address === nodeAddress(machine))?.device
  return device && device !== machine.facts.defaultRoute?.device ? device : undefined
}
