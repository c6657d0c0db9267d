import { createHash } from 'node:crypto'
import { AirliftError } from '../../core/errors.js'
import { sha256 } from '../digest.js'
import { isDockerList, namesOf } from './docker-archive.js'
import { normalizeImageName } from './image-name.js'
import { isOciIndex, isOciManifest, isRecord, requireJson } from './read-json.js'
import type { ArchiveFiles } from './source-image.js'
import {
  archOfImage,
  type ImagePlatform,
  platformText,
  type SourceBlob,
  type SourceImage,
} from './source-image.js'
import type { Descriptor } from './types.js'
import { blobPath, hexOf, isIndex, isManifest, MEDIA, NAME_ANNOTATION, REF_ANNOTATION } from './types.js'

/**
 * Reads an OCI layout. Manifests and indexes keep their bytes, so digests stay those of the registry; platforms whose blobs
 * are absent are left out, as are attestations.
 */
export async function readOciLayout(files: ArchiveFiles): Promise<SourceImage[]> {
  const index = requireJson(files.path, 'index.json', await files.read('index.json'), isOciIndex)
  const docker = await dockerNames(files)
  const images = new Map<string, SourceImage>()
  let unnamed: Descriptor | undefined
  for (const entry of index.manifests) {
    const found = await readEntry(files, entry)
    if (found.length === 0) continue
    const names = new Set(annotatedNames(entry))
    for (const image of found) {
      for (const name of docker.get(image.config) ?? []) names.add(name)
    }
    if (names.size === 0) unnamed ??= entry
    for (const { image } of found) {
      const key = image.digest
      const before = images.get(key)
      const merged = [...new Set([...(before?.names ?? []), ...names])].sort()
      images.set(key, { ...(before ?? image), ...(image.index ? { index: image.index } : {}), names: merged })
    }
  }
  const nameless = [...images.values()].find((image) => image.names.length === 0)
  if (nameless) {
    const ref = unnamed?.annotations?.[REF_ANNOTATION]
    throw new AirliftError(
      'E_LOCAL_FILE',
      `${files.path} holds an image without a full name: ${nameless.digest}${ref ? ` is only called "${ref}"` : ''}`,
      {
        hint: `export it with its name: ctr images export, docker save, or the annotation ${NAME_ANNOTATION}`,
      },
    )
  }
  return [...images.values()]
}

/** Names of a descriptor. A ref.name such as `3.6` is only a tag: it names nothing without a repository. */
function annotatedNames(entry: Descriptor): string[] {
  const full = entry.annotations?.[NAME_ANNOTATION]
  const ref = entry.annotations?.[REF_ANNOTATION]
  const text = full ?? (ref !== undefined && /[/:@]/.test(ref) ? ref : undefined)
  const name = text === undefined ? undefined : normalizeImageName(text)
  return name ? [name] : []
}

/** RepoTags of a manifest.json beside the layout, by the hex digest of the configuration. */
async function dockerNames(files: ArchiveFiles): Promise<Map<string, string[]>> {
  const names = new Map<string, string[]>()
  if (!files.find('manifest.json')) return names
  const bytes = await files.read('manifest.json')
  const entries = requireJson(files.path, 'manifest.json', bytes, isDockerList)
  for (const entry of entries) {
    const hex = /([0-9a-f]{64})(\.json)?$/.exec(entry.Config)?.[1]
    if (hex && (entry.RepoTags?.length ?? 0) > 0) {
      names.set(hex, [...(names.get(hex) ?? []), ...namesOf(files.path, entry)])
    }
  }
  return names
}

interface Found {
  readonly image: SourceImage
  /** Hex digest of its configuration. */
  readonly config: string
}

async function readEntry(files: ArchiveFiles, entry: Descriptor, depth = 0): Promise<Found[]> {
  if (isManifest(entry.mediaType)) {
    const found = await readManifest(files, entry)
    return found ? [found] : []
  }
  if (!isIndex(entry.mediaType) || depth > 2) return []
  const bytes = await readChecked(files, entry)
  const nested = requireJson(files.path, entry.digest, bytes, isOciIndex)
  const all: Found[] = []
  for (const child of nested.manifests) {
    // A sparse index lists platforms that are not in the archive.
    if (files.find(blobPath(hexOf(child.digest) ?? '')))
      all.push(...(await readEntry(files, child, depth + 1)))
  }
  const index = { digest: entry.digest, mediaType: entry.mediaType, bytes }
  return all.map(({ image, config }) => ({ config, image: { ...image, index } }))
}

async function readManifest(files: ArchiveFiles, entry: Descriptor): Promise<Found | undefined> {
  const bytes = await readChecked(files, entry)
  const manifest = requireJson(files.path, entry.digest, bytes, isOciManifest)
  const isImage =
    manifest.artifactType === undefined &&
    /image.*config|container\.image\.v1/.test(manifest.config.mediaType)
  if (!isImage || entry.platform?.architecture === 'unknown') return undefined
  const all = [manifest.config, ...manifest.layers]
  const absent = all.filter((blob) => !files.find(blobPath(hexOf(blob.digest) ?? '')))
  // containerd exports one platform of an image and may keep the manifests of the others.
  if (absent.length === all.length) return undefined
  const blobs = new Map<string, SourceBlob>()
  for (const blob of all) {
    const hex = hexOf(blob.digest) ?? ''
    const source = files.find(blobPath(hex))
    if (!source || source.size !== blob.size) {
      throw damaged(files.path, `${entry.digest} lacks ${blob.digest}${source ? ': it is not whole' : ''}`)
    }
    blobs.set(hex, checked(files.path, blob, source))
  }
  const configBytes = await readChecked(files, manifest.config)
  const config: ImagePlatform = requireJson(files.path, manifest.config.digest, configBytes, isRecord)
  const arch = archOfImage(config)
  if (!arch) {
    files.skipped.add(platformText(config))
    return undefined
  }
  const mediaType = manifest.mediaType ?? MEDIA.manifest
  return {
    config: hexOf(manifest.config.digest) ?? '',
    image: { names: [], arch, manifest: bytes, mediaType, digest: entry.digest, blobs },
  }
}

/** The same blob, refused at its end when its content is another one. */
function checked(path: string, blob: Descriptor, source: SourceBlob): SourceBlob {
  return {
    size: source.size,
    async *chunks() {
      const hash = createHash('sha256')
      for await (const chunk of source.chunks()) {
        hash.update(chunk)
        yield chunk
      }
      const digest = `sha256:${hash.digest('hex')}`
      if (digest !== blob.digest) throw damaged(path, `${blob.digest} is ${digest}`)
    },
  }
}

async function readChecked(files: ArchiveFiles, blob: Descriptor): Promise<Buffer> {
  const bytes = await files.read(blobPath(hexOf(blob.digest) ?? ''))
  if (`sha256:${sha256(bytes)}` === blob.digest) return bytes
  throw damaged(files.path, `${blob.digest} is sha256:${sha256(bytes)}`)
}

function damaged(path: string, why: string): AirliftError {
  return new AirliftError('E_LOCAL_FILE', `${path} is damaged: ${why}`, {
    hint: 'export or download the archive again',
  })
}
