import type { FileHandle } from 'node:fs/promises'
import { type BlobPlace, blobHeader, layoutBundle } from './layout.js'
import { BLOCK, padding, TAR_END } from './tar/header.js'
import { readRange } from './tar/member-stream.js'

/** What is wrong with a bundle's file between the contents of its blobs, which their digests do not cover. */
export interface FrameProblem {
  readonly kind: 'damaged' | 'extra'
  /** Of the blob whose header or padding it is; absent for what belongs to none. */
  readonly hex?: string
  /** Where in the file. */
  readonly what: string
}

/** The part of a bundle that was read to know where its blobs are. */
export interface BundleHead {
  readonly index: Buffer
  /** In the order of the file. */
  readonly places: readonly BlobPlace[]
}

/**
 * Compares all of a bundle that is not content with what a writer would have written: head, headers, padding, end mark. Other
 * programs find the blobs by them.
 */
export async function checkFrame(file: FileHandle, head: BundleHead): Promise<FrameProblem[]> {
  const { index, places } = head
  const sizes = new Map(places.map(({ hex, size }) => [hex, size]))
  // Each of the two groups is sorted: the first begins again where a digest is smaller than the one before.
  const second = places.findIndex(({ hex }, i) => hex < (places[i - 1]?.hex ?? ''))
  const first = new Set(places.slice(0, Math.max(second, 0)).map(({ hex }) => hex))
  const built = layoutBundle(index, sizes, first)
  const problems: FrameProblem[] = []
  if (!(await holds(file, 0, built.head))) problems.push({ kind: 'damaged', what: 'the head of the file' })
  for (const place of places) {
    const { hex, offset, size } = place
    const whole =
      (await holds(file, offset - BLOCK, blobHeader(place))) &&
      (await holds(file, offset + size, Buffer.alloc(padding(size))))
    if (!whole)
      problems.push({ kind: 'damaged', hex, what: `the header or padding at byte ${offset - BLOCK}` })
  }
  if (!(await holds(file, built.size - TAR_END.length, TAR_END)))
    problems.push({ kind: 'damaged', what: 'the end mark of the file' })
  return problems
}

/** What follows the end mark: other tars fill their last record with zeros, and nobody writes anything else there. */
export async function checkTail(file: FileHandle, end: number, fileSize: number): Promise<FrameProblem[]> {
  let position = end
  for await (const chunk of readRange(file, end, fileSize - end)) {
    const at = chunk.findIndex((byte) => byte !== 0)
    if (at >= 0) {
      const what = `${fileSize - position - at} bytes after the end mark, at byte ${position + at}`
      return [{ kind: 'extra', what }]
    }
    position += chunk.length
  }
  return []
}

async function holds(file: FileHandle, offset: number, wanted: Buffer): Promise<boolean> {
  const { bytesRead, buffer } = await file.read(Buffer.alloc(wanted.length), 0, wanted.length, offset)
  return bytesRead === wanted.length && buffer.equals(wanted)
}
