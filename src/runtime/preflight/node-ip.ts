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

function usable(address: string | undefined): address is string {
  return address !== undefined && !/^(127\.|::1$|fe80:|169\.254\.)/i.test(address)
}
