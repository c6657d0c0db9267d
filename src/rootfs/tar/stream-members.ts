import { BLOCK, padding, parseHeader } from './header.js'
import { readRecord } from './scan.js'

/** A member of a tar that is read as it arrives. */
export interface StreamedMember {
  /** As it stands in the archive. */
  readonly name: string
  /** The type flag: `0` file, `5` directory, `1` hard link, `2` symbolic link. */
  readonly type: string
  /** Permission bits. */
  readonly mode: number
  readonly size: number
  /** Target of a link; empty for all else. */
  readonly link: string
  /** Its content, to be read before the next member is asked for; what is not read is skipped. */
  content(): AsyncGenerator<Buffer>
}

/** Longest record of a long name that is taken. */
const MAX_RECORD = 1 << 20

/**
 * Reads a tar member by member, with no more of it in memory than one chunk: ustar, pax and GNU long names.
 * @throws Error when it ends early or is no tar
 */
export async function* streamMembers(source: AsyncIterable<Buffer>): AsyncGenerator<StreamedMember> {
  const reader = new ByteReader(source)
  let next: { name?: string; link?: string; size?: number } = {}
  for (;;) {
    const block = await reader.take(BLOCK)
    const header = parseHeader(block)
    if (header === 'end') break
    if (!header) throw new Error('it is no tar archive')
    const size = next.size ?? header.size
    if (/^[xgLK]$/.test(header.type)) {
      if (size > MAX_RECORD) throw new Error('a record of it is too long')
      const record = (await reader.take(size + padding(size))).subarray(0, size)
      if (header.type !== 'g') next = { ...next, ...readRecord(header.type, record) }
      continue
    }
    const length = /^[125]$/.test(header.type) ? 0 : size
    const read = reader.part(length)
    yield {
      name: next.name ?? header.name,
      type: header.type,
      mode: header.mode,
      size: length,
      link: /^[12]$/.test(header.type) ? (next.link ?? header.linkName) : '',
      content: () => read,
    }
    for await (const _ of read) {
      // What the caller left.
    }
    await reader.take(padding(length))
    next = {}
  }
  await reader.drain()
}

/** Takes a sequence of chunks apart at any byte. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>
  #rest: Buffer = Buffer.alloc(0)

  constructor(source: AsyncIterable<Buffer>) {
    this.#chunks = source[Symbol.asyncIterator]()
  }

  /** Exactly so many bytes. */
  async take(length: number): Promise<Buffer> {
    const parts: Buffer[] = []
    for await (const part of this.part(length)) parts.push(part)
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts)
  }

  /** So many bytes in pieces as they arrive. */
  async *part(length: number): AsyncGenerator<Buffer> {
    let left = length
    while (left > 0) {
      if (this.#rest.length === 0) await this.#fill()
      const piece = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }

  /** Reads to the end of the source: an engine waits until its answer is taken. */
  async drain(): Promise<void> {
    while (!(await this.#chunks.next()).done) {
      // Padding after the end mark.
    }
  }

  async #fill(): Promise<void> {
    const { done, value } = await this.#chunks.next()
    if (done) throw new Error('it ends early')
    this.#rest = value
  }
}
