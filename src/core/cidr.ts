/** An IP network as a range of numbers. */
export interface IpRange {
  readonly family: IpFamily
  readonly first: bigint
  readonly last: bigint
}

/** IPv4 or IPv6. */
export type IpFamily = 4 | 6

/** Reads `10.0.0.0/8`, `10.0.0.1`, `fd00::/64`. Undefined when it is none of these. */
export function parseCidr(text: string): IpRange | undefined {
  const [address = '', prefixText] = text.trim().split('/')
  const family = address.includes(':') ? 6 : 4
  const number = family === 6 ? ipv6Number(address) : ipv4Number(address)
  if (number === undefined) return undefined
  const width = family === 6 ? 128 : 32
  const prefix = prefixText === undefined ? width : Number(prefixText)
  if (!Number.isInteger(prefix) || prefix < 0 || prefix > width) return undefined
  const size = 1n << BigInt(width - prefix)
  const first = (number / size) * size
  return { family, first, last: first + size - 1n }
}

/** The family of an address or a network, by how it is written. */
export function familyOf(text: string): IpFamily {
  return text.includes(':') ? 6 : 4
}

/** An address as a number; undefined when it is none. */
export function ipNumber(text: string): bigint | undefined {
  return text.includes('/') ? undefined : parseCidr(text)?.first
}

/** The text of an address; of IPv6 the shortest one (RFC 5952, without the dotted form). */
export function ipText(family: IpFamily, value: bigint): string {
  const count = family === 6 ? 8 : 4
  const bits = family === 6 ? 16n : 8n
  const parts = Array.from({ length: count }, (_, i) =>
    ((value >> (bits * BigInt(count - 1 - i))) & ((1n << bits) - 1n)).toString(family === 6 ? 16 : 10),
  )
  if (family === 4) return parts.join('.')
  let best = { start: -1, length: 1 }
  for (let start = 0; start < parts.length; start++) {
    let length = 0
    while (parts[start + length] === '0') length++
    if (length > best.length) best = { start, length }
  }
  if (best.start < 0) return parts.join(':')
  return `${parts.slice(0, best.start).join(':')}::${parts.slice(best.start + best.length).join(':')}`
}

/** The number of bits behind the slash; undefined where there is none. */
export function prefixOf(cidr: string): number | undefined {
  const bits = /\/(\d{1,3})$/.exec(cidr)?.[1]
  return bits === undefined ? undefined : Number(bits)
}

/** Whether two networks, as text, have an address in common; texts that are no networks have none. */
export function cidrsOverlap(a: string, b: string): boolean {
  const [one, two] = [parseCidr(a), parseCidr(b)]
  return one !== undefined && two !== undefined && overlaps(one, two)
}

/** Whether two networks have an address in common. */
export function overlaps(a: IpRange, b: IpRange): boolean {
  return a.family === b.family && a.first <= b.last && b.first <= a.last
}

function ipv4Number(text: string): bigint | undefined {
  const bytes = text.split('.').map(Number)
  if (bytes.length !== 4 || bytes.some((byte) => !Number.isInteger(byte) || byte < 0 || byte > 255))
    return undefined
  return bytes.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n)
}

function ipv6Number(text: string): bigint | undefined {
  const plain = text.replace(/%.*$/, '')
  const dotted = /^(.*:)(\d+\.\d+\.\d+\.\d+)$/.exec(plain)
  if (dotted) {
    const low = ipv4Number(dotted[2] ?? '')
    if (low === undefined) return undefined
    return ipv6Number(`${dotted[1]}${(low >> 16n).toString(16)}:${(low & 0xffffn).toString(16)}`)
  }
  const halves = plain.split('::')
  if (halves.length > 2) return undefined
  const [head = [], tail = []] = halves.map((half) => (half === '' ? [] : half.split(':')))
  const missing = 8 - head.length - tail.length
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...tail]
  if (groups.some((group) => !/^[0-9a-fA-F]{1,4}$/.test(group))) return undefined
  return groups.reduce((sum, group) => sum * 65536n + BigInt(`0x${group}`), 0n)
}
