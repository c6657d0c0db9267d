import type { Context } from '../../core/context.js'
import type { Arch } from '../../rootfs/manifest.js'
import type { ImageArchive } from '../../rootfs/oci/source-image.js'
import { otherPlatform } from './choose-images.js'
import type { EngineSource, EngineSources } from './engine-images.js'
import { archsOf, type ImageNode } from './image-nodes.js'

/** What was read from Docker. */
export interface EngineImages {
  /** Images that every node has: Docker need not write them out at all. */
  readonly settled: readonly EngineSource[]
  /** What some node lacks, once for each architecture. Who gets them closes them. */
  readonly archives: readonly ImageArchive[]
}

/** Reads images from Docker while the nodes are still being asked. Disposing gives up what nobody has taken. */
export interface EngineReader extends AsyncDisposable {
  /** A node has answered. One that lacks all images settles that they are needed, so reading begins. */
  see(node: ImageNode): void
  /**
   * All nodes have answered.
   * @throws AirliftError E_IMAGE_INVALID when Docker has an image for another platform than a node's; what reading throws
   */
  finish(nodes: readonly ImageNode[]): Promise<EngineImages>
}

/** Reads what nodes lack of the images that were found in Docker. */
export function readEngineImages(engine: EngineSources, dir: string, ctx: Context): EngineReader {
  const given = new AbortController()
  const signal = AbortSignal.any([ctx.signal, given.signal])
  const reading = new Map<Arch, Promise<ImageArchive>>()
  const read = (names: ReadonlySet<string>, arch: Arch): Promise<ImageArchive> => {
    const started = reading.get(arch) ?? engine.save(names, arch, dir, signal)
    reading.set(arch, started)
    // Whether it is waited for is known later.
    started.catch(() => {})
    return started
  }
  const { images, manyPlatforms } = engine

  return {
    see(node) {
      if ('error' in node.found || images.some((image) => hasImage(node, image))) return
      const { arch } = node.found
      if (!manyPlatforms && images.some((image) => image.arch !== arch)) return
      read(new Set(images.map(({ name }) => name)), arch)
    },
    async finish(nodes) {
      const archs = archsOf(nodes)
      const settled = images.filter(
        (image) => archs.length > 0 && nodes.every((node) => hasImage(node, image)),
      )
      const needed = new Set(images.filter((image) => !settled.includes(image)).map(({ name }) => name))
      if (needed.size === 0) return { settled, archives: [] }
      if (!manyPlatforms) {
        for (const { name, arch } of images) {
          const other = archs.find((node) => node.arch !== arch)
          if (other && needed.has(name)) throw otherPlatform(`${name} in Docker is`, `linux/${arch}`, other)
        }
      }
      const archives: ImageArchive[] = []
      for (const arch of new Set(archs.map((node) => node.arch))) archives.push(await read(needed, arch))
      reading.clear()
      return { settled, archives }
    },
    async [Symbol.asyncDispose]() {
      given.abort(new Error('the images are not needed'))
      for (const started of reading.values()) {
        const archive = await started.catch(() => undefined)
        await archive?.close()
      }
    },
  }
}

/** Whether a node has an image of the daemon, under its name; one that could not be asked is no reason to read it. */
function hasImage({ found }: ImageNode, { name, id }: EngineSource): boolean {
  if ('error' in found) return true
  const record = found.images.records.get(name)
  return (
    record?.whole === true && (record.digest === id || record.digest === found.images.records.get(id)?.digest)
  )
}
