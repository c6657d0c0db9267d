import { createHash } from 'node:crypto'
import { cidrsOverlap, familyOf, ipText, parseCidr, prefixOf } from '../../core/cidr.js'
import { AirliftError } from '../../core/errors.js'
import type { EngineWorld } from '../runtime.js'

/** Networks of clusters are the /24 of this range, which neither Docker's own pools nor k3s' networks touch. */
const POOL = '10.118.0.0/16'
const SIZE = 256n
/** How many networks of IPv6 are tried. One in 2^40 is taken by chance. */
const TRIES = 16

/** Networks in use where the containers would be: the engine's and what its computer has routes to. */
export function takenSubnets(engine: EngineWorld, except?: string): string[] {
  const networks = engine.networks.filter((network) => network.name !== except)
  return [...networks.flatMap((network) => network.subnets), ...engine.routes]
}

/**
 * The first of airlift's networks that nothing uses. Where the search begins depends on the cluster's name: two clusters that
 * are made at the same moment do not choose the same. @throws AirliftError E_ENGINE_CONFLICT when none is left
 */
export function chooseSubnet(engine: EngineWorld, cluster: string): string {
  const taken = takenSubnets(engine)
  const { first, last } = parseCidr(POOL) ?? { first: 0n, last: -1n }
  const count = Number((last - first + 1n) / SIZE)
  const start = createHash('sha256').update(cluster).digest().readUInt32BE(0) % count
  for (let i = 0; i < count; i++) {
    const subnet = `${ipText(4, first + BigInt((start + i) % count) * SIZE)}/24`
    if (!taken.some((other) => overlap(subnet, other))) return subnet
  }
  throw new AirliftError('E_ENGINE_CONFLICT', `no network of ${POOL} is free for the containers`, {
    hint: 'name a free one: --subnet 192.168.77.0/24; see docker network ls for what dead runs left',
  })
}

/**
 * A network of IPv6 that nothing uses: a unique local one (RFC 4193) whose number comes of the cluster's name, so that the same
 * plan has the same. @throws AirliftError E_ENGINE_CONFLICT when none is found
 *
 * @param inside - networks of pods and services
 */
export function chooseSubnet6(engine: EngineWorld, cluster: string, inside: readonly string[]): string {
  const taken = [...takenSubnets(engine), ...inside]
  for (let i = 0; i < TRIES; i++) {
    const number = createHash('sha256').update(`${cluster} ${i}`).digest().readUIntBE(0, 5)
    const subnet = `${ipText(6, ((0xfdn << 40n) | BigInt(number)) << 80n)}/64`
    if (!taken.some((other) => overlap(subnet, other))) return subnet
  }
  throw new AirliftError('E_ENGINE_CONFLICT', 'no network of IPv6 was found free for the containers', {
    hint: 'name a free one: --subnet auto,fd00:28::/64',
  })
}

/** Whether two networks have an address in common; other texts have none. A default route is no network. */
export function overlap(a: string, b: string): boolean {
  return prefixOf(b) !== 0 && cidrsOverlap(a, b)
}

/** The address at a place of a subnet, from its first one: 1 is the gateway, 2 the load balancer, 3 and up the nodes. */
export function addressAt(subnet: string, place: number): string | undefined {
  const range = parseCidr(subnet)
  if (!range) return undefined
  const address = range.first + BigInt(place)
  // The last address is that of the broadcast; IPv6 has none, and can do without it.
  return address < range.last ? ipText(range.family, address) : undefined
}

/** The free addresses of a subnet for nodes, the lowest first. */
export function* freeAddresses(subnet: string, taken: ReadonlySet<string>): Generator<string> {
  for (let place = 3; ; place++) {
    const address = addressAt(subnet, place)
    if (address === undefined) return
    if (!taken.has(address)) yield address
  }
}

/** The subnet of a family among those of a network. */
export function subnetOf(subnets: readonly string[], family: 4 | 6): string | undefined {
  return subnets.find((subnet) => familyOf(subnet) === family)
}
