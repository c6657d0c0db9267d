/** Tar works in blocks of so many bytes. */
export const BLOCK = 512

/** What comes after the last member: two empty blocks. */
export const TAR_END = Buffer.alloc(2 * BLOCK)

/** Bytes that fill a member's content up to a whole block. */
export function padding(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK
}

/** A member's whole length in the archive: header, content, padding. */
export function memberSize(size: number): number {
  return BLOCK + size + padding(size)
}

/**
 * The header of a regular file, always the same for the same name and size: mode 0644, owner 0, time 0, no names of
 * users. Sizes above 8 GiB are written in base 256, as GNU tar and Go's archive/tar do.
 * @throws RangeError when the name is longer than 100 bytes
 */
export function tarHeader(name: string, size: number): Buffer {
  if (Buffer.byteLength(name) > 100) throw new RangeError(`tar member name is too long: ${name}`)
  const header = Buffer.alloc(BLOCK)
  header.write(name, 0)
  header.write('0000644\0', 100)
  header.write('0000000\0', 108)
  header.write('0000000\0', 116)
  writeSize(header, size)
  header.write('00000000000\0', 136)
  header.write('        ', 148)
  header.write('0', 156)
  header.write('ustar\x0000', 257)
  let sum = 0
  for (const byte of header) sum += byte
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

function writeSize(header: Buffer, size: number): void {
  if (size < 8 ** 11) {
    header.write(`${size.toString(8).padStart(11, '0')}\0`, 124)
    return
  }
  header[124] = 0x80
  header.writeBigUInt64BE(BigInt(size), 128)
}

/** A header as it was read. */
export interface ParsedHeader {
  readonly name: string
  readonly size: number
  /** The type flag: `0` file, `5` directory, `1` and `2` links, `x` and `g` pax, `L` and `K` long names of GNU tar. */
  readonly type: string
  readonly linkName: string
  /** Permission bits. */
  readonly mode: number
}

/** Parses a header block; `end` for an empty block, undefined when it is not a tar header (its sum is wrong). */
export function parseHeader(block: Buffer): ParsedHeader | 'end' | undefined {
  if (block.length < BLOCK) return undefined
  if (block.every((byte) => byte === 0)) return 'end'
  const stored = Number.parseInt(text(block, 148, 8), 8)
  let sum = 0
  for (let i = 0; i < BLOCK; i++) sum += i >= 148 && i < 156 ? 32 : (block[i] ?? 0)
  if (sum !== stored) return undefined
  const prefix = text(block, 257, 5) === 'ustar' && block[263] === 0x30 ? text(block, 345, 155) : ''
  const name = text(block, 0, 100)
  return {
    name: prefix ? `${prefix}/${name}` : name,
    size: readSize(block),
    type: block[156] === 0 ? '0' : String.fromCharCode(block[156] ?? 0),
    linkName: text(block, 157, 100),
    mode: (Number.parseInt(text(block, 100, 8).trim() || '0', 8) || 0) & 0o7777,
  }
}

function readSize(block: Buffer): number {
  if (((block[124] ?? 0) & 0x80) !== 0) return Number(block.readBigUInt64BE(128))
  return Number.parseInt(text(block, 124, 12).trim() || '0', 8)
}

function text(block: Buffer, start: number, length: number): string {
  const field = block.subarray(start, start + length)
  const end = field.indexOf(0)
  return field.subarray(0, end < 0 ? length : end).toString('utf8')
}
