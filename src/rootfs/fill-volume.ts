import { randomBytes } from 'node:crypto'
import { AirliftError, isAirliftError } from '../core/errors.js'
import type { ContainerConfig, Engine } from '../machine/docker/engine.js'
import type { VolumeBlob } from '../plan/engine-action.js'
import { helperContainer } from './helper-container.js'
import type { BlobSource } from './manifest.js'
import { padding, TAR_END } from './tar/header.js'
import { memberHeader } from './tar/pack-entries.js'
import { readMembers } from './tar/read-file.js'
import { sendMade } from './tar/send-made.js'

/** Where the volume is in the container that is made for filling it. */
const MOUNT = '/airlift-images'
/** Directory of the volume that tells which archives are whole: an empty file by the digest of each. */
export const WHOLE = '.airlift'

/** What is put where. */
export interface FillRequest {
  readonly volume: string
  /** Any image that the engine has: its container is never started. */
  readonly image: string
  /** Of the container. */
  readonly labels: Readonly<Record<string, string>>
  readonly blobs: readonly VolumeBlob[]
}

/** How it is done. */
export interface FillOptions {
  readonly signal: AbortSignal
  readonly onProgress: (sentBytes: number, totalBytes: number) => void
}

/**
 * Puts archives of the rootfs into a volume, through a container that is never started. They arrive in one stream, each
 * followed by its mark: what has a mark is whole, whenever the stream may have been cut, and is skipped the next time.
 * @throws AirliftError E_BUNDLE_DAMAGED, E_DISK_FULL, E_ENGINE_…
 */
export async function fillVolume(
  engine: Engine,
  request: FillRequest,
  source: BlobSource,
  options: FillOptions,
): Promise<void> {
  const name = `${request.volume}-fill-${randomBytes(4).toString('hex')}`
  await engine.createContainer(helper(name, request))
  try {
    const there = await wholeArchives(engine, name)
    const missing = request.blobs.filter((blob) => !there.has(blob.sha256))
    if (missing.length > 0) await send(engine, name, missing, source, options)
  } finally {
    await engine.removeContainer(name, { force: true })
  }
}

function helper(name: string, { image, volume, labels }: FillRequest): ContainerConfig {
  return helperContainer({
    purpose: 'fill',
    name,
    image,
    entrypoint: ['/bin/true'],
    labels,
    mounts: [{ kind: 'volume', source: volume, target: MOUNT, readOnly: false }],
  })
}

async function wholeArchives(engine: Engine, name: string): Promise<Set<string>> {
  const tar = await engine.getArchive(name, `${MOUNT}/${WHOLE}`)
  if (!tar) return new Set()
  const members = await readMembers(tar)
  return new Set(members.map((member) => member.path.split('/').at(-1) ?? ''))
}

async function send(
  engine: Engine,
  name: string,
  blobs: readonly VolumeBlob[],
  source: BlobSource,
  options: FillOptions,
): Promise<void> {
  const totalBytes = blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0)
  const chunks = async function* (): AsyncGenerator<Buffer> {
    try {
      yield memberHeader({ path: `${WHOLE}/`, mode: '0755', type: 'Directory', size: 0 })
      let sent = 0
      for (const blob of blobs) {
        yield memberHeader({ path: blob.path, mode: '0644', type: 'File', size: blob.sizeBytes })
        for await (const chunk of source.openBlob(blob.sha256)) {
          options.signal.throwIfAborted()
          const bytes = chunk as Buffer
          sent += bytes.length
          options.onProgress(sent, totalBytes)
          yield bytes
        }
        yield Buffer.alloc(padding(blob.sizeBytes))
        yield memberHeader({ path: `${WHOLE}/${blob.sha256}`, mode: '0644', type: 'File', size: 0 })
      }
      yield TAR_END
    } catch (error) {
      if (isAirliftError(error)) throw error
      throw new AirliftError('E_LOCAL_FILE', `the bundle cannot be read: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
  await sendMade(chunks(), (tar) => engine.putArchive(name, MOUNT, tar))
}
