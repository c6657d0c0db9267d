import type { Readable } from 'node:stream'
import type { RuntimeName } from '../cluster/spec.js'

/** Architectures as OCI names them. */
export type Arch = 'amd64' | 'arm64' | 'arm'

/** What a file of a rootfs is for. */
export type FileRole = 'binary' | 'images' | 'template' | 'registry' | 'file'

/** One file of a rootfs. */
export interface RootfsFile {
  /** Path inside the rootfs, such as `bin/k3s`, `images/mirrored-pause-3.6-0a1b2c3d4e5f.tar`, `templates/k3s.service`. */
  readonly path: string
  /** Hex sha256 of the content. */
  readonly sha256: string
  readonly size: number
  /** Octal, `0755`. */
  readonly mode: string
  readonly role: FileRole
  /** Absent: the same for every architecture. */
  readonly arch?: Arch
}

/** One image of a rootfs, for one architecture. */
export interface RootfsImage {
  /** Every name that it carries, normalised: `docker.io/rancher/mirrored-pause:3.6`. */
  readonly names: readonly string[]
  readonly arch: Arch
  /** `sha256:…` of its OCI manifest in the bundle. */
  readonly digest: string
  /** The rootfs file (role `images`) that brings it to a machine. */
  readonly file: string
}

/** What a rootfs holds. Plain data, pure input of planning. */
export interface RootfsManifest {
  readonly runtime: RuntimeName
  /** The release, `v1.33.1+k3s1`. */
  readonly version: string
  readonly arch: readonly Arch[]
  readonly files: readonly RootfsFile[]
  readonly images: readonly RootfsImage[]
}

/** Where blobs come from when a machine lacks them. */
export interface BlobSource {
  /**
   * Streams one blob. Its digest is checked on the way, unless `verify` is false because the receiver checks it: then only
   * its length is. @throws AirliftError E_BUNDLE_DAMAGED naming the blob and the images that it hits
   */
  openBlob(sha256: string, options?: { readonly verify?: boolean }): Readable
  /** What a blob is, for people: `images/mirrored-pause…tar (docker.io/rancher/mirrored-pause:3.6)`. */
  describeBlob(sha256: string): string
}

/** An opened bundle or unpacked rootfs. */
export interface Rootfs extends BlobSource {
  /** Path or reference that it was opened from. */
  readonly ref: string
  /** `sha256:…` of the bundle's index: one digest proves all. */
  readonly digest: string
  readonly manifest: RootfsManifest
  /** Texts of the files with role `template`, by path. Read when it is opened. */
  readonly templates: Readonly<Record<string, string>>
  close(): Promise<void>
}
