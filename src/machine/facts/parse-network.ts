import type { Facts, ListenerFact, RouteFact } from './facts.js'
import { linesOf, one, type ProbeOutput } from './probe-output.js'
import { hexToIpv4, hexToIpv6, parseProcAddresses, parseProcRoutes } from './proc-net.js'

type Address = Facts['addresses'][number]

/** Addresses of all devices without loopback ones and without link-local IPv6, which no node can be reached at. */
export function parseAddresses(output: ProbeOutput): readonly Address[] {
  const lines = linesOf(output, 'ipAddr')
  const found = lines.length > 0 ? lines.flatMap(parseAddressLine) : parseProcAddresses(output)
  return found.filter(
    (entry) =>
      !entry.address.startsWith('127.') && entry.address !== '::1' && !/^fe[89ab]/i.test(entry.address),
  )
}

/** `2: eth0    inet 10.0.0.1/24 brd … scope global eth0\ …`; addresses that failed or still wait for their check are left out. */
function parseAddressLine(line: string): Address[] {
  const match =
    /^\d+:\s+(\S+?)(?:@\S+)?\s+inet6?\s+([0-9a-fA-F.:]+)(?:\s+peer\s+\S+?)?(?:\/(\d+))?\s(.*)$/.exec(line)
  if (!match) return []
  const [, device = '', address = '', prefix, rest = ''] = match
  if (/\b(dadfailed|tentative)\b/.test(rest)) return []
  const bits = prefix === undefined ? (address.includes(':') ? 128 : 32) : Number(prefix)
  const temporary = /\b(temporary|deprecated)\b/.test(rest)
  return [{ device, address, prefix: bits, ...(temporary ? { temporary } : {}) }]
}

/**
 * Routes of `ip route`, one a line. One with several next hops has a line of its own for each of them below; of these the first
 * is the way that counts here, as in /proc/net/route, which Kubernetes reads.
 */
function routeLines(output: ProbeOutput, block: 'ipRoute' | 'ipRoute6'): readonly string[] {
  const text = output.blocks.get(block) ?? ''
  return text
    .replaceAll(/\n(?=\s+nexthop\s)/g, '')
    .split('\n')
    .filter(Boolean)
}

/** Routes to networks (not the default ones), from `ip route` or /proc/net/route. */
export function parseRoutes(output: ProbeOutput): readonly RouteFact[] {
  const lines = [...routeLines(output, 'ipRoute'), ...routeLines(output, 'ipRoute6')]
  if (lines.length === 0) return parseProcRoutes(output).filter((route) => route.destination !== '0.0.0.0/0')
  return lines.flatMap((line) => {
    const words = line.trim().split(/\s+/)
    const kinds = ['unreachable', 'blackhole', 'prohibit', 'local', 'multicast', 'broadcast', 'throw']
    if (words[0] === undefined || kinds.includes(words[0])) return []
    const destination = words[0]
    if (!/^[0-9a-fA-F.:]+(\/\d+)?$/.test(destination) || /^(fe80|ff00):/i.test(destination)) return []
    const plain = destination.includes('/')
      ? destination
      : `${destination}/${destination.includes(':') ? 128 : 32}`
    return [{ destination: plain, device: after(words, 'dev') ?? '' }]
  })
}

/** `/sys/class/net/eth0/mtu:1500`; undefined where the machine has no /sys. */
export function parseMtus(output: ProbeOutput): Facts['mtus'] {
  const found = linesOf(output, 'mtus').flatMap((line): [string, number][] => {
    const match = /\/([^/]+)\/mtu:(\d+)$/.exec(line)
    return match?.[1] === undefined ? [] : [[match[1], Number(match[2])]]
  })
  return found.length > 0 ? Object.fromEntries(found) : undefined
}

/** The default route: IPv4 first, then IPv6. */
export function parseDefaultRoute(output: ProbeOutput): Facts['defaultRoute'] {
  for (const block of ['ipRoute', 'ipRoute6'] as const) {
    for (const line of routeLines(output, block)) {
      const words = line.trim().split(/\s+/)
      if (words[0] !== 'default') continue
      const device = after(words, 'dev')
      const source = after(words, 'src')
      if (device) return { device, ...(source ? { source } : {}) }
    }
  }
  if (output.blocks.has('ipRoute')) return undefined
  const route = parseProcRoutes(output).find((entry) => entry.destination === '0.0.0.0/0')
  return route && { device: route.device }
}

/** What `ip route get` said about the way to the first master. */
export function parseRouteSource(output: ProbeOutput): Facts['routeSource'] {
  const to = one(output, 'routeTo')
  const line = linesOf(output, 'routeGet')[0]
  if (to === undefined || line === undefined) return undefined
  const words = line.trim().split(/\s+/)
  const address = after(words, 'src')
  if (address === undefined) return undefined
  return { to, address, device: after(words, 'dev') ?? '' }
}

function after(words: readonly string[], word: string): string | undefined {
  const index = words.indexOf(word)
  return index < 0 ? undefined : words[index + 1]
}

/** Listening sockets of /proc/net; `ss`, where it is, adds the processes' names. */
export function parseListeners(output: ProbeOutput): readonly ListenerFact[] {
  const names = processNames(output)
  const seen = new Map<string, ListenerFact>()
  for (const [block, protocol] of [
    ['sockets.tcp', 'tcp'],
    ['sockets.tcp6', 'tcp'],
    ['sockets.udp', 'udp'],
    ['sockets.udp6', 'udp'],
  ] as const) {
    for (const line of linesOf(output, block)) {
      const [hexAddress = '', hexPort = ''] = (line.trim().split(/\s+/)[1] ?? '').split(':')
      const port = Number.parseInt(hexPort, 16)
      const address = hexAddress.length === 8 ? hexToIpv4(hexAddress) : hexToIpv6(hexAddress)
      if (!Number.isInteger(port) || address === undefined) continue
      const process = names.get(`${protocol} ${port}`)
      seen.set(`${protocol} ${port} ${address}`, { protocol, address, port, ...(process ? { process } : {}) })
    }
  }
  return [...seen.values()].sort(
    (a, b) => a.protocol.localeCompare(b.protocol) || a.port - b.port || a.address.localeCompare(b.address),
  )
}

function processNames(output: ProbeOutput): ReadonlyMap<string, string> {
  const names = new Map<string, string>()
  for (const line of linesOf(output, 'ss')) {
    const match = /^(tcp|udp)\s+\S+\s+\d+\s+\d+\s+\S+:(\d+)\s.*users:\(\("([^"]*)"/.exec(line)
    if (match) names.set(`${match[1]} ${match[2]}`, match[3] ?? '')
  }
  return names
}

/** Name servers and search domains of a resolv.conf. */
export function parseResolv(text: string): { nameservers: string[]; search: string[] } {
  const nameservers: string[] = []
  let search: string[] = []
  for (const line of text.split('\n')) {
    const words = line
      .replace(/[#;].*$/, '')
      .trim()
      .split(/\s+/)
    if (words[0] === 'nameserver' && words[1]) nameservers.push(words[1])
    else if (words[0] === 'search' || words[0] === 'domain') search = words.slice(1)
  }
  return { nameservers, search }
}
