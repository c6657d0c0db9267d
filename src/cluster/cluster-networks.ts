import { isIP } from 'node:net'
import { cidrsOverlap, familyOf, type IpFamily, parseCidr, prefixOf } from '../core/cidr.js'
import type { SpecProblem } from './problems.js'
import type { ConfigValue } from './spec.js'

type Config = Readonly<Record<string, ConfigValue>>

/** The keys of k3s' configuration that hold networks of the cluster itself. */
export const CLUSTER_NETWORKS = ['cluster-cidr', 'service-cidr'] as const
type Key = (typeof CLUSTER_NETWORKS)[number]

/** k3s' own choice for each family. */
const DEFAULTS: Readonly<Record<Key, Readonly<Record<IpFamily, string>>>> = {
  'cluster-cidr': { 4: '10.42.0.0/16', 6: 'fd00:42::/56' },
  'service-cidr': { 4: '10.43.0.0/16', 6: 'fd00:43::/112' },
}
const WHOSE: Readonly<Record<Key, string>> = { 'cluster-cidr': 'pods', 'service-cidr': 'services' }

/** What Kubernetes takes of IPv6: each node gets a /64, and there may be 65536 of them; of services 8 addresses or more. */
const PREFIXES: Readonly<Record<Key, { readonly from: number; readonly to: number }>> = {
  'cluster-cidr': { from: 48, to: 64 },
  'service-cidr': { from: 64, to: 125 },
}

/** The networks that the user chose for a key; none where it was left to k3s. */
export function chosenNetworks(config: Config, key: Key): string[] {
  const value = config[key]
  if (value === undefined || typeof value === 'object') return Array.isArray(value) ? split(value) : []
  return split([value])
}

function split(values: readonly unknown[]): string[] {
  return values
    .flatMap((value) => String(value).split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
}

/** The networks of pods or services: the user's, else k3s' own of each family that the cluster has. */
export function clusterNetworks(config: Config, key: Key, dual: boolean): string[] {
  const chosen = chosenNetworks(config, key)
  if (chosen.length > 0) return chosen
  return dual ? [DEFAULTS[key][4], DEFAULTS[key][6]] : [DEFAULTS[key][4]]
}

/** The families of the cluster, the first one first, as its networks of pods say; undefined where the user chose none. */
export function familiesOf(config: Config): readonly IpFamily[] | undefined {
  const families = [...new Set(chosenNetworks(config, 'cluster-cidr').map(familyOf))]
  return families.length > 0 ? families : undefined
}

/** Whether a network of pods or services of IPv6 was chosen. */
export function namesIpv6(config: Config): boolean {
  return CLUSTER_NETWORKS.some((key) => chosenNetworks(config, key).some((cidr) => familyOf(cidr) === 6))
}

/**
 * Finds what k3s would end itself for, or what no cluster works with: networks that are none, two of one family, pods and
 * services of other families or in other order, too small or too large ones, and those that overlap.
 *
 * @param dual - the cluster has both families whatever was chosen, and what was left out is chosen for both
 */
export function networkProblems(config: Config, dual: boolean): SpecProblem[] {
  const found = CLUSTER_NETWORKS.flatMap((key) => keyProblems(key, config, dual))
  if (found.length > 0) return found
  const pods = clusterNetworks(config, 'cluster-cidr', dual)
  const services = clusterNetworks(config, 'service-cidr', dual)
  if (!sameFamilies(pods, services)) return [unlike(config, pods, services)]
  const meeting = pods.find((one) => services.some((other) => cidrsOverlap(one, other)))
  if (meeting === undefined) return []
  const message = `the pods have ${pods.join(',')}, which overlaps ${services.join(',')} of the services`
  return [problem(message, 'choose networks that have no address in common')]
}

function keyProblems(key: Key, config: Config, dual: boolean): SpecProblem[] {
  const chosen = chosenNetworks(config, key)
  const example = `--set ${key}=${pair(key)}`
  for (const cidr of chosen) {
    if (isIP(cidr.replace(/\/\d+$/, '')) === 0 || prefixOf(cidr) === undefined || !parseCidr(cidr))
      return [problem(`"${cidr}" of "${key}" is not a network in CIDR`, `write ${example}`)]
    const bits = prefixOf(cidr) ?? 0
    const { from, to } = PREFIXES[key]
    // Whoever gives nodes another size than /64 knows what fits.
    const own = key === 'cluster-cidr' && JSON.stringify(config).includes('node-cidr-mask-size')
    if (familyOf(cidr) === 6 && !own && (bits < from || bits > to)) {
      const message = `"${cidr}" of "${key}" is too ${bits < from ? 'large' : 'small'} for IPv6: Kubernetes takes /${from} to /${to}`
      return [problem(message, `write ${example}`)]
    }
  }
  const families = chosen.map(familyOf)
  if (chosen.length > new Set(families).size) {
    const message = `"${key}" has ${chosen.join(' and ')}: one of each family is all that it may have`
    return [problem(message, `write ${example}`)]
  }
  if (!dual || chosen.length === 0) return []
  if (chosen.length === 1) {
    const message = `"${key}" has only ${chosen[0]}, and a cluster with IPv4 and IPv6 needs one of each for its ${WHOSE[key]}`
    return [problem(message, `write --set ${key}=${completed(key, chosen[0] ?? '')}, or leave it out`)]
  }
  if (families[0] === 6) {
    const message = `"${key}" has IPv6 first, and nodes in containers reach each other over IPv4`
    return [problem(message, `write --set ${key}=${[...chosen].reverse().join(',')}`)]
  }
  return []
}

function sameFamilies(a: readonly string[], b: readonly string[]): boolean {
  return a.map(familyOf).join() === b.map(familyOf).join()
}

/** k3s: "cluster-cidr, service-cidr and node-ip must share the same IP version". */
function unlike(config: Config, pods: readonly string[], services: readonly string[]): SpecProblem {
  const names = (cidrs: readonly string[]): string =>
    cidrs.map((cidr) => `IPv${familyOf(cidr)}`).join(' and ')
  const message = `cluster-cidr is ${names(pods)}, service-cidr ${names(services)}: k3s wants the same families in the same order`
  const key = chosenNetworks(config, 'service-cidr').length < pods.length ? 'service-cidr' : 'cluster-cidr'
  const other = key === 'service-cidr' ? pods : services
  const now = clusterNetworks(config, key, false)
  const right = other.map(
    (cidr) => now.find((one) => familyOf(one) === familyOf(cidr)) ?? DEFAULTS[key][familyOf(cidr)],
  )
  return problem(message, `add --set ${key}=${right.join(',')}`)
}

function completed(key: Key, cidr: string): string {
  return familyOf(cidr) === 4 ? `${cidr},${DEFAULTS[key][6]}` : `${DEFAULTS[key][4]},${cidr}`
}

function pair(key: Key): string {
  return `${DEFAULTS[key][4]},${DEFAULTS[key][6]}`
}

function problem(message: string, hint: string): SpecProblem {
  return { code: 'E_CONFIG_INVALID', path: '--set', message, hint }
}
