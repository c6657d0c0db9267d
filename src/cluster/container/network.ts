import { isIPv4 } from 'node:net'
import type { OptionProblem } from './option-problem.js'

/** Network, gateway, load balancer and broadcast; the nodes have the addresses between. */
const TAKEN = 4

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
 * Reads `--subnet`: CIDR of IPv4, or k3d's `auto` for the first free one (then undefined).
 *
 * @param nodes - how many nodes must have room
 * @param inside - subnets of the cluster itself (pods, services) that it may not overlap
 */
export function parseSubnet(
  text: string,
  nodes: number,
  inside: readonly string[],
): { readonly subnet: string | undefined } | OptionProblem {
  if (text === 'auto') return { subnet: undefined }
  const hint = 'write CIDR of IPv4, such as 172.28.0.0/16, or auto'
  const range = readCidr(text)
  if (range === undefined) return { message: `"${text}" is not a subnet`, hint }
  if (range.given !== range.first) {
    const right = `${addressText(range.first)}/${range.bits}`
    return { message: `"${text}" is an address in the subnet ${right}`, hint: `write ${right}` }
  }
  const size = range.last - range.first + 1
  if (size < nodes + TAKEN) {
    const bits = 32 - Math.ceil(Math.log2(nodes + TAKEN))
    const room = Math.max(0, size - TAKEN)
    const message = `"${text}" has addresses for ${room} node${room === 1 ? '' : 's'}, and ${nodes} are asked for`
    return { message, hint: `take a /${bits} or larger` }
  }
  if (range.bits < 8) return { message: `"${text}" is larger than a /8`, hint }
  const taken = ['127.0.0.0/8', '224.0.0.0/3', '169.254.0.0/16', '0.0.0.0/8', ...inside].find((other) =>
    overlap(range, readCidr(other)),
  )
  if (taken !== undefined) {
    const what = inside.includes(taken) ? 'pods or services have' : 'is not for networks'
    return {
      message: `"${text}" overlaps ${taken}, which ${what}`,
      hint: 'choose another, such as 172.28.0.0/16',
    }
  }
  return { subnet: text }
}

interface Range {
  readonly given: number
  readonly first: number
  readonly last: number
  readonly bits: number
}

function readCidr(text: string): Range | undefined {
  const [, address = '', bitsText = ''] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? []
  const bits = Number(bitsText)
  if (!isIPv4(address) || bits > 32) return undefined
  const given = address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
  const size = 2 ** (32 - bits)
  const first = Math.floor(given / size) * size
  return { given, first, last: first + size - 1, bits }
}

function overlap(a: Range, b: Range | undefined): boolean {
  return b !== undefined && a.first <= b.last && b.first <= a.last
}

function addressText(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}
