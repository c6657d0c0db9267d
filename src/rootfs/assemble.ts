import type { RuntimeName } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { InputFile } from './build-inputs.js'
import { canonicalJson, sha256 } from './digest.js'
import type { Arch, RootfsFile, RootfsImage, RootfsManifest } from './manifest.js'
import { digestImageFile, layoutImageFile } from './oci/image-file.js'
import { shortImageName } from './oci/image-name.js'
import type { SourceBlob, SourceImage } from './oci/source-image.js'
import type { Descriptor, OciIndex } from './oci/types.js'
import { hexOf, MEDIA, NAME_ANNOTATION, REF_ANNOTATION, TITLE_ANNOTATION } from './oci/types.js'
import type { BundleContents } from './write-bundle.js'

/** What a bundle is assembled from. */
export interface BundleParts {
  readonly runtime: RuntimeName
  readonly version: string
  readonly arch: readonly Arch[]
  readonly files: readonly InputFile[]
  readonly images: readonly SourceImage[]
}

/** A bundle that is ready to be written. */
export interface AssembledBundle extends BundleContents {
  readonly manifest: RootfsManifest
}

/**
 * Turns files and images into the index, manifests and blobs of a bundle. The same parts give the same bytes: everything is
 * sorted, and nothing is asked of the clock, the host or the environment.
 */
export async function assembleBundle(parts: BundleParts): Promise<AssembledBundle> {
  const blobs = new Map<string, SourceBlob>()
  const manifests = new Set<string>()
  const add = (bytes: Buffer): { readonly digest: string; readonly size: number } => {
    const hex = sha256(bytes)
    blobs.set(hex, bytesBlob(bytes))
    manifests.add(hex)
    return { digest: `sha256:${hex}`, size: bytes.length }
  }
  for (const { file, blob } of parts.files) blobs.set(file.sha256, blob)
  const images: RootfsImage[] = []
  const imageFiles: RootfsFile[] = []
  for (const source of parts.images) {
    for (const [hex, blob] of source.blobs) blobs.set(hex, blob)
    add(source.manifest)
    const { image, file } = await describeImage(source)
    images.push(image)
    imageFiles.push(file)
  }
  const own = parts.files.map(({ file }) => file)
  const manifest: RootfsManifest = {
    runtime: parts.runtime,
    version: parts.version,
    arch: [...parts.arch].sort(),
    files: [...own, ...imageFiles].sort(by((file) => file.path)),
    images: images.sort(by((image) => `${image.names[0]} ${image.arch}`)),
  }
  const config = { mediaType: MEDIA.rootfsConfig, ...add(canonicalJson(manifest)) }
  const layers = [...own].sort(by((file) => file.path)).map((file) => ({
    mediaType: MEDIA.rootfsFile,
    digest: `sha256:${file.sha256}`,
    size: file.size,
    annotations: { [TITLE_ANNOTATION]: file.path },
  }))
  const artifact = {
    schemaVersion: 2,
    mediaType: MEDIA.manifest,
    artifactType: MEDIA.rootfs,
    config,
    layers,
  }
  const root: Descriptor = {
    mediaType: MEDIA.manifest,
    artifactType: MEDIA.rootfs,
    ...add(canonicalJson(artifact)),
  }
  const index: OciIndex & { readonly artifactType: string } = {
    schemaVersion: 2,
    mediaType: MEDIA.index,
    artifactType: MEDIA.rootfs,
    manifests: [root, ...namedDescriptors(parts.images, add)],
  }
  return { index: canonicalJson(index), blobs, manifests, manifest }
}

async function describeImage(source: SourceImage): Promise<{ image: RootfsImage; file: RootfsFile }> {
  const hex = hexOf(source.digest) ?? ''
  const path = `images/${shortImageName(source.names[0] ?? hex)}-${hex.slice(0, 12)}.tar`
  const layout = layoutImageFile({
    names: source.names,
    arch: source.arch,
    manifest: source.manifest,
    openBlob: (blob) => source.blobs.get(blob)?.chunks() ?? bytesBlob(Buffer.alloc(0)).chunks(),
  })
  const digest = await digestImageFile(layout)
  if (digest.size !== layout.size) {
    throw new AirliftError(
      'E_LOCAL_FILE',
      `the blobs of ${source.names[0]} have not the sizes that its manifest tells`,
      {
        hint: 'export or download the images again',
      },
    )
  }
  return {
    image: { names: source.names, arch: source.arch, digest: source.digest, file: path },
    file: { path, ...digest, mode: '0644', role: 'images', arch: source.arch },
  }
}

/**
 * One descriptor per name, so that tools find every name. A name that stands for several architectures points to an index:
 * the one that it came in, else one that is made here.
 */
function namedDescriptors(
  images: readonly SourceImage[],
  add: (bytes: Buffer) => { readonly digest: string; readonly size: number },
): Descriptor[] {
  const byName = new Map<string, SourceImage[]>()
  for (const image of images) {
    for (const name of image.names) byName.set(name, [...(byName.get(name) ?? []), image])
  }
  return [...byName].sort(by(([name]) => name)).map(([name, all]) => {
    const annotations = { [NAME_ANNOTATION]: name, [REF_ANNOTATION]: name }
    const [first] = all
    if (!first) throw new TypeError(`no image is called ${name}`)
    if (first.index && all.every((image) => image.index?.digest === first.index?.digest)) {
      const { digest, size } = add(first.index.bytes)
      return { mediaType: first.index.mediaType, digest, size, annotations }
    }
    const children = [...all].sort(by((image) => image.arch)).map(childDescriptor)
    const [only] = children
    if (only && children.length === 1) return { ...only, annotations }
    const made = add(canonicalJson({ schemaVersion: 2, mediaType: MEDIA.index, manifests: children }))
    return { mediaType: MEDIA.index, ...made, annotations }
  })
}

function childDescriptor(image: SourceImage): Descriptor {
  const platform = {
    architecture: image.arch,
    os: 'linux',
    ...(image.arch === 'arm' ? { variant: 'v7' } : {}),
  }
  return { mediaType: image.mediaType, digest: image.digest, size: image.manifest.length, platform }
}

function bytesBlob(bytes: Buffer): SourceBlob {
  return {
    size: bytes.length,
    async *chunks() {
      yield bytes
    },
  }
}

/** Compares by code units, so that no locale decides about an order. */
function by<T>(key: (item: T) => string): (a: T, b: T) => number {
  return (a, b) => {
    const [left, right] = [key(a), key(b)]
    return left < right ? -1 : left > right ? 1 : 0
  }
}
