import { writeFileSync } from 'node:fs'
import { canonicalJson, sha256 } from './digest.js'
import type { Arch } from './manifest.js'
import { padding, TAR_END, tarHeader } from './tar/header.js'

/** A tar of members, in their order. */
export function tar(members: Readonly<Record<string, Buffer | string>>): Buffer {
  const parts: Buffer[] = []
  for (const [name, content] of Object.entries(members)) {
    const bytes = Buffer.from(content)
    parts.push(tarHeader(name, bytes.length), bytes, Buffer.alloc(padding(bytes.length)))
  }
  return Buffer.concat([...parts, TAR_END])
}

/** An image to put into an archive. */
export interface TestImage {
  readonly names: readonly string[]
  readonly arch?: Arch | 's390x'
  readonly layers?: readonly Buffer[]
}

/** A layer: a small tar whose content is the text. */
export function layer(text: string): Buffer {
  return tar({ 'etc/text': text })
}

function configOf(image: TestImage, layers: readonly Buffer[]): Buffer {
  return canonicalJson({
    architecture: image.arch ?? 'amd64',
    os: 'linux',
    created: '2020-01-01T00:00:00Z',
    config: {},
    history: layers.map(() => ({ created: '2020-01-01T00:00:00Z', created_by: 'test' })),
    rootfs: { type: 'layers', diff_ids: layers.map((bytes) => `sha256:${sha256(bytes)}`) },
  })
}

/** What `docker save` of Docker before 25 writes. */
export function dockerArchive(images: readonly TestImage[]): Buffer {
  const members: Record<string, Buffer> = {}
  const entries = images.map((image) => {
    const layers = image.layers ?? [layer(image.names[0] ?? 'none')]
    const config = configOf(image, layers)
    const Config = `${sha256(config)}.json`
    members[Config] = config
    const Layers = layers.map((bytes) => {
      const path = `${sha256(bytes)}/layer.tar`
      members[path] = bytes
      return path
    })
    return { Config, RepoTags: image.names.length > 0 ? image.names : null, Layers }
  })
  return tar({ ...members, 'manifest.json': canonicalJson(entries) })
}

/** What `ctr images export` writes: an index of platforms per name, of which `absent` has no blobs. */
export function ociArchive(
  names: readonly string[],
  images: readonly TestImage[],
  options: { readonly refOnly?: boolean; readonly absent?: boolean } = {},
): { readonly bytes: Buffer; readonly indexDigest: string } {
  const blobs: Record<string, Buffer> = {}
  const add = (bytes: Buffer): { digest: string; size: number } => {
    blobs[`blobs/sha256/${sha256(bytes)}`] = bytes
    return { digest: `sha256:${sha256(bytes)}`, size: bytes.length }
  }
  const children: unknown[] = images.map((image) => {
    const layers = image.layers ?? [layer(`${names[0]} ${image.arch}`)]
    const manifest = canonicalJson({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...add(configOf(image, layers)) },
      layers: layers.map((bytes) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar', ...add(bytes) })),
    })
    return {
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      ...add(manifest),
      platform: { architecture: image.arch ?? 'amd64', os: 'linux' },
    }
  })
  if (options.absent) {
    children.push({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: `sha256:${'9'.repeat(64)}`,
      size: 400,
      platform: { architecture: 's390x', os: 'linux' },
    })
  }
  const index = canonicalJson({
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: children,
  })
  const top = add(index)
  const manifests = names.map((name) => ({
    mediaType: 'application/vnd.oci.image.index.v1+json',
    ...top,
    annotations: {
      ...(options.refOnly ? {} : { 'io.containerd.image.name': name }),
      'org.opencontainers.image.ref.name': name.split(':').at(-1),
    },
  }))
  const bytes = tar({
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': canonicalJson({ schemaVersion: 2, manifests }),
    ...blobs,
  })
  return { bytes, indexDigest: top.digest }
}

/** A program that ELF readers believe: a header for one machine, and something to tell programs apart. */
export function elf(arch: Arch | 's390x' | 'i386', text = ''): Buffer {
  const header = Buffer.alloc(64)
  header.writeUInt32BE(0x7f454c46)
  header[4] = arch === 'arm' || arch === 'i386' ? 1 : 2
  header[5] = arch === 's390x' ? 2 : 1
  const machine = { amd64: 62, arm64: 183, arm: 40, s390x: 22, i386: 3 }[arch]
  if (arch === 's390x') header.writeUInt16BE(machine, 18)
  else header.writeUInt16LE(machine, 18)
  return Buffer.concat([header, Buffer.from(text)])
}

/** Writes a file and gives its path back. */
export function write(path: string, content: Buffer | string): string {
  writeFileSync(path, content)
  return path
}
