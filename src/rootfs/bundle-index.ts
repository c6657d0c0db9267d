import { AirliftError } from '../core/errors.js'
import type { BlobStore } from './blob-store.js'
import { sha256 } from './digest.js'
import type { Arch, RootfsFile, RootfsImage, RootfsManifest } from './manifest.js'
import { isListOf, isOciIndex, isOciManifest, isRecord, isText, parseAs } from './oci/read-json.js'
import { hexOf, isIndex, MEDIA, NAME_ANNOTATION } from './oci/types.js'

/** What a bundle says that it holds, read through its index and proved by digests. */
export interface BundleIndex {
  readonly manifest: RootfsManifest
  /** Bytes of each image's manifest, by digest. */
  readonly imageManifests: ReadonlyMap<string, Buffer>
  /** Every blob that the bundle must have: its size, and the files and images that need it. */
  readonly blobs: ReadonlyMap<string, { readonly size: number; readonly owners: readonly string[] }>
  /** Blobs that are not there, or not whole. */
  readonly missing: readonly string[]
}

/** Small blobs are read whole; no manifest is larger (registries accept 4 MiB). */
const MAX_JSON = 16 << 20

/**
 * Reads what a bundle holds, without the contents of its files.
 * @throws AirliftError E_BUNDLE_INVALID for a layout without a rootfs, E_BUNDLE_DAMAGED when what describes it is gone
 */
export async function readBundleIndex(store: BlobStore): Promise<BundleIndex> {
  const index = parseJson(store, store.index, 'index.json', isOciIndex)
  const blobs = new Map<string, { size: number; owners: string[] }>()
  const missing: string[] = []
  const need = (digest: string, size: number, owner: string): void => {
    const hex = hexOf(digest)
    if (!hex) throw invalid(store, `has a blob with the digest "${digest}"`)
    const known = blobs.get(hex)
    if (known) {
      if (!known.owners.includes(owner)) known.owners.push(owner)
      return
    }
    blobs.set(hex, { size, owners: [owner] })
    if (store.sizes.get(hex) !== size) missing.push(hex)
  }
  const root = index.manifests.find((entry) => entry.artifactType === MEDIA.rootfs)
  if (!root) throw invalid(store, 'is an OCI layout without a rootfs')
  need(root.digest, root.size, 'the list of files')
  const list = await readSmall(store, root.digest, 'the list of files')
  const artifact = parseJson(store, list, root.digest, isOciManifest)
  need(artifact.config.digest, artifact.config.size, 'the manifest of the rootfs')
  const config = await readSmall(store, artifact.config.digest, 'the manifest of the rootfs')
  const manifest = checkManifest(store, parseJson(store, config, artifact.config.digest, isRecord))
  for (const layer of artifact.layers) {
    const hex = hexOf(layer.digest)
    for (const file of manifest.files.filter((candidate) => candidate.sha256 === hex)) {
      need(layer.digest, layer.size, file.path)
    }
  }
  const imageManifests = new Map<string, Buffer>()
  for (const image of manifest.images) {
    const owner = imageTitle(image)
    const hex = hexOf(image.digest) ?? ''
    const size = store.sizes.get(hex)
    need(image.digest, size ?? -1, owner)
    if (size === undefined) continue
    const bytes = await readSmall(store, image.digest, owner)
    imageManifests.set(image.digest, bytes)
    const parsed = parseJson(store, bytes, image.digest, isOciManifest)
    for (const blob of [parsed.config, ...parsed.layers]) need(blob.digest, blob.size, owner)
  }
  // Indexes keep their bytes; the platforms that were left out of the bundle are not missing.
  for (const entry of index.manifests) {
    if (isIndex(entry.mediaType))
      need(entry.digest, entry.size, entry.annotations?.[NAME_ANNOTATION] ?? 'an image index')
  }
  return { manifest, imageManifests, blobs, missing: missing.sort() }
}

/** An image for people: its first name and, where it is not obvious, what else it is called. */
export function imageTitle(image: RootfsImage): string {
  const more = image.names.length > 1 ? ` (and ${image.names.length - 1} more names)` : ''
  return `${image.names[0] ?? image.digest} for ${image.arch}${more}`
}

async function readSmall(store: BlobStore, digest: string, what: string): Promise<Buffer> {
  const hex = hexOf(digest) ?? ''
  const size = store.sizes.get(hex)
  if (size === undefined || size > MAX_JSON) {
    throw new AirliftError(
      'E_BUNDLE_DAMAGED',
      `${store.ref} lacks ${what} (${digest})${store.cut ? `: the file was cut, ${store.cut}` : ''}`,
      { hint: 'copy the bundle again, or build it again' },
    )
  }
  const chunks: Buffer[] = []
  for await (const chunk of store.chunks(hex)) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  if (sha256(bytes) === hex) return bytes
  throw new AirliftError('E_BUNDLE_DAMAGED', `${store.ref} is damaged: ${what} is not ${digest}`, {
    hint: 'copy the bundle again, or build it again; `airlift rootfs verify` lists all that is damaged',
  })
}

function parseJson<T>(store: BlobStore, bytes: Buffer, what: string, is: (value: unknown) => value is T): T {
  const value = parseAs(bytes, is)
  if (value !== undefined) return value
  // What is JSON was written so: to copy it again would not help.
  if (parseAs(bytes, isJson) !== undefined)
    throw invalid(store, `has a description of another shape: ${what}`)
  throw new AirliftError('E_BUNDLE_DAMAGED', `${store.ref} is damaged: ${what} is not JSON`, {
    hint: 'copy the bundle again, or build it again',
  })
}

const isJson = (value: unknown): value is unknown => value !== undefined

const ARCHS: readonly Arch[] = ['amd64', 'arm64', 'arm']

function isFile(value: unknown): value is RootfsFile {
  return isRecord(value) && [value.path, value.sha256, value.mode, value.role].every(isText)
}

function isImage(value: unknown): value is RootfsImage {
  return isRecord(value) && isListOf(value.names, isText) && [value.digest, value.file].every(isText)
}

/** A manifest comes from a file that anybody may have made: paths must stay inside the rootfs. */
function checkManifest(store: BlobStore, value: Readonly<Record<string, unknown>>): RootfsManifest {
  const { runtime, version, arch, files, images } = value
  if (!isText(runtime) || !isText(version) || !isListOf(files, isFile) || !isListOf(images, isImage)) {
    throw invalid(store, 'has a manifest that this airlift cannot read')
  }
  if (!isListOf(arch, (one): one is Arch => ARCHS.includes(one as Arch))) {
    throw invalid(store, `is for the architectures ${JSON.stringify(arch)}`)
  }
  for (const file of files) {
    const safe =
      /^[A-Za-z0-9._+-]+(\/[A-Za-z0-9._+-]+)*$/.test(file.path) && !file.path.split('/').includes('..')
    if (!safe) throw invalid(store, `has a file with the path "${file.path}"`)
    if (
      !/^[0-9a-f]{64}$/.test(file.sha256) ||
      !(Number.isSafeInteger(file.size) && file.size >= 0) ||
      !/^0[0-7]{3}$/.test(file.mode)
    ) {
      throw invalid(store, `has no digest, size or mode for ${file.path}`)
    }
  }
  return value as unknown as RootfsManifest
}

function invalid(store: BlobStore, what: string): AirliftError {
  return new AirliftError('E_BUNDLE_INVALID', `${store.ref} ${what}`, {
    hint: 'name a bundle that `airlift rootfs build` made; a newer bundle may need a newer airlift',
  })
}
