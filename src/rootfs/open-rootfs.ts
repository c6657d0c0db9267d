import { createHash } from 'node:crypto'
import { AirliftError } from '../core/errors.js'
import { type BlobStore, openBlobStore } from './blob-store.js'
import { type BundleIndex, imageTitle, readBundleIndex } from './bundle-index.js'
import { sha256 } from './digest.js'
import type { Rootfs, RootfsImage, RootfsManifest } from './manifest.js'
import { layoutImageFile } from './oci/image-file.js'
import { hexOf } from './oci/types.js'
import { byteStream } from './tar/member-stream.js'

/**
 * Opens a bundle or an unpacked rootfs. Reads its index, manifests and templates, never the contents of images, so a
 * bundle of any size opens at once; a bundle that was cut is refused here, before anything else happens.
 * @throws AirliftError E_LOCAL_FILE, E_BUNDLE_INVALID, E_BUNDLE_DAMAGED
 */
export async function openRootfs(path: string): Promise<Rootfs> {
  const store = await openBlobStore(path)
  try {
    const index = await readBundleIndex(store)
    if (store.cut !== undefined || index.missing.length > 0) throw lacking(store, index)
    return await makeRootfs(store, index)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function makeRootfs(store: BlobStore, index: BundleIndex): Promise<Rootfs> {
  const { manifest } = index
  const imageByFile = new Map<string, RootfsImage>()
  for (const image of manifest.images) {
    const file = manifest.files.find((candidate) => candidate.path === image.file)
    if (file) imageByFile.set(file.sha256, image)
  }
  for (const [hex, image] of imageByFile) checkImageFile(store.ref, manifest, index, hex, image)
  const describe = (hex: string): string => {
    const file = manifest.files.find((candidate) => candidate.sha256 === hex)
    const image = imageByFile.get(hex)
    if (file) return image ? `${file.path} (${image.names.join(', ')})` : file.path
    return index.blobs.get(hex)?.owners.join(', ') ?? `blob sha256:${hex}`
  }
  const chunksOf = (hex: string, verify: boolean): AsyncIterable<Buffer> => {
    const image = imageByFile.get(hex)
    if (!image) return checkedChunks(store, index, hex, verify)
    const bytes = index.imageManifests.get(image.digest)
    if (!bytes) throw damagedBlob(store.ref, hexOf(image.digest) ?? '', [imageTitle(image)])
    const openBlob = (blob: string): AsyncIterable<Buffer> => checkedChunks(store, index, blob, verify)
    return layoutImageFile({ names: image.names, arch: image.arch, manifest: bytes, openBlob }).chunks()
  }
  const templates: Record<string, string> = {}
  for (const file of manifest.files.filter((candidate) => candidate.role === 'template')) {
    const chunks: Buffer[] = []
    for await (const chunk of chunksOf(file.sha256, true)) chunks.push(chunk)
    templates[file.path] = Buffer.concat(chunks).toString('utf8')
  }
  return {
    ref: store.ref,
    digest: `sha256:${sha256(store.index)}`,
    manifest,
    templates,
    openBlob: (hex, options) => byteStream(chunksOf(hex, options?.verify ?? true)),
    describeBlob: describe,
    close: () => store.close(),
  }
}

/**
 * The archive of an image is computed: a release that lays it out in another way must not stage it under the old digest.
 * @throws AirliftError E_BUNDLE_INVALID
 */
function checkImageFile(
  ref: string,
  manifest: RootfsManifest,
  index: BundleIndex,
  hex: string,
  image: RootfsImage,
): void {
  const file = manifest.files.find((candidate) => candidate.sha256 === hex)
  const bytes = index.imageManifests.get(image.digest)
  if (!file || !bytes) return
  const openBlob = async function* (): AsyncGenerator<Buffer> {}
  const layout = layoutImageFile({ names: image.names, arch: image.arch, manifest: bytes, openBlob })
  if (layout.size === file.size) return
  throw new AirliftError(
    'E_BUNDLE_INVALID',
    `${ref} was built by another release of airlift: ${file.path} would have ${layout.size} bytes, not ${file.size}`,
    { hint: 'build the bundle again with this release' },
  )
}

/** Streams a blob of the store and refuses it at its end when it was not what its digest says. */
async function* checkedChunks(
  store: BlobStore,
  index: BundleIndex,
  hex: string,
  verify: boolean,
): AsyncGenerator<Buffer> {
  const known = index.blobs.get(hex)
  if (!known) throw new AirliftError('E_INTERNAL', `${store.ref} has no blob sha256:${hex}`)
  const hash = verify ? createHash('sha256') : undefined
  let size = 0
  for await (const chunk of store.chunks(hex)) {
    size += chunk.length
    hash?.update(chunk)
    yield chunk
  }
  if (size !== known.size || (hash && hash.digest('hex') !== hex))
    throw damagedBlob(store.ref, hex, known.owners)
}

/** The error for a blob whose content is not what its digest says. */
export function damagedBlob(ref: string, hex: string, owners: readonly string[]): AirliftError {
  return new AirliftError(
    'E_BUNDLE_DAMAGED',
    `${ref} is damaged: blob sha256:${hex} of ${owners.join(', ')}`,
    {
      hint: 'copy the bundle again, or build it again; `airlift rootfs verify` lists all that is damaged',
      data: { blob: `sha256:${hex}`, hits: owners },
    },
  )
}

/** Longest list of blobs in a message; `data` has all. */
const SHOWN = 5

function lacking(store: BlobStore, index: BundleIndex): AirliftError {
  const items = index.missing.map((hex) => ({
    blob: `sha256:${hex}`,
    hits: index.blobs.get(hex)?.owners ?? [],
  }))
  const lines = items.slice(0, SHOWN).map((item) => `missing ${item.blob}: ${item.hits.join(', ')}`)
  if (items.length > SHOWN) lines.push(`and ${items.length - SHOWN} more`)
  const why = store.cut
    ? `it was cut: ${store.cut}`
    : `${items.length} of ${index.blobs.size} blobs are missing`
  const hit = [...new Set(items.flatMap((item) => item.hits))]
  const what = hit.length > 0 ? `; it lacks ${hit.slice(0, 3).join(', ')}${hit.length > 3 ? ' …' : ''}` : ''
  return new AirliftError('E_BUNDLE_DAMAGED', `${store.ref} is not whole: ${why}${what}`, {
    hint: 'copy the bundle again, or build it again; `airlift rootfs verify` lists all that is missing',
    log: lines,
    data: { missing: items },
  })
}
