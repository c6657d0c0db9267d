import { isSamePort } from '../../cluster/container/published-ports.js'
import { type ContainerRecord, LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import type { ContainerSpec, PortSpec } from '../../cluster/container-spec.js'
import { containerName, PLAIN_CONTAINERS } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import type { EngineWorld, World } from '../runtime.js'
import { chooseImage, type ImageBefore, type ImageChoice } from './choose-image.js'
import { objectNames } from './contract.js'
import { addressAt, chooseSubnet, freeAddresses } from './subnet.js'

/** What is decided for the whole cluster: what it has already stays, the rest is chosen. */
export interface Layout {
  readonly network: { readonly name: string; readonly external: boolean; readonly subnet: string }
  /** Address by container. */
  readonly addresses: ReadonlyMap<string, string>
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
  const known = engine.containers.flatMap((container) => {
    const record = container.labels[LABELS.temporary] ? undefined : recordOfLabels(container.labels)
    return record ? [{ container, record }] : []
  })
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
    addresses: addressesOf(spec, engine, network, lb ?? portsLb, known),
    image: chooseImage(spec, world, imageBefore(known[0])),
    ...(lb ? { lb } : {}),
    ...(portsLb ? { portsLb } : {}),
    api,
    apiAt,
    ports: portsOf(wanted, lb ?? first, known, free),
  }
}

/**
 * Where the API is published. The loopback of another computer leads nowhere from here: there it is every address, unless
 * the user named one. (Who names 127.0.0.1 has it as `host` too, and a tunnel of his own.)
 */
function apiAddress(api: ContainerSpec['api'], { endpoint }: EngineWorld): string {
  return !endpoint.local && api.host === undefined && api.address === '127.0.0.1' ? '0.0.0.0' : api.address
}

interface Known {
  readonly container: EngineContainer
  readonly record: ContainerRecord
}

function imageBefore(known: Known | undefined): ImageBefore | undefined {
  return known && { ref: known.record.image, version: known.container.labels[LABELS.version] ?? '' }
}

function networkOf(
  spec: ClusterSpec,
  wanted: ContainerSpec,
  engine: EngineWorld,
  record: ContainerRecord | undefined,
): Layout['network'] {
  const name = record?.network ?? wanted.network ?? objectNames.network(spec.name)
  const external = record?.external ?? wanted.network !== undefined
  const found = engine.networks.find((network) => network.name === name)
  const subnet = found?.subnets.find((entry) => !entry.includes(':')) ?? record?.subnet ?? wanted.subnet
  if (subnet !== undefined) return { name, external, subnet }
  if (!external) return { name, external, subnet: chooseSubnet(engine, spec.name) }
  throw new AirliftError('E_SPEC_INVALID', `the engine has no network "${name}" with an IPv4 subnet`, {
    hint: `make it first: docker network create --subnet 192.168.77.0/24 ${name}; or leave --network out`,
  })
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
  network: Layout['network'],
  lb: string | undefined,
  known: readonly Known[],
): Map<string, string> {
  const addresses = new Map<string, string>()
  for (const { container, record } of known) {
    const address = record.address ?? container.addresses[network.name]
    if (address) addresses.set(container.name, address)
  }
  const attached = engine.networks.find((entry) => entry.name === network.name)
  const taken = new Set([
    ...addresses.values(),
    ...Object.values(attached?.containers ?? {}).map((address) => address.split('/')[0] ?? ''),
    ...(attached?.gateway ? [attached.gateway] : []),
    ...engine.others.flatMap((container) => container.addresses[network.name] ?? []),
  ])
  const free = freeAddresses(network.subnet, taken)
  const take = (): string => {
    const next = free.next()
    if (!next.done) return next.value
    throw new AirliftError('E_ENGINE_CONFLICT', `the network ${network.subnet} has no address left`, {
      hint: 'choose a bigger one: --subnet 10.118.0.0/22',
    })
  }
  if (lb && !addresses.has(lb)) {
    const own = addressAt(network.subnet, 2)
    addresses.set(lb, own && !taken.has(own) ? own : take())
  }
  for (const node of [...spec.masters, ...spec.nodes]) {
    if (!addresses.has(node.target.host)) addresses.set(node.target.host, take())
  }
  return addresses
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
