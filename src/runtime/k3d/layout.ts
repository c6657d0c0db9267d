import { type ContainerRecord, LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import type { ContainerSpec, PortSpec } from '../../cluster/container-spec.js'
import { containerName, PLAIN_CONTAINER } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import type { EngineWorld, World } from '../runtime.js'
import { chooseImage, type ImageChoice } from './choose-image.js'
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
  readonly api: { readonly host?: string; readonly address: string; readonly port: number }
  /** Published ports by container, with the free ones chosen. */
  readonly ports: ReadonlyMap<string, readonly PortSpec[]>
  /** The container that publishes the API. */
  readonly apiAt: string
}

/** The options of a cluster in containers; those of a plain one where the spec says nothing. */
export function containersOf(spec: ClusterSpec): ContainerSpec {
  return (
    spec.containers ?? {
      loadBalancer: true,
      api: { address: '127.0.0.1' },
      ports: [],
      ulimits: [],
      hostAliases: [],
      lb: PLAIN_CONTAINER,
      keep: false,
    }
  )
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

/** Decides the layout. Pure: planning it twice gives the same. @throws AirliftError E_ENGINE_CONFLICT, E_SPEC_INVALID */
export function layoutOf(spec: ClusterSpec, world: World): Layout {
  const engine = engineOf(world)
  const wanted = containersOf(spec)
  const known = engine.containers.flatMap((container) => {
    const record = container.labels[LABELS.temporary] ? undefined : recordOfLabels(container.labels)
    return record ? [{ container, record }] : []
  })
  const records = known.map((entry) => entry.record)
  const network = networkOf(spec, wanted, engine, records[0])
  const lb = hasLoadBalancer(spec, wanted, records) ? containerName(spec.name, 'lb') : undefined
  const first = spec.masters[0]?.target.host ?? containerName(spec.name, 'master', 0)
  const publisher = known.find((entry) => entry.record.api)
  const apiAt = publisher?.container.name ?? lb ?? first
  const free = [...engine.freePorts].filter((port) => !wanted.ports.some(({ hostPort }) => hostPort === port))
  const api = publisher?.record.api ?? {
    ...(wanted.api.host === undefined ? {} : { host: wanted.api.host }),
    address: wanted.api.address,
    port: wanted.api.port ?? nextPort(free),
  }
  return {
    network,
    addresses: addressesOf(spec, engine, network, lb, known),
    image: chooseImage(spec, world, records[0]?.image),
    ...(lb ? { lb } : {}),
    api,
    apiAt,
    ports: portsOf(wanted, lb ?? first, known, free),
  }
}

interface Known {
  readonly container: EngineContainer
  readonly record: ContainerRecord
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
  if (!external) return { name, external, subnet: chooseSubnet(engine) }
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

function nextPort(free: number[]): number {
  const port = free.shift()
  if (port !== undefined) return port
  throw new AirliftError('E_ENGINE_CONFLICT', "no free port was found on the engine's computer", {
    hint: 'name one: --api-port 6550',
  })
}

/** Ports by the container that publishes them; one without a number keeps the number that it was given at first. */
function portsOf(
  wanted: ContainerSpec,
  front: string,
  known: readonly Known[],
  free: number[],
): Map<string, PortSpec[]> {
  const ports = new Map<string, PortSpec[]>()
  for (const port of wanted.ports) {
    for (const at of port.via === 'proxy' ? [front] : port.nodes) {
      const list = ports.get(at) ?? []
      ports.set(at, list)
      const before = known
        .find(({ container }) => container.name === at)
        ?.record.ports.find(
          (entry) => samePort(entry, port) && !list.some((one) => one.hostPort === entry.hostPort),
        )
      const hostPort = port.hostPort !== 0 ? port.hostPort : (before?.hostPort ?? nextPort(free))
      list.push({ ...port, hostPort })
    }
  }
  return ports
}

/** Whether two ports are the same but for the number on the computer that was left to airlift. */
function samePort(a: PortSpec, b: PortSpec): boolean {
  return (
    a.containerPort === b.containerPort &&
    a.protocol === b.protocol &&
    a.address === b.address &&
    a.via === b.via
  )
}
