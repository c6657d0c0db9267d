import { isIP } from 'node:net'
import {
  cidrsOverlap,
  familyOf,
  type IpFamily,
  ipNumber,
  ipText,
  parseCidr,
  prefixOf,
} from '../../core/cidr.js'
import type { OptionProblem } from './option-problem.js'

/** Network, gateway, load balancer and broadcast; the nodes have the addresses between. */
const TAKEN = 4

/** Networks that no container can be in. */
const NOT_FOR_NETWORKS = [
  ...['127.0.0.0/8', '224.0.0.0/3', '169.254.0.0/16', '0.0.0.0/8'],
  ...['::/8', 'fe80::/10', 'ff00::/8'],
]

/** The shortest prefix that is taken. Docker lists no larger pools of IPv6. */
const LARGEST: Readonly<Record<IpFamily, number>> = { 4: 8, 6: 48 }
const EXAMPLE: Readonly<Record<IpFamily, string>> = { 4: '172.28.0.0/16', 6: 'fd00:28::/64' }

/** What `--subnet` says; a subnet that is left out is airlift's to choose. */
export interface Subnets {
  readonly subnet?: string
  readonly subnet6?: string
  /** It names both families. */
  readonly dual?: true
}

/** Reads `--network NAME`. Networks without addresses of their own cannot hold a cluster. */
export function checkNetworkName(name: string): OptionProblem | undefined {
  const hint =
    'name a network of your own: docker network create NAME, or leave it out for one that airlift makes'
  if (!/^[A-Za-z0-9][\w.-]{0,127}$/.test(name))
    return { message: `"${name}" is not the name of a network`, hint }
  if (['host', 'none', 'bridge', 'default'].includes(name)) {
    return { message: `containers have no fixed addresses in the network "${name}"`, hint }
  }
  return undefined
}

/**
 * Reads `--subnet`: CIDR of IPv4, or k3d's `auto` for a free one; behind a comma the same of IPv6, for a cluster with both.
 *
 * @param nodes - how many nodes must have room
 * @param inside - subnets of the cluster itself (pods, services) that it may not overlap
 */
export function parseSubnet(text: string, nodes: number, inside: readonly string[]): Subnets | OptionProblem {
  const parts = text.split(',').map((part) => part.trim())
  const [first = '', second] = parts
  if (second === undefined) {
    if (isSubnet(first, 6)) {
      const message = `"${text}" has no IPv4, and nodes in containers reach each other over IPv4`
      return { message, hint: `write auto,${first} for a cluster with both families` }
    }
    const subnet = readSubnet(first, 4, nodes, inside)
    return typeof subnet === 'string' ? { subnet } : (subnet ?? {})
  }
  const families = parts.filter((part) => part !== 'auto' && part !== '').map(familyOf)
  if (parts.length > 2 || new Set(families).size < families.length) {
    const message = `"${text}" has more than one subnet of a family`
    return { message, hint: `write one of IPv4 and one of IPv6: ${EXAMPLE[4]},${EXAMPLE[6]}` }
  }
  if (isSubnet(first, 6) || isSubnet(second, 4)) {
    return { message: `"${text}" has IPv6 first`, hint: `write IPv4 first: ${second},${first}` }
  }
  const subnet = readSubnet(first, 4, nodes, inside)
  if (typeof subnet === 'object') return subnet
  const subnet6 = readSubnet(second, 6, nodes, inside)
  if (typeof subnet6 === 'object') return subnet6
  return {
    ...(subnet === undefined ? {} : { subnet }),
    ...(subnet6 === undefined ? {} : { subnet6 }),
    dual: true,
  }
}

function isSubnet(text: string, family: IpFamily): boolean {
  return isIP(text.replace(/\/\d{1,3}$/, '')) === family && prefixOf(text) !== undefined && !!parseCidr(text)
}

/** One subnet of a family in its short form; undefined for `auto`. */
function readSubnet(
  text: string,
  family: IpFamily,
  nodes: number,
  inside: readonly string[],
): string | OptionProblem | undefined {
  if (text === 'auto') return undefined
  const hint = `write CIDR of IPv${family}, such as ${EXAMPLE[family]}, or auto`
  const range = isSubnet(text, family) ? parseCidr(text) : undefined
  const bits = prefixOf(text)
  if (range === undefined || bits === undefined) return { message: `"${text}" is not a subnet`, hint }
  const right = `${ipText(family, range.first)}/${bits}`
  if (ipNumber(text.replace(/\/.*$/, '')) !== range.first) {
    return { message: `"${text}" is an address in the subnet ${right}`, hint: `write ${right}` }
  }
  const size = range.last - range.first + 1n
  if (size < BigInt(nodes + TAKEN)) {
    const needed = (family === 4 ? 32 : 128) - Math.ceil(Math.log2(nodes + TAKEN))
    const room = Math.max(0, Number(size) - TAKEN)
    const message = `"${text}" has addresses for ${room} node${room === 1 ? '' : 's'}, and ${nodes} are asked for`
    return { message, hint: `take a /${needed} or larger` }
  }
  if (bits < LARGEST[family]) return { message: `"${text}" is larger than a /${LARGEST[family]}`, hint }
  const taken = [...NOT_FOR_NETWORKS, ...inside].find((other) => cidrsOverlap(text, other))
  if (taken !== undefined) {
    const what = inside.includes(taken) ? 'pods or services have' : 'is not for networks'
    return {
      message: `"${text}" overlaps ${taken}, which ${what}`,
      hint: `choose another, such as ${EXAMPLE[family]}`,
    }
  }
  return right
}
