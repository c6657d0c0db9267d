import { CLUSTER_NETWORKS, clusterNetworks } from '../../cluster/cluster-networks.js'
import { isSamePort } from '../../cluster/container/published-ports.js'
import { type ContainerRecord, LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import type { ContainerSpec, PortSpec } from '../../cluster/container-spec.js'
import { containerName, PLAIN_CONTAINERS } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { IpFamily } from '../../core/cidr.js'
import { AirliftError } from '../../core/errors.js'
import type { EngineContainer, EngineNetwork } from '../../machine/docker/engine.js'
import type { EngineWorld, World } from '../runtime.js'
import { chooseImage, type ImageBefore, type ImageChoice } from './choose-image.js'
import { objectNames } from './contract.js'
import { addressAt, chooseSubnet, chooseSubnet6, freeAddresses, subnetOf } from './subnet.js'

/** What is decided for the whole cluster: what it has already stays, the rest is chosen. */
export interface Layout {
  readonly network: LayoutNetwork
  /** Address by container. */
  readonly addresses: ReadonlyMap<string, string>
  /** Address of IPv6 by container; none where the cluster has only IPv4. */
  readonly addresses6: ReadonlyMap<string, string>
  readonly image: ImageChoice
  /** Name of the load balancer's container; absent where there is none. */
  readonly lb?: string
  /** Name of a load balancer that only publishes ports: the masters are reached without it. */
  readonly portsLb?: string
  readonly api: { readonly host?: string; readonly address: string; readonly port: number }
  /** Published ports by container, with the free ones chosen. */
  readonly ports: ReadonlyMap<string, readonly PortSpec[]>
  /** The container that publishes the API. */
  readonly apiAt: string
  /** A load balancer that was lost, as masters remember it. */
  readonly balancer?: ContainerRecord
}

/** The network that the containers are in. */
export interface LayoutNetwork {
  readonly name: string
  readonly external: boolean
  readonly subnet: string
  /** Of IPv6, where the cluster has both families. */
  readonly subnet6?: string
}

/** The options of a cluster in containers; those of a plain one where the spec says nothing. */
export function containersOf(spec: ClusterSpec): ContainerSpec {
  return spec.containers ?? PLAIN_CONTAINERS
}

/** The engine of a world. @throws AirliftError E_INTERNAL where the machines are no containers */
export function engineOf(world: World): EngineWorld {
  if (world.engine) return world.engine
  throw new AirliftError('E_INTERNAL', 'no container engine was looked at')
}

/** The container of a name in this cluster. */
export function containerOf(world: World, name: string): EngineContainer | undefined {
  return engineOf(world).containers.find((container) => container.name === name)
}

/** What a layout is for. */
export interface LayoutOptions {
  /** Ports are to be published by a load balancer, also where there is none yet. Default false. */
  readonly forPorts?: boolean
}

/** Decides the layout. Pure: planning it twice gives the same. @throws AirliftError E_ENGINE_CONFLICT, E_SPEC_INVALID */
export function layoutOf(spec: ClusterSpec, world: World, options: LayoutOptions = {}): Layout {
  const engine = engineOf(world)
  const wanted = containersOf(spec)
  const known = knownContainers(spec, engine)
  const records = known.map((entry) => entry.record)
  const network = networkOf(spec, wanted, engine, records[0])
  const balancer = containerName(spec.name, 'lb')
  const lb = hasLoadBalancer(spec, wanted, records) ? balancer : undefined
  const isThere = known.some(({ container }) => container.name === balancer)
  const portsLb = lb === undefined && (isThere || options.forPorts) ? balancer : undefined
  const first = spec.masters[0]?.target.host ?? containerName(spec.name, 'master', 0)
  const publisher = known.find((entry) => entry.record.api)
  const apiAt = publisher?.container.name ?? lb ?? first
  const free = [...engine.freePorts].filter((port) => !wanted.ports.some(({ hostPort }) => hostPort === port))
  const api = publisher?.record.api ?? {
    ...(wanted.api.host === undefined ? {} : { host: wanted.api.host }),
    address: apiAddress(wanted.api, engine),
    port: wanted.api.port ?? nextPort(free),
  }
  return {
    network,
    addresses: addressesOf(spec, engine, network, 4, lb ?? portsLb, known),
    addresses6: addressesOf(spec, engine, network, 6, lb ?? portsLb, known),
    image: chooseImage(spec, world, imageBefore(known[0])),
    ...(lb ? { lb } : {}),
    ...(portsLb ? { portsLb } : {}),
    api,
    apiAt,
    ports: portsOf(wanted, lb ?? first, known, free),
    ...(engine.remembered?.record ? { balancer: engine.remembered.record } : {}),
  }
}

/**
 * Where the API is published. The loopback of another computer leads nowhere from here: there it is every address, unless
 * the user named one. (Who names 127.0.0.1 has it as `host` too, and a tunnel of his own.)
 */
function apiAddress(api: ContainerSpec['api'], { endpoint }: EngineWorld): string {
  return !endpoint.local && api.host === undefined && api.address === '127.0.0.1' ? '0.0.0.0' : api.address
}

/** A container with what it was made from; of a load balancer that was lost, what masters remember of it. */
export interface Known {
  readonly container: Pick<EngineContainer, 'name' | 'labels' | 'addresses' | 'addresses6'>
  readonly record: ContainerRecord
}

/** What the containers of a cluster were made from, and the load balancer is to be made from again. Pure. */
export function knownContainers({ name: cluster }: ClusterSpec, engine: EngineWorld): readonly Known[] {
  const name = containerName(cluster, 'lb')
  const again = engine.remembered?.record
  const there = engine.containers.flatMap((container) => {
    const record = container.labels[LABELS.temporary] ? undefined : recordOfLabels(container.labels)
    return record && !(again && container.name === name) ? [{ container, record }] : []
  })
  return again ? [...there, { container: { name, labels: {}, addresses: {} }, record: again }] : there
}

function imageBefore(known: Known | undefined): ImageBefore | undefined {
  return known && { ref: known.record.image, version: known.container.labels[LABELS.version] ?? '' }
}

function networkOf(
  spec: ClusterSpec,
  wanted: ContainerSpec,
  engine: EngineWorld,
  record: ContainerRecord | undefined,
): LayoutNetwork {
  const name = record?.network ?? wanted.network ?? objectNames.network(spec.name)
  const external = record?.external ?? wanted.network !== undefined
  const found = engine.networks.find((network) => network.name === name)
  const subnet = subnetOf(found?.subnets ?? [], 4) ?? record?.subnet ?? wanted.subnet
  if (subnet === undefined && external)
    throw new AirliftError('E_SPEC_INVALID', `the engine has no network "${name}" with an IPv4 subnet`, {
      hint: `make it first: docker network create --subnet 192.168.77.0/24 ${name}; or leave --network out`,
    })
  const subnet6 = subnet6Of(spec, wanted, engine, record, { name, external, found })
  return {
    name,
    external,
    subnet: subnet ?? chooseSubnet(engine, spec.name),
    ...(subnet6 === undefined ? {} : { subnet6 }),
  }
}

/**
 * The network of IPv6, where the cluster has one: what it was made with, else what is wanted; a network of its own that a dead
 * run left says it too, where nothing is wanted.
 */
function subnet6Of(
  spec: ClusterSpec,
  wanted: ContainerSpec,
  engine: EngineWorld,
  record: ContainerRecord | undefined,
  { name, external, found }: { name: string; external: boolean; found: EngineNetwork | undefined },
): string | undefined {
  const there = subnetOf(found?.subnets ?? [], 6)
  const left = !external && wanted.ipFamily === undefined && there !== undefined
  const dual = record ? record.subnet6 !== undefined : wanted.ipFamily === 'dual' || left
  if (!dual) return undefined
  if (there !== undefined) return there
  if (found && !record) {
    const hint = external
      ? `make one with both: docker network create --ipv6 --subnet 192.168.77.0/24 --subnet fd00:77::/64 NAME; or leave --network out`
      : `remove what is left of an earlier run: airlift reset --name ${spec.name}`
    throw new AirliftError('E_SPEC_INVALID', `the network "${name}" has no IPv6`, { hint })
  }
  const inside = CLUSTER_NETWORKS.flatMap((key) => clusterNetworks(spec.config, key, true))
  return record?.subnet6 ?? wanted.subnet6 ?? chooseSubnet6(engine, spec.name, inside)
}

/** With two masters or more, unless it was not wanted; a cluster that was made without keeps being without. */
function hasLoadBalancer(
  spec: ClusterSpec,
  wanted: ContainerSpec,
  records: readonly ContainerRecord[],
): boolean {
  if (records.length > 0) return records.some((record) => record.loadBalancer)
  return wanted.loadBalancer && spec.masters.length > 1
}

function addressesOf(
  spec: ClusterSpec,
  engine: EngineWorld,
  network: LayoutNetwork,
  family: IpFamily,
  lb: string | undefined,
  known: readonly Known[],
): Map<string, string> {
  const addresses = new Map<string, string>()
  const subnet = family === 4 ? network.subnet : network.subnet6
  if (subnet === undefined) return addresses
  const ofContainer = (container: Known['container']): string | undefined =>
    (family === 4 ? container.addresses : container.addresses6)?.[network.name]
  for (const { container, record } of known) {
    const address = (family === 4 ? record.address : record.address6) ?? ofContainer(container)
    if (address) addresses.set(container.name, address)
  }
  const attached = engine.networks.find((entry) => entry.name === network.name)
  const [members, gateway] =
    family === 4 ? [attached?.containers, attached?.gateway] : [attached?.containers6, attached?.gateway6]
  const taken = new Set([
    ...addresses.values(),
    ...Object.values(members ?? {}).map((address) => address.split('/')[0] ?? ''),
    ...(gateway ? [gateway] : []),
    ...engine.others.flatMap((container) => ofContainer(container) ?? []),
  ])
  const free = freeAddresses(subnet, taken)
  const take = (): string => {
    const next = free.next()
    if (!next.done) return next.value
    throw noAddressLeft(subnet, network, known.length > 0)
  }
  if (lb && !addresses.has(lb)) {
    const own = addressAt(subnet, 2)
    addresses.set(lb, own && !taken.has(own) ? own : take())
  }
  for (const node of [...spec.masters, ...spec.nodes]) {
    if (!addresses.has(node.target.host)) addresses.set(node.target.host, take())
  }
  return addresses
}

/** Nothing was changed yet; the network of a cluster that exists cannot be made bigger. */
function noAddressLeft(subnet: string, { name, external }: LayoutNetwork, exists: boolean): AirliftError {
  const bigger = external
    ? 'a bigger network of --network: docker network create --subnet 172.30.0.0/22 NAME'
    : 'a bigger one: --subnet 10.118.0.0/22'
  const message = `the network "${name}" (${subnet}) has no address left for so many nodes`
  const hint = exists
    ? `ask for fewer, or airlift delete others first; a cluster keeps its network: airlift reset, then airlift run with ${bigger}`
    : `ask for fewer, or choose ${bigger}`
  return new AirliftError('E_SPEC_INVALID', message, { hint })
}

/** Takes a free port of the engine's computer. @throws AirliftError E_ENGINE_CONFLICT when none is left */
export function nextPort(free: number[]): number {
  const port = free.shift()
  if (port !== undefined) return port
  throw new AirliftError('E_ENGINE_CONFLICT', "no free port was found on the engine's computer", {
    hint: 'name one: --api-port 6550',
  })
}

/** Ports by the container that publishes them: a container that exists has those of its label, whatever is wanted now. */
function portsOf(
  wanted: ContainerSpec,
  front: string,
  known: readonly Known[],
  free: number[],
): Map<string, readonly PortSpec[]> {
  const there = new Map(known.map(({ container, record }) => [container.name, record.ports]))
  const left = [...there.values()].flat()
  const made = new Map<string, PortSpec[]>()
  for (const port of wanted.ports) {
    for (const at of port.via === 'proxy' ? [front] : port.nodes) {
      if (there.has(at)) continue
      // A load balancer that was made for ports may have it.
      if (port.via === 'proxy' && left.some((entry) => isSamePort(port, entry))) continue
      const hostPort = port.hostPort !== 0 ? port.hostPort : nextPort(free)
      made.set(at, [...(made.get(at) ?? []), { ...port, hostPort }])
    }
  }
  return new Map([...there, ...made])
}
