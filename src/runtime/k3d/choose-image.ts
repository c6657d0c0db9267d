import type { ClusterSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { EngineImage } from '../../machine/docker/engine.js'
import type { Arch, RootfsFile } from '../../rootfs/manifest.js'
import type { RootfsRef, World } from '../runtime.js'
import { imageVersion, isMadeHere } from './node-images.js'

/** The image of the node containers, and how it comes to be on the engine. */
export interface ImageChoice {
  readonly ref: string
  /** `present`: it is there. */
  readonly source: 'present' | 'pull' | 'build'
  readonly arch: Arch
  /** Release of k3s that the nodes run; absent where nothing tells. */
  readonly version?: string
}

/** What the cluster's containers were made from, where there are any. */
export interface ImageBefore {
  readonly ref: string
  /** As their labels say; empty where it was not known. */
  readonly version: string
}

/** References that planning chooses from: what the user named, else k3s' own image, else one made of the rootfs. */
export function candidateImages(spec: ClusterSpec, rootfs: RootfsRef | undefined, arch: Arch): string[] {
  const named = spec.containers?.image
  if (named !== undefined) return [named]
  if (!rootfs) return []
  return [publishedImage(rootfs.manifest.version), ...builtImage(rootfs, arch)]
}

/** k3s' own image of a release. */
export function publishedImage(version: string): string {
  return `rancher/k3s:${version.replaceAll('+', '-')}`
}

/** The image that airlift makes of a rootfs: another binary has another name. */
function builtImage(rootfs: RootfsRef, arch: Arch): string[] {
  const binary = binaryOf(rootfs, arch)
  if (!binary) return []
  // A plus may not stand in a tag.
  const tag = rootfs.manifest.version.replaceAll('+', '-')
  return [`airlift/k3s:${tag}-${binary.sha256.slice(0, 12)}`]
}

/** Whether airlift made the image of that name: of this rootfs, where one is given. */
export function isMadeOf(ref: string, arch: Arch, rootfs?: RootfsRef): boolean {
  return isMadeHere(ref) && (!rootfs || builtImage(rootfs, arch).some((name) => ref.endsWith(name)))
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
export function chooseImage(spec: ClusterSpec, world: World, before?: ImageBefore): ImageChoice {
  const { ref, source, arch } = chooseRef(spec, world, before?.ref)
  // What the first containers were said to run is what all are said to run: the name of an image may lead to another one later.
  const version = before
    ? before.version
    : (world.rootfs?.manifest.version ??
      spec.containers?.release ??
      imageVersion(ref, world.engine?.images.get(ref)))
  return { ref, source, arch, ...(version ? { version } : {}) }
}

function chooseRef(spec: ClusterSpec, world: World, before: string | undefined): ImageChoice {
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

/**
 * Refuses to pull what airlift made: no registry has it. Pure.
 * @throws AirliftError E_IMAGE_MISSING
 */
export function requirePullable({ ref, source }: ImageChoice): void {
  if (source !== 'pull' || !isMadeHere(ref)) return
  throw new AirliftError(
    'E_IMAGE_MISSING',
    `airlift made the image ${ref} from a rootfs, and the engine does not have it any more`,
    { hint: 'give that rootfs, --rootfs k3s.airlift, or bring the image back: docker load' },
  )
}
