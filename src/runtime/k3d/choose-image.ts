import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { EngineImage } from '../../machine/docker/engine.js'
import type { Arch, RootfsFile } from '../../rootfs/manifest.js'
import type { RootfsRef, World } from '../runtime.js'

/** The image of the node containers, and how it comes to be on the engine. */
export interface ImageChoice {
  readonly ref: string
  /** `present`: it is there. */
  readonly source: 'present' | 'pull' | 'build'
  readonly arch: Arch
}

/** References that planning chooses from: what the user named, else k3s' own image, else one made of the rootfs. */
export function candidateImages(spec: ClusterSpec, rootfs: RootfsRef | undefined, arch: Arch): string[] {
  const named = spec.containers?.image
  if (named !== undefined) return [named]
  if (!rootfs) return []
  return [`rancher/k3s:${tagOf(rootfs)}`, ...builtImage(rootfs, arch)]
}

/** The image that airlift makes of a rootfs: another binary has another name. */
function builtImage(rootfs: RootfsRef, arch: Arch): string[] {
  const binary = binaryOf(rootfs, arch)
  return binary ? [`airlift/k3s:${tagOf(rootfs)}-${binary.sha256.slice(0, 12)}`] : []
}

/** A plus may not stand in a tag. */
function tagOf(rootfs: RootfsRef): string {
  return rootfs.manifest.version.replaceAll('+', '-')
}

function binaryOf({ manifest }: RootfsRef, arch: Arch): RootfsFile | undefined {
  return manifest.files.find(
    (file) => file.role === 'binary' && (file.arch === undefined || file.arch === arch),
  )
}

/** The processor of the engine's computer. @throws AirliftError E_UNSUPPORTED for one that k3s is not built for */
export function engineArch(arch: string): Arch {
  const known: Readonly<Record<string, Arch>> = {
    amd64: 'amd64',
    x86_64: 'amd64',
    arm64: 'arm64',
    aarch64: 'arm64',
    arm: 'arm',
    armv7l: 'arm',
  }
  const found = known[arch]
  if (found) return found
  throw new AirliftError('E_UNSUPPORTED', `the engine's computer is ${arch}, which k3s is not built for`, {
    hint: 'use an engine on amd64, arm64 or armhf',
  })
}

/**
 * Chooses the image. Nothing is pulled unless the user names an image that is not there: a rootfs is enough to make one.
 * @throws AirliftError E_IMAGE_MISSING where nothing tells what the nodes are to run, E_PREFLIGHT for a rootfs without
 * the engine's architecture
 */
export function chooseImage(spec: ClusterSpec, world: World, before?: string): ImageChoice {
  const engine = world.engine
  const arch = engineArch(engine?.info.arch ?? '')
  const present = (ref: string): EngineImage | undefined => engine?.images.get(ref)
  const named = spec.containers?.image ?? before
  const candidates = candidateImages(spec, world.rootfs, arch)
  const built = world.rootfs ? builtImage(world.rootfs, arch)[0] : undefined
  // A cluster keeps its image; one that airlift made is made again where it was removed.
  if (named !== undefined)
    return { ref: named, source: present(named) ? 'present' : named === built ? 'build' : 'pull', arch }
  const there = candidates.find((ref) => present(ref) !== undefined)
  if (there !== undefined) return { ref: there, source: 'present', arch }
  if (built !== undefined) return { ref: built, source: 'build', arch }
  if (world.rootfs)
    throw new AirliftError(
      'E_PREFLIGHT',
      `the rootfs holds ${world.rootfs.manifest.arch.join(', ')}, and the engine's computer is ${arch}`,
      { hint: `build it with --arch ${arch}` },
    )
  throw new AirliftError('E_IMAGE_MISSING', 'nothing says which image the nodes are to run', {
    hint: 'name a rootfs: --rootfs k3s.airlift, or an image: --image rancher/k3s:v1.33.1-k3s1',
  })
}
