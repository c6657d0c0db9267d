import { AirliftError } from '../../core/errors.js'
import { canonicalJson, digestOf, sha256 } from '../digest.js'
import { normalizeImageName } from './image-name.js'
import { isListOf, isRecord, isText, requireJson } from './read-json.js'
import type { ArchiveFiles } from './source-image.js'
import {
  archOfImage,
  type ImagePlatform,
  platformText,
  type SourceBlob,
  type SourceImage,
} from './source-image.js'
import type { Descriptor, OciManifest } from './types.js'
import { MEDIA } from './types.js'

/** One entry of manifest.json. */
interface DockerEntry {
  readonly Config: string
  readonly RepoTags?: readonly string[] | null
  readonly Layers: readonly string[]
}

function isImageConfig(value: unknown): value is ImageConfig {
  if (!isRecord(value)) return false
  const { rootfs } = value
  return rootfs === undefined || (isRecord(rootfs) && isListOf(rootfs.diff_ids ?? [], isText))
}

function isDockerEntry(value: unknown): value is DockerEntry {
  if (!isRecord(value)) return false
  const { Config, RepoTags, Layers } = value
  return isText(Config) && isListOf(RepoTags ?? [], isText) && isListOf(Layers, isText)
}

/** Whether a value is what `docker save` writes into manifest.json. */
export function isDockerList(value: unknown): value is readonly DockerEntry[] {
  return isListOf(value, isDockerEntry)
}

interface ImageConfig extends ImagePlatform {
  readonly rootfs?: { readonly diff_ids?: readonly string[] }
}

/**
 * Reads what `docker save` writes. Such an archive has no manifests, so they are made, always the same for the same image;
 * layers stay as they are in the archive, uncompressed as a rule.
 */
export async function readDockerArchive(files: ArchiveFiles): Promise<SourceImage[]> {
  const bytes = await files.read('manifest.json')
  const entries = requireJson(files.path, 'manifest.json', bytes, isDockerList)
  const layers = new Map<string, Promise<Descriptor>>()
  const images: SourceImage[] = []
  for (const entry of entries) {
    const image = await readEntry(files, entry, layers)
    if (image) images.push(image)
  }
  return images
}

async function readEntry(
  files: ArchiveFiles,
  entry: DockerEntry,
  known: Map<string, Promise<Descriptor>>,
): Promise<SourceImage | undefined> {
  const configBytes = await files.read(entry.Config)
  const config = requireJson(files.path, entry.Config, configBytes, isImageConfig)
  const arch = archOfImage(config)
  const names = namesOf(files.path, entry)
  if (!arch) {
    files.skipped.add(platformText(config))
    return undefined
  }
  const configHex = sha256(configBytes)
  const named = /([0-9a-f]{64})(\.json)?$/.exec(entry.Config)?.[1]
  if (named && named !== configHex)
    throw damaged(files.path, names, `its configuration is not sha256:${named}`)
  const blobs = new Map<string, SourceBlob>()
  blobs.set(configHex, {
    size: configBytes.length,
    chunks: async function* () {
      yield configBytes
    },
  })
  const layers: Descriptor[] = []
  let plain = entry.Layers.length === config.rootfs?.diff_ids?.length
  for (const [position, name] of entry.Layers.entries()) {
    const source = files.find(name)
    if (!source) throw damaged(files.path, names, `its layer ${name} is not in the archive`)
    const wanted = config.rootfs?.diff_ids?.[position]
    const described = known.get(name) ?? describeLayer(source, files.trusted ? wanted : undefined)
    known.set(name, described)
    const layer = await described
    if (layer.mediaType === MEDIA.layer && wanted !== undefined && wanted !== layer.digest) {
      throw damaged(files.path, names, `its layer ${name} is ${layer.digest}, not ${wanted}`)
    }
    plain &&= layer.mediaType === MEDIA.layer
    blobs.set(layer.digest.slice(7), source)
    layers.push(layer)
  }
  const manifest: OciManifest = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    config: { mediaType: MEDIA.config, digest: `sha256:${configHex}`, size: configBytes.length },
    layers,
  }
  const bytes = canonicalJson(manifest)
  return {
    names,
    arch,
    manifest: bytes,
    mediaType: MEDIA.manifest,
    digest: `sha256:${sha256(bytes)}`,
    blobs,
    ...(plain ? { plain } : {}),
  }
}

/** All names of an entry. @throws AirliftError E_LOCAL_FILE when there is none: no kubelet could ask for the image */
export function namesOf(
  path: string,
  entry: { readonly Config: string; readonly RepoTags?: readonly string[] | null },
): string[] {
  const names = (entry.RepoTags ?? []).map((text) => {
    const name = normalizeImageName(text)
    if (name) return name
    throw new AirliftError('E_LOCAL_FILE', `${path} holds an image with the name "${text}"`, {
      hint: 'save it under a valid name',
    })
  })
  if (names.length > 0) return [...new Set(names)].sort()
  throw new AirliftError(
    'E_LOCAL_FILE',
    `${path} holds an image without a name (configuration ${entry.Config})`,
    {
      hint: 'save it by its name, not by its id: docker save NAME:TAG',
    },
  )
}

/** `trusted` is what the layer is said to be: if it is no compressed one, it is not read to see whether that is so. */
async function describeLayer(source: SourceBlob, trusted: string | undefined): Promise<Descriptor> {
  const mediaType = await mediaTypeOf(source)
  if (trusted !== undefined && mediaType === MEDIA.layer) {
    return { mediaType, digest: trusted, size: source.size }
  }
  const { sha256: hex, size } = await digestOf(source.chunks())
  return { mediaType, digest: `sha256:${hex}`, size }
}

async function mediaTypeOf(source: SourceBlob): Promise<string> {
  for await (const chunk of source.chunks()) {
    const magic = chunk.subarray(0, 4).toString('hex')
    if (magic.startsWith('1f8b')) return MEDIA.layerGzip
    return magic === '28b52ffd' ? MEDIA.layerZstd : MEDIA.layer
  }
  return MEDIA.layer
}

function damaged(path: string, names: readonly string[], why: string): AirliftError {
  return new AirliftError('E_LOCAL_FILE', `${path} is damaged: ${names.join(', ')}: ${why}`, {
    hint: 'save or download the archive again',
  })
}
