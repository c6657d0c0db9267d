/** An IP network as a range of numbers. */
export interface IpRange {
  readonly family: 4 | 6
  readonly first: bigint
  readonly last: bigint
}

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
