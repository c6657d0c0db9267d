import { ipText } from '../../core/cidr.js'
import type { Facts, RouteFact } from './facts.js'
import { linesOf, type ProbeOutput } from './probe-output.js'

/** `0100007F` of /proc/net/tcp (one little-endian word) as `127.0.0.1`. Undefined when it is no address. */
export function hexToIpv4(hex: string): string | undefined {
  if (!/^[0-9a-fA-F]{8}$/.test(hex)) return undefined
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.')
}

/** 32 hex digits of /proc/net/tcp6 (four little-endian words) as an IPv6 address. Undefined when it is no address. */
export function hexToIpv6(hex: string): string | undefined {
  if (!/^[0-9a-fA-F]{32}$/.test(hex)) return undefined
  const words = [0, 8, 16, 24].map((at) => hex.slice(at, at + 8))
  return groupsToIpv6(words.map((word) => (word.match(/../g) ?? []).reverse().join('')).join(''))
}

/** 32 hex digits in network order as the shortest IPv6 text. */
export function groupsToIpv6(hex: string): string {
  return ipText(6, BigInt(`0x${hex}`))
}

/** IPv4 routes of /proc/net/route, for hosts without `ip`. */
export function parseProcRoutes(output: ProbeOutput): readonly RouteFact[] {
  return linesOf(output, 'procRoute')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/)
      const network = hexToIpv4(fields[1] ?? '')
      const mask = hexToIpv4(fields[7] ?? '')
      if (network === undefined || mask === undefined) return []
      const prefix = mask
        .split('.')
        .map((byte) => Number(byte).toString(2).replaceAll('0', '').length)
        .reduce((sum, bits) => sum + bits, 0)
      return [{ destination: `${network}/${prefix}`, device: fields[0] ?? '' }]
    })
}

/**
 * Addresses without `ip`: the local ones of /proc/net/fib_trie, given to the device whose network of /proc/net/route holds
 * them, and those of /proc/net/if_inet6.
 */
export function parseProcAddresses(output: ProbeOutput): readonly Facts['addresses'][number][] {
  const found: Facts['addresses'][number][] = []
  const routes = parseProcRoutes(output).filter((route) => route.destination !== '0.0.0.0/0')
  const locals = new Set<string>()
  let last = ''
  for (const line of linesOf(output, 'fibTrie')) {
    const leaf = /\|--\s+([0-9.]+)/.exec(line)
    if (leaf) last = leaf[1] ?? ''
    else if (/\/32 host LOCAL/.test(line)) locals.add(last)
  }
  for (const address of locals) {
    const route = routes.find((candidate) => holds(candidate.destination, address))
    if (route) {
      found.push({ device: route.device, address, prefix: Number(route.destination.split('/')[1]) })
    } else if (!address.startsWith('127.')) found.push({ device: '', address, prefix: 32 })
  }
  for (const line of linesOf(output, 'ifInet6')) {
    const [hex = '', , prefix = '', , flags = '0', device = ''] = line.trim().split(/\s+/)
    const has = (mask: number): boolean => (Number.parseInt(flags, 16) & mask) !== 0
    // Tentative, or failed its check.
    if (hex.length !== 32 || has(0x48)) continue
    const address = groupsToIpv6(hex)
    // A privacy address, or one that is deprecated.
    const temporary = has(0x21) ? { temporary: true as const } : {}
    found.push({ device, address, prefix: Number.parseInt(prefix, 16), ...temporary })
  }
  return found
}

function holds(network: string, address: string): boolean {
  const [base = '', prefix = '32'] = network.split('/')
  const shift = 32 - Number(prefix)
  const number = (text: string): number => text.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
  return Math.floor(number(base) / 2 ** shift) === Math.floor(number(address) / 2 ** shift)
}
