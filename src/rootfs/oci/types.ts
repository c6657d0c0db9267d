/** Media types of the OCI image specification and of Docker, with those of airlift's own. */
export const MEDIA = {
  index: 'application/vnd.oci.image.index.v1+json',
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  layer: 'application/vnd.oci.image.layer.v1.tar',
  layerGzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  layerZstd: 'application/vnd.oci.image.layer.v1.tar+zstd',
  dockerIndex: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  rootfs: 'application/vnd.airlift.rootfs.v1+json',
  rootfsConfig: 'application/vnd.airlift.rootfs.config.v1+json',
  rootfsFile: 'application/vnd.airlift.rootfs.file.v1',
} as const

/** Annotations that carry names. containerd reads the first, skopeo the second. */
export const NAME_ANNOTATION = 'io.containerd.image.name'
export const REF_ANNOTATION = 'org.opencontainers.image.ref.name'
export const TITLE_ANNOTATION = 'org.opencontainers.image.title'

/** A reference to a blob. */
export interface Descriptor {
  readonly mediaType: string
  readonly digest: string
  readonly size: number
  readonly artifactType?: string
  readonly platform?: { readonly architecture: string; readonly os: string; readonly variant?: string }
  readonly annotations?: Readonly<Record<string, string>>
}

/** An image manifest, or an artifact's. */
export interface OciManifest {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly artifactType?: string
  readonly config: Descriptor
  readonly layers: readonly Descriptor[]
  readonly subject?: Descriptor
}

/** An index of manifests. */
export interface OciIndex {
  readonly schemaVersion: 2
  readonly mediaType?: string
  readonly manifests: readonly Descriptor[]
}

/** Whether a media type is one of an index. */
export function isIndex(mediaType: string): boolean {
  return mediaType === MEDIA.index || mediaType === MEDIA.dockerIndex
}

/** Whether a media type is one of an image manifest. */
export function isManifest(mediaType: string): boolean {
  return mediaType === MEDIA.manifest || mediaType === MEDIA.dockerManifest
}

/** The text of `oci-layout`. */
export const OCI_LAYOUT = Buffer.from('{"imageLayoutVersion":"1.0.0"}')

/** Where a blob is in a layout. */
export function blobPath(hex: string): string {
  return `blobs/sha256/${hex}`
}

/** The hex part of `sha256:…`; undefined for any other algorithm or a malformed digest. */
export function hexOf(digest: string): string | undefined {
  return /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1]
}
