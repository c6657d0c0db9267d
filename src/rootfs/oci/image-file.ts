import { canonicalJson, digestOf, sha256 } from '../digest.js'
import type { Arch } from '../manifest.js'
import { memberSize, padding, TAR_END, tarHeader } from '../tar/header.js'
import { joinSegments, type Segment } from '../tar/member-stream.js'
import type { Descriptor, OciManifest } from './types.js'
import { blobPath, hexOf, MEDIA, NAME_ANNOTATION, OCI_LAYOUT, REF_ANNOTATION } from './types.js'

/** What the archive of one image is made of. */
export interface ImageFileParts {
  readonly names: readonly string[]
  readonly arch: Arch
  /** The bytes of its manifest. */
  readonly manifest: Buffer
  /** Streams a blob of the bundle. */
  readonly openBlob: (hex: string) => AsyncIterable<Buffer>
}

/** The archive of one image: computed, never stored. */
export interface ImageFile {
  readonly size: number
  chunks(): AsyncIterable<Buffer>
}

/**
 * Lays out the archive that brings one image to a machine: an OCI layout and a docker-archive in one tar, so that every
 * importer finds every name. containerd reads `index.json` and makes one image record per descriptor, named by the
 * annotation io.containerd.image.name (containerd, core/images/archive/importer.go and client/import.go); importers that
 * know only `docker save` read RepoTags of `manifest.json`. The same image and names always give the same bytes.
 */
export function layoutImageFile(parts: ImageFileParts): ImageFile {
  const manifest = JSON.parse(parts.manifest.toString('utf8')) as OciManifest
  const self = {
    mediaType: manifest.mediaType ?? MEDIA.manifest,
    digest: `sha256:${sha256(parts.manifest)}`,
    size: parts.manifest.length,
    platform: { architecture: parts.arch, os: 'linux' },
  }
  const index = {
    schemaVersion: 2,
    mediaType: MEDIA.index,
    manifests: parts.names.map((name) => ({
      ...self,
      annotations: { [NAME_ANNOTATION]: name, [REF_ANNOTATION]: name },
    })),
  }
  const path = (blob: Descriptor): string => blobPath(hexOf(blob.digest) ?? '')
  const docker = [
    {
      Config: path(manifest.config),
      // `docker load` takes tags only.
      RepoTags: parts.names.filter((name) => !name.includes('@')),
      Layers: manifest.layers.map(path),
    },
  ]
  const sizes = new Map([manifest.config, ...manifest.layers].map((blob) => [path(blob), blob.size]))
  const own = blobPath(sha256(parts.manifest))
  sizes.set(own, self.size)
  const segments: Segment[] = [
    ...smallMember('oci-layout', OCI_LAYOUT),
    ...smallMember('index.json', canonicalJson(index)),
    ...smallMember('manifest.json', canonicalJson(docker)),
  ]
  let size = segments.reduce((sum, segment) => sum + (segment as Buffer).length, 0) + TAR_END.length
  for (const [name, length] of [...sizes].sort(([a], [b]) => (a < b ? -1 : 1))) {
    size += memberSize(length)
    if (name === own) segments.push(...smallMember(name, parts.manifest))
    else {
      const hex = name.slice(-64)
      segments.push(
        tarHeader(name, length),
        { open: () => parts.openBlob(hex) },
        Buffer.alloc(padding(length)),
      )
    }
  }
  segments.push(TAR_END)
  return {
    size,
    chunks: () => joinSegments(segments.filter((part) => !Buffer.isBuffer(part) || part.length > 0)),
  }
}

/** Computes the digest of an image's archive by streaming it once. */
export function digestImageFile(file: ImageFile): Promise<{ sha256: string; size: number }> {
  return digestOf(file.chunks())
}

function smallMember(name: string, content: Buffer): Segment[] {
  return [tarHeader(name, content.length), content, Buffer.alloc(padding(content.length))]
}
