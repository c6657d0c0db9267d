/** An IPv4 address as a number; undefined when it is none. */
export function ipv4Number(address: string): number | undefined {
  const parts = address.split('.').map(Number)
  if (parts.length !== 4 || parts.some((part) => !Number.isInteger(part) || part < 0 || part > 255)) {
    return undefined
  }
  return parts.reduce((sum, part) => sum * 256 + part, 0)
}

/** The dotted form of a number. */
export function ipv4Text(value: number): string {
  return [24, 16, 8, 0].map((shift) => Math.floor(value / 2 ** shift) % 256).join('.')
}

/** First and last address of an IPv4 CIDR; undefined when it is none. */
export function ipv4Range(cidr: string): { readonly first: number; readonly last: number } | undefined {
  const [base = '', bits = ''] = cidr.split('/')
  const address = ipv4Number(base)
  const length = Number(bits)
  if (address === undefined || bits === '' || !Number.isInteger(length) || length < 0 || length > 32) {
    return undefined
  }
  const size = 2 ** (32 - length)
  const first = Math.floor(address / size) * size
  return { first, last: first + size - 1 }
}
