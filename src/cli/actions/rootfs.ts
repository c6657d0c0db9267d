import { formatBytes } from '../../core/bytes.js'
import { AirliftError } from '../../core/errors.js'
import { buildBundle } from '../../rootfs/build-bundle.js'
import { inspectRootfs } from '../../rootfs/inspect-rootfs.js'
import type { Arch, RootfsImage, RootfsManifest } from '../../rootfs/manifest.js'
import { verifyRootfs } from '../../rootfs/verify-rootfs.js'
import type { ActionIo } from '../io.js'
import { renderTable } from '../render/table.js'

type Flags = Readonly<Record<string, unknown>>

/** `airlift rootfs build`. */
export async function buildCommand(io: ActionIo, flags: Flags): Promise<number> {
  const text = (name: string): string | undefined =>
    typeof flags[name] === 'string' ? flags[name] : undefined
  const list = (name: string): readonly string[] =>
    Array.isArray(flags[name]) ? (flags[name] as string[]) : []
  const runtime = text('runtime') ?? 'k3s'
  if (runtime !== 'k3s') {
    const known = runtime === 'k3d' || runtime === 'k0s'
    throw new AirliftError(
      known ? 'E_UNSUPPORTED' : 'E_USAGE',
      `rootfs build cannot make a bundle of "${runtime}"`,
      {
        hint: 'use --runtime k3s',
      },
    )
  }
  const from = text('from')
  const template = text('template')
  const result = await buildBundle(
    {
      runtime,
      version: text('version') ?? '',
      arch: archs(list('arch')),
      binary: list('binary'),
      images: list('images'),
      registry: list('registry'),
      ...(from === undefined ? {} : { from }),
      ...(template === undefined ? {} : { template }),
      output: text('file') ?? '',
    },
    io.ctx,
  )
  const { output, size, digest, manifest } = result
  if (io.json) io.printJson({ output, size, digest, ...described(manifest) })
  else io.print(`${output}: ${title(manifest)}, ${formatBytes(size)}\n${digest}`)
  return 0
}

/** `airlift rootfs inspect`. */
export async function inspectCommand(io: ActionIo, path: string): Promise<number> {
  const { ref, digest, ...manifest } = await inspectRootfs(path)
  if (io.json) {
    io.printJson({ ref, digest, ...described(manifest) })
    return 0
  }
  const files = manifest.files.map((file) => [
    file.path,
    file.role,
    file.arch ?? 'all',
    formatBytes(file.size),
    file.sha256.slice(0, 12),
  ])
  io.print(
    `${title(manifest)}\n${digest}\n\n${renderTable(['file', 'role', 'arch', 'size', 'sha256'], files)}`,
  )
  if (manifest.images.length > 0)
    io.print(`\n${renderTable(['image', 'arch', 'digest'], imageRows(manifest.images))}`)
  return 0
}

/** `airlift rootfs verify`. */
export async function verifyCommand(io: ActionIo, path: string): Promise<number> {
  const result = await verifyRootfs(path, io.ctx)
  const { ref, digest, blobs, manifest } = result
  if (io.json) io.printJson({ ref, digest, ok: true, blobs, bytes: result.bytes, ...described(manifest) })
  else io.print(`${ref}: ${blobs} blobs, ${formatBytes(result.bytes)}, all as they were built\n${digest}`)
  return 0
}

/** The keys of the contract first; images with every name. */
function described({ runtime, version, arch, files, images }: RootfsManifest): Record<string, unknown> {
  return { runtime, version, arch, files, images }
}

function title({ runtime, version, arch, images }: RootfsManifest): string {
  const count = new Set(images.flatMap((image) => image.names)).size
  return `${runtime} ${version} for ${arch.join(', ')}, ${count} ${count === 1 ? 'image' : 'images'}`
}

function imageRows(images: readonly RootfsImage[]): string[][] {
  return images.flatMap((image) => image.names.map((name) => [name, image.arch, image.digest.slice(0, 19)]))
}

const ARCHS: readonly Arch[] = ['amd64', 'arm64', 'arm']
/** What people also write. */
const ALIASES: Readonly<Record<string, Arch>> = {
  x86_64: 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armv7l: 'arm',
}

function archs(values: readonly string[]): Arch[] {
  return values
    .flatMap((value) => value.split(','))
    .filter(Boolean)
    .map((value) => {
      const arch = ALIASES[value] ?? ARCHS.find((known) => known === value)
      if (arch) return arch
      throw new AirliftError('E_USAGE', `"${value}" is not an architecture that k3s is built for`, {
        hint: `use ${ARCHS.join(', ')}`,
      })
    })
}
