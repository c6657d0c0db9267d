import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { didYouMean } from '../../core/did-you-mean.js'
import { AirliftError, toAirliftError } from '../../core/errors.js'
import { unlessAborted } from '../../core/unless-aborted.js'
import type { Engine, EngineImage } from '../../machine/docker/engine.js'
import type { Arch } from '../../rootfs/manifest.js'
import { normalizeImageName } from '../../rootfs/oci/image-name.js'
import { openImages } from '../../rootfs/oci/open-images.js'
import type { ImageArchive } from '../../rootfs/oci/source-image.js'
import type { ImageWord } from './image-words.js'
import { spool } from './spool.js'

/** An image of the Docker daemon that is to be imported. */
export interface EngineSource {
  readonly ref: string
  readonly name: string
  /** `sha256:…`: the digest of its configuration; of its manifest where Docker keeps images in containerd. */
  readonly id: string
  readonly arch: string
  readonly sizeBytes: number
}

/** The daemon with the images that were named. */
export interface EngineSources extends AsyncDisposable {
  readonly images: readonly EngineSource[]
  /** One name may hold several platforms there. */
  readonly manyPlatforms: boolean
  /** Reads images once, into a file below `dir`. */
  save(names: ReadonlySet<string>, arch: Arch, dir: string, signal: AbortSignal): Promise<ImageArchive>
}

/**
 * Looks for images in the Docker daemon.
 * @throws AirliftError E_IMAGE_MISSING with the name that was probably meant, E_ENGINE_UNREACHABLE
 */
export async function findEngineImages(
  words: readonly ImageWord[],
  open: () => Promise<Engine>,
): Promise<EngineSources | undefined> {
  const named = words.filter((word) => word.kind === 'name')
  const [first] = named
  if (!first) return undefined
  const engine = await open().catch((thrown: unknown) => {
    const error = toAirliftError(thrown)
    throw new AirliftError(error.code, `"${first.ref}" is no file here, and ${error.message}`, {
      cause: thrown,
      hint: error.hint ?? 'start Docker, or give an archive of the image',
    })
  })
  try {
    const info = await engine.info()
    const images = await Promise.all(named.map((word) => findImage(engine, word)))
    return {
      images,
      manyPlatforms: info.containerdStore,
      [Symbol.asyncDispose]: () => engine.close(),
      async save(names, arch, dir, signal) {
        const refs = images.filter((image) => names.has(image.name)).map((image) => image.ref)
        const file = join(dir, `engine-${arch}.tar`)
        const stream = await whenWanted(engine.saveImages(refs, platformOf(arch)), signal)
        const what = `${refs.join(', ')} from Docker`
        await spool(stream, file, what, signal)
        // Docker compares each layer with its digest while it writes it out, and containerd when it takes it in.
        return openImages(file, dir, signal, what, { trusted: true })
      },
    }
  } catch (error) {
    await engine.close()
    throw error
  }
}

/** The engine answers only when it has gathered all layers; nobody waits for that who does not want them any more. */
function whenWanted(answer: Promise<Readable>, signal: AbortSignal): Promise<Readable> {
  answer.then(
    (stream) => signal.aborted && stream.destroy(),
    () => {},
  )
  return unlessAborted(answer, signal)
}

function platformOf(arch: Arch): string {
  return arch === 'arm' ? 'linux/arm/v7' : `linux/${arch}`
}

async function findImage(engine: Engine, word: ImageWord & { readonly kind: 'name' }): Promise<EngineSource> {
  const image = await engine.image(word.ref)
  if (!image) throw await unknownImage(engine, word.ref)
  const names = image.tags.map((tag) => normalizeImageName(tag) ?? tag)
  if (!names.includes(word.name)) throw namedById(word.ref, image)
  const { id, arch, sizeBytes } = image
  return { ref: word.ref, name: word.name, id, arch, sizeBytes }
}

/** Docker finds images by the beginning of their id too; no pod can ask for one by it. */
function namedById(ref: string, image: EngineImage): AirliftError {
  const [tag] = image.tags
  return new AirliftError(
    'E_IMAGE_INVALID',
    `"${ref}" is the id of an image, and no name that a pod can ask for`,
    {
      hint: tag
        ? `import it by its name: ${tag}`
        : `give it a name and import that: docker tag ${ref} NAME:TAG`,
    },
  )
}

async function unknownImage(engine: Engine, ref: string): Promise<AirliftError> {
  const tags = (await engine.images([])).flatMap((image) => image.tags)
  // `app:2` where there is only `app:1`: the repository is right, and too few letters differ to call it a slip.
  const [repository] = ref.split(/:(?=[^/]*$)/)
  const near = didYouMean(ref, tags) ?? tags.find((tag) => tag.split(/:(?=[^/]*$)/)[0] === repository)
  return new AirliftError('E_IMAGE_MISSING', `there is no image "${ref}" in Docker, and no such file here`, {
    hint: near
      ? `did you mean ${near}?`
      : `build or pull it first (docker pull ${ref}), or give an archive of it`,
  })
}
