import { isIP, isIPv4, isIPv6 } from 'node:net'
import type { PortSpec } from '../container-spec.js'
import { splitFilteredText } from './filter.js'
import type { OptionProblem } from './option-problem.js'

/** What one `--port` asks for, before it is known where it leads to. */
export interface PortRequest {
  /** As it was written. */
  readonly text: string
  /** 127.0.0.1 unless the user names another; IPv6 without brackets, in its short form. */
  readonly address: string
  /** Pairs in order; a host port of 0 is chosen by airlift. */
  readonly pairs: readonly { readonly hostPort: number; readonly containerPort: number }[]
  readonly protocol: PortSpec['protocol']
  readonly filter?: string
}

const HINT =
  'write [HOST:][HOSTPORT:]PORT[/PROTOCOL][@FILTER], such as 8080:80, 0.0.0.0:443:443 or 8000-8010:8000-8010/udp'
/** More than this in one cluster is a typing error: the engine takes a rule, and often a process, for each. */
export const MAX_PORTS = 5000

/** Reads k3d's `[HOST:][HOSTPORT:]CONTAINERPORT[/PROTOCOL][@FILTER]`, ranges and IPv6 in brackets too. */
export function parsePort(text: string): PortRequest | OptionProblem {
  const refuse = (message: string): OptionProblem => ({ message, hint: HINT })
  const { body, filter } = splitFilteredText(text)
  const slash = body.indexOf('/')
  const protocol = slash < 0 ? 'tcp' : body.slice(slash + 1).toLowerCase()
  if (protocol !== 'tcp' && protocol !== 'udp' && protocol !== 'sctp') {
    return refuse(`"${protocol}" is not tcp, udp or sctp, in "${text}"`)
  }
  const split = splitAddress(slash < 0 ? body : body.slice(0, slash))
  if (split === undefined) return refuse(`"${text}" is not a port`)
  const { host, ports } = split
  const address = readAddress(host)
  if (address === undefined) return refuse(`"${host}" is not an IP address, in "${text}"`)
  const [inner = '', outer = ''] = [...ports].reverse()
  const container = readRange(inner)
  if (container === undefined) return refuse(`"${inner}" is not a port (1 to 65535), in "${text}"`)
  const onHost = outer === '' || outer === '0' ? undefined : readRange(outer)
  if (onHost === undefined && outer !== '' && outer !== '0') {
    return refuse(`"${outer}" is not a port (1 to 65535), in "${text}"`)
  }
  const size = container.to - container.from + 1
  if (onHost !== undefined && onHost.to - onHost.from + 1 !== size) {
    return refuse(`the ranges of "${text}" differ in length`)
  }
  if (size > MAX_PORTS) return refuse(`"${text}" is ${size} ports, and ${MAX_PORTS} are taken`)
  const pairs = Array.from({ length: size }, (_, step) => ({
    hostPort: onHost === undefined ? 0 : onHost.from + step,
    containerPort: container.from + step,
  }))
  return { text, address, pairs, protocol, ...(filter === undefined ? {} : { filter }) }
}

/** Takes the address off what is before the protocol. Two parts are two ports unless the first is an address. */
function splitAddress(text: string): { host: string; ports: string[] } | undefined {
  if (text.startsWith('[')) {
    const close = text.indexOf(']')
    if (close < 0 || text[close + 1] !== ':') return undefined
    return limit(text.slice(1, close), text.slice(close + 2).split(':'))
  }
  const parts = text.split(':')
  if (parts.length <= 2 && (parts.length === 1 || !isAddress(parts[0] ?? '')))
    return { host: '', ports: parts }
  if (parts.length === 2) return { host: parts[0] ?? '', ports: parts.slice(1) }
  // An address without brackets: the last two are the ports, as docker has it.
  return { host: parts.slice(0, -2).join(':'), ports: parts.slice(-2) }
}

function limit(host: string, ports: string[]): { host: string; ports: string[] } | undefined {
  return ports.length > 2 || host === '' ? undefined : { host, ports }
}

function isAddress(text: string): boolean {
  return isIPv4(text) || text === 'localhost'
}

function readAddress(host: string): string | undefined {
  if (host === '' || host === 'localhost') return '127.0.0.1'
  if (isIP(host) === 0 || host.includes('%')) return undefined
  return isIPv6(host) ? new URL(`http://[${host}]`).hostname.slice(1, -1) : host
}

function readRange(text: string): { from: number; to: number } | undefined {
  const [, fromText = '', toText = fromText] = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text) ?? []
  const [from, to] = [Number(fromText), Number(toText)]
  return from >= 1 && to <= 65535 && from <= to ? { from, to } : undefined
}
