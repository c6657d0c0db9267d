import { cidrsOverlap, familyOf, type IpFamily, ipNumber } from '../../core/cidr.js'
import type { Facts } from '../../machine/facts/facts.js'

/**
 * The address under which the other nodes reach a machine: the source of its route to the first master, else that of its
 * default route. A kernel with privacy addresses sends from one that it gives up within days: then it is a lasting one of the
 * same device. Undefined when none of them is usable. Pure.
 */
export function nodeIpOf(facts: Facts): string | undefined {
  const { routeSource, defaultRoute } = facts
  const source = [routeSource?.address, defaultRoute?.source].find(usable)
  if (source !== undefined)
    return isTemporary(facts, source) ? besides(facts, source, familyOf(source)) : source
  return facts.addresses.find(
    (entry) => entry.device === defaultRoute?.device && usable(entry.address) && !entry.temporary,
  )?.address
}

function isTemporary({ addresses }: Facts, address: string): boolean {
  return addresses.some((entry) => entry.address === address && entry.temporary)
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

/**
 * A lasting address of the device that has `own`. One of the same network first, else of several the lowest: the order in which
 * a kernel lists them is another one after the next boot.
 */
function besides(facts: Facts, own: string, family: IpFamily): string | undefined {
  const entryOfOwn = facts.addresses.find((entry) => entry.address === own)
  const found = facts.addresses.filter(
    (entry) =>
      entry.device === entryOfOwn?.device &&
      familyOf(entry.address) === family &&
      usable(entry.address) &&
      !entry.temporary,
  )
  const near = found.filter((entry) => cidrsOverlap(entry.address, `${own}/${entry.prefix}`))
  const order = (entry: Facts['addresses'][number]): bigint => ipNumber(entry.address) ?? 0n
  return (near.length > 0 ? near : found).sort((a, b) => (order(a) < order(b) ? -1 : 1))[0]?.address
}

function usable(address: string | undefined): address is string {
  return address !== undefined && !/^(127\.|::1$|fe80:|169\.254\.)/i.test(address)
}
