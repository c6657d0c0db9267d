import { blobPath, OCI_LAYOUT } from './oci/types.js'
import { BLOCK, memberSize, padding, TAR_END, tarHeader } from './tar/header.js'

/** The member that tells where every blob is. */
export const OFFSETS = 'airlift/offsets'

/** A blob's place in a bundle. */
export interface BlobPlace {
  readonly hex: string
  readonly offset: number
  readonly size: number
}

/** The head of a bundle and the places of its blobs: what a writer writes first. */
export interface BundleLayout {
  readonly head: Buffer
  readonly places: readonly BlobPlace[]
  readonly size: number
}

/** One line per blob, of fixed width, so that the length of the member is known before the offsets are. */
const LINE = 64 + 1 + 15 + 1 + 15 + 1
const digits = (value: number): string => String(value).padStart(15, '0')

/**
 * Lays out a bundle: `oci-layout`, `index.json`, `airlift/offsets`, then the blobs in the order of their digests, those
 * that describe others (`first`) before the rest. A reader needs only the head to know all, the size in it tells at once
 * when the file was cut, and what is left of such a file still tells what it lacks.
 */
export function layoutBundle(
  index: Buffer,
  sizes: ReadonlyMap<string, number>,
  first: ReadonlySet<string> = new Set(),
): BundleLayout {
  const rank = (hex: string): string => `${first.has(hex) ? 0 : 1}${hex}`
  const sorted = [...sizes].sort(([a], [b]) => (rank(a) < rank(b) ? -1 : 1))
  const firstLine = `airlift-offsets 1 ${digits(sorted.length)} `.length + 15 + 1
  const offsetsSize = firstLine + sorted.length * LINE
  let position = memberSize(OCI_LAYOUT.length) + memberSize(index.length) + memberSize(offsetsSize)
  const places: BlobPlace[] = []
  for (const [hex, size] of sorted) {
    places.push({ hex, offset: position + BLOCK, size })
    position += memberSize(size)
  }
  const size = position + TAR_END.length
  const text = [
    `airlift-offsets 1 ${digits(sorted.length)} ${digits(size)}\n`,
    ...places.map((place) => `${place.hex} ${digits(place.offset)} ${digits(place.size)}\n`),
  ].join('')
  const member = (name: string, content: Buffer): Buffer[] => [
    tarHeader(name, content.length),
    content,
    Buffer.alloc(padding(content.length)),
  ]
  const head = Buffer.concat([
    ...member('oci-layout', OCI_LAYOUT),
    ...member('index.json', index),
    ...member(OFFSETS, Buffer.from(text)),
  ])
  return { head, places, size }
}

/** Reads the offsets member; undefined when it is none that this release understands. */
export function parseOffsets(
  text: string,
): { readonly size: number; readonly places: BlobPlace[] } | undefined {
  const lines = text.split('\n')
  const match = /^airlift-offsets 1 (\d+) (\d+)$/.exec(lines[0] ?? '')
  if (!match) return undefined
  const places: BlobPlace[] = []
  for (const line of lines.slice(1)) {
    if (line === '') continue
    const [hex, offset, size] = line.split(' ')
    if (!hex || !/^[0-9a-f]{64}$/.test(hex) || !/^\d+$/.test(`${offset}${size}`)) return undefined
    places.push({ hex, offset: Number(offset), size: Number(size) })
  }
  return places.length === Number(match[1]) ? { size: Number(match[2]), places } : undefined
}

/** The header that stands before a blob; a reader compares it to notice a bundle that was packed anew. */
export function blobHeader(place: BlobPlace): Buffer {
  return tarHeader(blobPath(place.hex), place.size)
}
