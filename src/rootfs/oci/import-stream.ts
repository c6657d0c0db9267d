import { canonicalJson, sha256 } from '../digest.js'
import { memberSize, padding, TAR_END, tarHeader } from '../tar/header.js'
import { joinSegments, type Segment } from '../tar/member-stream.js'
import type { SourceBlob, SourceImage } from './source-image.js'
import { blobPath, MEDIA, NAME_ANNOTATION, OCI_LAYOUT, REF_ANNOTATION } from './types.js'

/** An image with the names that it is to get. */
export interface NamedImage {
  readonly image: SourceImage
  readonly names: readonly string[]
}

/** The stream that brings images to one containerd: computed, never stored, and read anew by each. */
export interface ImportStream {
  /** The same for two streams of the same bytes. */
  readonly id: string
  readonly size: number
  chunks(): AsyncIterable<Buffer>
}

/**
 * Lays out several images as one OCI archive without the blobs that the other side has. containerd resolves the manifests
 * of index.json in its content store after it has taken in what the archive holds, so a blob that is there already need not
 * come again (containerd, core/images/archive/importer.go; tried with 2.2.4, by import and by transfer). There is no
 * manifest.json beside it: a docker archive must be whole.
 */
export function layoutImport(images: readonly NamedImage[], has: ReadonlySet<string>): ImportStream {
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA.index,
    manifests: images.flatMap(({ image, names }) =>
      names.map((name) => ({
        mediaType: image.mediaType,
        digest: image.digest,
        size: image.manifest.length,
        platform: { architecture: image.arch, os: 'linux' },
        annotations: { [NAME_ANNOTATION]: name, [REF_ANNOTATION]: name },
      })),
    ),
  }
  const segments: Segment[] = []
  let size = TAR_END.length
  const add = (name: string, length: number, content: Segment): void => {
    size += memberSize(length)
    segments.push(tarHeader(name, length), content)
    if (padding(length) > 0) segments.push(Buffer.alloc(padding(length)))
  }
  const small = (name: string, content: Buffer): void => add(name, content.length, content)
  small('oci-layout', OCI_LAYOUT)
  small('index.json', canonicalJson(index))
  const blobs = new Map<string, SourceBlob>()
  const manifests = new Map<string, Buffer>()
  for (const { image } of images) {
    manifests.set(image.digest.slice(7), image.manifest)
    for (const [hex, blob] of image.blobs) if (!has.has(hex)) blobs.set(hex, blob)
  }
  for (const [hex, manifest] of manifests) small(blobPath(hex), manifest)
  for (const [hex, blob] of blobs) add(blobPath(hex), blob.size, { open: () => blob.chunks() })
  segments.push(TAR_END)
  const id = sha256(canonicalJson([index, [...blobs.keys()]]))
  return { id, size, chunks: () => joinSegments(segments) }
}
