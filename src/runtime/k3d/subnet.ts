import { createHash } from 'node:crypto'
import { AirliftError } from '../../core/errors.js'
import { ipv4Range, ipv4Text } from '../../machine/docker/ipv4.js'
import type { EngineWorld } from '../runtime.js'

/** Networks of clusters are the /24 of this range, which neither Docker's own pools nor k3s' networks touch. */
const POOL = '10.118.0.0/16'
const SIZE = 256

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
  const { first, last } = ipv4Range(POOL) ?? { first: 0, last: -1 }
  const count = Math.floor((last - first + 1) / SIZE)
  const start = createHash('sha256').update(cluster).digest().readUInt32BE(0) % count
  for (let i = 0; i < count; i++) {
    const subnet = `${ipv4Text(first + ((start + i) % count) * SIZE)}/24`
    if (!taken.some((other) => overlap(subnet, other))) return subnet
  }
  throw new AirliftError('E_ENGINE_CONFLICT', `no network of ${POOL} is free for the containers`, {
    hint: 'name a free one: --subnet 192.168.77.0/24; see docker network ls for what dead runs left',
  })
}

/** Whether two IPv4 networks have an address in common; other texts have none. A default route is no network. */
export function overlap(a: string, b: string): boolean {
  const [one, two] = [ipv4Range(a), ipv4Range(b)]
  if (!one || !two || b.endsWith('/0')) return false
  return one.first <= two.last && two.first <= one.last
}

/** The address at a place of a subnet, from its first one: 1 is the gateway, 2 the load balancer, 3 and up the nodes. */
export function addressAt(subnet: string, place: number): string | undefined {
  const range = ipv4Range(subnet)
  // The last address is that of the broadcast.
  return range && range.first + place < range.last ? ipv4Text(range.first + place) : undefined
}

/** The free addresses of a subnet for nodes, the lowest first. */
export function* freeAddresses(subnet: string, taken: ReadonlySet<string>): Generator<string> {
  for (let place = 3; ; place++) {
    const address = addressAt(subnet, place)
    if (address === undefined) return
    if (!taken.has(address)) yield address
  }
}
