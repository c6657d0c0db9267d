import type { Arch } from '../manifest.js'

/** A blob that can be read again and again. */
export interface SourceBlob {
  readonly size: number
  chunks(): AsyncIterable<Buffer>
}

/** One image of an input, for one architecture. */
export interface SourceImage {
  /** Normalised names. */
  readonly names: readonly string[]
  readonly arch: Arch
  readonly manifest: Buffer
  readonly mediaType: string
  /** `sha256:…` of the manifest. */
  readonly digest: string
  /** Config and layers, by hex digest. */
  readonly blobs: ReadonlyMap<string, SourceBlob>
  /** Its layers are not compressed, and are those that its configuration names: unpacking would tell nothing more of them. */
  readonly plain?: true
  /** The index that it came in, whose names it carries. */
  readonly index?: { readonly digest: string; readonly mediaType: string; readonly bytes: Buffer }
}

/** An input of images, open until it is closed. */
export interface ImageArchive {
  readonly path: string
  readonly images: readonly SourceImage[]
  /** Platforms of images that were left out, since no k3s runs them: `linux/s390x`, `windows/amd64`. */
  readonly skipped: readonly string[]
  close(): Promise<void>
}

/** What the configuration of an image says of its platform. */
export interface ImagePlatform {
  readonly architecture?: unknown
  readonly variant?: unknown
  readonly os?: unknown
}

/** The architecture of an OCI image; undefined for those that no k3s is built for. */
export function archOfImage({ architecture, variant, os }: ImagePlatform): Arch | undefined {
  if (os !== undefined && os !== '' && os !== 'linux') return undefined
  if (architecture === 'amd64' || architecture === 'arm64') return architecture
  if (architecture === 'arm' && (variant === undefined || variant === '' || variant === 'v7')) return 'arm'
  return undefined
}

/** A platform as Docker writes it: `linux/arm/v6`. */
export function platformText({ architecture, variant, os }: ImagePlatform): string {
  return [os || 'linux', architecture ?? 'unknown', variant].filter(Boolean).join('/')
}

/** What the readers of both formats use: members by name. */
export interface ArchiveFiles {
  readonly path: string
  /** Platforms of images that were left out; the readers add to it. */
  readonly skipped: Set<string>
  /** Layers are taken for what the configuration says, unread. */
  readonly trusted: boolean
  /** The member, with links followed. Undefined when there is none. */
  find(name: string): SourceBlob | undefined
  /** The content of a small member. @throws AirliftError E_LOCAL_FILE when it is missing */
  read(name: string): Promise<Buffer>
}
