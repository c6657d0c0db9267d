import { familyOf, type IpFamily, ipNumber } from '../../core/cidr.js'
import type { Facts } from '../../machine/facts/facts.js'

/**
 * The address under which the other nodes reach a machine: the source of its route to the first master, else that of its
 * default route. Undefined when none of them is usable. Pure.
 */
export function nodeIpOf(facts: Facts): string | undefined {
  const { routeSource, defaultRoute, addresses } = facts
  if (usable(routeSource?.address)) return routeSource.address
  if (usable(defaultRoute?.source)) return defaultRoute.source
  return addresses.find((entry) => entry.device === defaultRoute?.device && usable(entry.address))?.address
}

/**
 * The addresses of a node, one for each family of the cluster, in that order: of the family of its own address that one, of the
 * other one a lasting address of the same device. Undefined where there is none. Pure.
 *
 * @param families - absent: whatever its own address is
 */
export function nodeIpsOf(
  facts: Facts,
  families: readonly IpFamily[] | undefined,
): readonly (string | undefined)[] {
  const own = nodeIpOf(facts)
  if (own === undefined || families === undefined) return [own]
  return families.map((family) => (familyOf(own) === family ? own : besides(facts, own, family)))
}

/** The device that the address of the node is on. */
export function nodeDevice(facts: Facts): string | undefined {
  const own = nodeIpOf(facts)
  return facts.addresses.find((entry) => entry.address === own)?.device
}

/** Of several the lowest: the order in which a kernel lists them is another one after the next boot. */
function besides(facts: Facts, own: string, family: IpFamily): string | undefined {
  const device = facts.addresses.find((entry) => entry.address === own)?.device
  const found = facts.addresses.filter(
    (entry) =>
      entry.device === device &&
      familyOf(entry.address) === family &&
      usable(entry.address) &&
      !entry.temporary,
  )
  const order = (entry: Facts['addresses'][number]): bigint => ipNumber(entry.address) ?? 0n
  return found.sort((a, b) => (order(a) < order(b) ? -1 : 1))[0]?.address
}

function usable(address: string | undefined): address is string {
  return address !== undefined && !/^(127\.|::1$|fe80:|169\.254\.)/i.test(address)
}
