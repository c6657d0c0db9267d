import { AirliftError } from '../../core/errors.js'
import type { Arch } from '../../rootfs/manifest.js'
import type { ImageArchive } from '../../rootfs/oci/source-image.js'
import { type WantedImage, wanted } from '../../runtime/images/plan-import.js'

/** A node's architecture, with its name for messages. */
export interface NodeArch {
  readonly node: string
  readonly arch: Arch
}

/**
 * The images of all archives for each architecture of the nodes: each once, with all of its names. Pure.
 * @throws AirliftError E_IMAGE_INVALID for an archive without images, one whose images are for other platforms, or a name
 * that stands for two images
 */
export function chooseImages(
  archives: readonly ImageArchive[],
  nodes: readonly NodeArch[],
): ReadonlyMap<Arch, readonly WantedImage[]> {
  for (const archive of archives) checkPlatforms(archive, nodes)
  const chosen = new Map<Arch, readonly WantedImage[]>()
  for (const arch of new Set(nodes.map((node) => node.arch))) {
    const byDigest = new Map<string, WantedImage>()
    const owners = new Map<string, { readonly digest: string; readonly path: string }>()
    for (const { path, images } of archives) {
      for (const image of images) {
        if (image.arch !== arch) continue
        for (const name of image.names) {
          const before = owners.get(name)
          if (before && before.digest !== image.digest) throw ambiguous(name, before.path, path)
          owners.set(name, { digest: image.digest, path })
        }
        const known = byDigest.get(image.digest)
        const names = [...new Set([...(known?.names ?? []), ...image.names])].sort()
        byDigest.set(image.digest, { ...(known ?? wanted(image)), names })
      }
    }
    chosen.set(arch, [...byDigest.values()])
  }
  return chosen
}

/** Every name of an archive must be there for every node. */
function checkPlatforms({ path, images, skipped }: ImageArchive, nodes: readonly NodeArch[]): void {
  if (images.length === 0) {
    const [first] = nodes
    if (skipped.length === 0 || !first) {
      throw new AirliftError('E_IMAGE_INVALID', `${path} holds no images`, {
        hint: 'save it again: docker save NAME:TAG',
      })
    }
    throw otherPlatform(`${path} holds images`, skipped.join(', '), first)
  }
  const archs = new Map<string, Arch[]>()
  for (const image of images) {
    for (const name of image.names) archs.set(name, [...(archs.get(name) ?? []), image.arch])
  }
  for (const [name, found] of archs) {
    const without = nodes.find(({ arch }) => !found.includes(arch))
    if (!without) continue
    const platforms = found.map((arch) => `linux/${arch}`).join(', ')
    throw otherPlatform(`${name} in ${path} is`, platforms, without)
  }
}

/** The error for images that some node could not run. */
export function otherPlatform(what: string, platforms: string, node: NodeArch): AirliftError {
  return new AirliftError(
    'E_IMAGE_INVALID',
    `${what} for ${platforms}, and ${node.node} is linux/${node.arch}`,
    {
      hint: `get it for that platform (docker pull --platform linux/${node.arch} …), or choose other nodes with --on`,
    },
  )
}

function ambiguous(name: string, before: string, path: string): AirliftError {
  const places = before === path ? path : `${before} and ${path}`
  return new AirliftError('E_IMAGE_INVALID', `${name} is two different images in ${places}`, {
    hint: 'leave one of them out: a name can stand for one image only',
  })
}
