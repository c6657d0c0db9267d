import type { NamedImage } from '../../rootfs/oci/import-stream.js'
import type { SourceImage } from '../../rootfs/oci/source-image.js'
import type { OciManifest } from '../../rootfs/oci/types.js'
import type { ImageRecord, NodeImages } from './node-images.js'

/** An image that is to be on a node. */
export interface WantedImage extends NamedImage {
  /** `sha256:…` of its configuration: what Docker, the kubelet and crictl call its id. */
  readonly id: string
}

/** What is left to do for the images of one node. */
export interface ImportPlan {
  /** Names that stand for the right image already. */
  readonly present: ReadonlySet<string>
  /** New names for images that the node has under others. */
  readonly tags: readonly { readonly from: string; readonly names: readonly string[]; readonly id: string }[]
  readonly send: readonly WantedImage[]
  /** Of what is sent: without the blobs that the node has. */
  readonly sendBytes: number
}

/** The image with all of its names. */
export function wanted(image: SourceImage): WantedImage {
  const manifest = JSON.parse(image.manifest.toString('utf8')) as OciManifest
  return { image, names: image.names, id: manifest.config.digest }
}

/** What must be done so that a node has images. `fresh` ignores the blobs that it has: all are sent. Pure. */
export function planImport(
  images: readonly WantedImage[],
  node: NodeImages,
  fresh: boolean = false,
): ImportPlan {
  const present = new Set<string>()
  const tags: ImportPlan['tags'][number][] = []
  const send: WantedImage[] = []
  const blobs = new Map<string, number>()
  for (const image of images) {
    const missing = image.names.filter((name) => !isThere(name, image, node))
    for (const name of image.names) if (!missing.includes(name)) present.add(name)
    if (missing.length === 0) continue
    const from = [...node.records].find(([, record]) => isSame(record, image, node))?.[0]
    if (from !== undefined) {
      tags.push({ from, names: missing, id: image.id })
      continue
    }
    send.push({ ...image, names: missing })
    for (const [hex, { size }] of image.image.blobs) {
      if (fresh || !node.blobs.has(hex)) blobs.set(hex, size)
    }
  }
  const sendBytes = [...blobs.values()].reduce((sum, size) => sum + size, 0)
  return { present, tags, send, sendBytes }
}

/** Whether a name stands for the image on the node, whole and known to the kubelet. */
export function isThere(name: string, image: WantedImage, node: NodeImages): boolean {
  const record = node.records.get(name)
  return record !== undefined && node.records.has(image.id) && isSame(record, image, node)
}

/**
 * The same manifest, or another one of the same image: a registry compresses layers that Docker keeps as they are, and the
 * configuration with the digests of the unpacked layers is the same.
 */
function isSame(record: ImageRecord, { image, id }: WantedImage, node: NodeImages): boolean {
  return record.whole && (record.digest === image.digest || record.digest === node.records.get(id)?.digest)
}
