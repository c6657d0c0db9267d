import type { FileHandle } from 'node:fs/promises'
import { Readable } from 'node:stream'

/** Bytes per read: from here on larger reads are not quicker (measured with sha256 behind them). */
const CHUNK = 1 << 20

/** A part of an archive that is still to be written or streamed. */
export type Segment = Buffer | { readonly open: () => AsyncIterable<Buffer> }

/** Reads a range of an open file. Ends early, without an error, where the file ends: who knows the size must compare. */
export async function* readRange(file: FileHandle, offset: number, length: number): AsyncGenerator<Buffer> {
  let position = offset
  const end = offset + length
  while (position < end) {
    const size = Math.min(CHUNK, end - position)
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(size), 0, size, position)
    if (bytesRead === 0) return
    position += bytesRead
    yield bytesRead === size ? buffer : buffer.subarray(0, bytesRead)
  }
}

/** Joins segments into one sequence of chunks. */
export async function* joinSegments(segments: Iterable<Segment>): AsyncGenerator<Buffer> {
  for (const segment of segments) {
    if (Buffer.isBuffer(segment)) yield segment
    else yield* segment.open()
  }
}

/** A byte stream over chunks; at most two are held at a time. */
export function byteStream(chunks: AsyncIterable<Buffer>): Readable {
  return Readable.from(chunks, { objectMode: false, highWaterMark: CHUNK })
}
