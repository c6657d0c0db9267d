import { posix } from 'node:path'
import { AirliftError } from '../../core/errors.js'
import { unlessAborted } from '../../core/unless-aborted.js'
import type { Machine, RunOptions, RunResult } from '../../machine/machine.js'
import type { ImportStream } from '../../rootfs/oci/import-stream.js'
import { imageError } from '../../rootfs/oci/open-images.js'
import { padding, TAR_END, tarHeader } from '../../rootfs/tar/header.js'
import { byteStream } from '../../rootfs/tar/member-stream.js'
import { ARRIVED, NOT_SHARED, PUT_MARK } from '../../runtime/images/scripts.js'

/** How an archive gets to a node: on standard input of the script, or as a file that the machine itself unpacks. */
export type ArchiveWay = 'stdin' | 'file'

/** A script that imports an archive. */
export interface ArchiveRun {
  /** Made for the way that {@link wayTo} names. */
  readonly script: string
  readonly archive: ImportStream
  readonly onProgress: (sentBytes: number) => void
  /** Of all nodes of one import. */
  readonly shared?: SharedArchives
}

/**
 * Archives that lie where other nodes see them, by the id of the archive: the path once it is there, undefined where it could
 * not be put. An entry goes with the import of the node that it was put by.
 */
export type SharedArchives = Map<string, Promise<string | undefined>>

const PROGRESS_MS = 100

/** Below this size it is quicker to do with one question to the engine than with two. */
const FILE_BYTES = 1 << 20

/**
 * The quicker way. To a container 200 MB on standard input take 1.3 s of processor time more than as a file: every piece goes
 * through the engine, the shim and two pipes.
 */
export function wayTo(machine: Machine, archive: ImportStream): ArchiveWay {
  return machine.unpack && archive.size >= FILE_BYTES ? 'file' : 'stdin'
}

/**
 * Runs a script and brings it its archive.
 * @throws AirliftError E_IMAGE_INVALID or E_LOCAL_FILE when the archive cannot be read here, and what `Machine.run` and
 * `Machine.unpack` throw
 */
export async function runWithArchive(
  machine: Machine,
  { script, archive, onProgress, shared }: ArchiveRun,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<RunResult> {
  const feed = new ImportFeed(archive, onProgress)
  try {
    const byFile = (others?: SharedArchives): Promise<RunResult> =>
      runWithFile(machine, script, memberOf(archive, feed), others, options)
    let result =
      wayTo(machine, archive) === 'file'
        ? await byFile(shared)
        : await runWithInput(machine, script, feed.chunks(), options)
    // What was put for another node has gone, or this one does not see it.
    if (result.exitCode === NOT_SHARED) result = await byFile()
    if (feed.failure !== undefined) throw feed.failure
    return result
  } catch (thrown) {
    // An archive that is not whole here ends the stream; what the machine makes of that is no news.
    throw feed.failure === undefined ? thrown : imageError(feed.failure, 'the archive')
  }
}

async function runWithInput(
  machine: Machine,
  script: string,
  chunks: AsyncIterable<Buffer>,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<RunResult> {
  const stdin = byteStream(chunks)
  // Without a listener an error of the source would end the process once nobody reads any more.
  stdin.on('error', () => {})
  try {
    return await machine.run(script, { ...options, stdin })
  } finally {
    stdin.destroy()
  }
}

/** An archive that can be put under a name, as the one member of another. */
interface NamedMember {
  readonly id: string
  tar(name: string): AsyncIterable<Buffer>
}

function memberOf({ id, size }: ImportStream, feed: ImportFeed): NamedMember {
  return {
    id,
    async *tar(name) {
      yield tarHeader(name, size)
      yield* feed.chunks()
      yield Buffer.alloc(padding(size))
      yield TAR_END
    },
  }
}

/**
 * The script says where it wants the archive and waits; standard input tells it where the archive is, or ends because it
 * will not come. The first node that has a place for all is sent it there; the others wait for that, and take the same. Where
 * that does not succeed, each is sent it where it alone has it.
 */
async function runWithFile(
  machine: Machine,
  script: string,
  member: NamedMember,
  shared: SharedArchives | undefined,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<RunResult> {
  const over = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, over.signal]) : over.signal
  let onSettled: (path: string | undefined) => void = () => {}
  const settled = new Promise<string | undefined>((resolve) => {
    onSettled = resolve
  })
  let failure: unknown
  let putting: Promise<void> | undefined
  let leads = false
  const put = async (path: string): Promise<string | undefined> => {
    failure = undefined
    try {
      const tar = member.tar(posix.basename(path))
      await machine.unpack?.({ directory: posix.dirname(path), tar, signal })
      return path
    } catch (error) {
      if (!over.signal.aborted) failure = error
      return undefined
    }
  }
  const bring = async (own: string, common: string | undefined): Promise<string | undefined> => {
    if (!shared || common === undefined) return put(own)
    let there = shared.get(member.id)
    if (!there) {
      leads = true
      there = put(common)
      shared.set(member.id, there)
    }
    const path = await unlessAborted(there, signal).catch(() => undefined)
    return path === undefined && !signal.aborted ? put(own) : path
  }
  const stdin = byteStream(
    (async function* () {
      const path = await settled
      if (path !== undefined) yield Buffer.from(`${ARRIVED}${path}\n`)
    })(),
  )
  stdin.on('error', () => {})
  const onLine = (line: string): void => {
    if (!line.startsWith(PUT_MARK)) return
    const [own = '', common] = line.slice(PUT_MARK.length).split(' ')
    putting ??= bring(own, common).then(onSettled)
  }
  try {
    const result = await machine.run(script, { ...options, stdin, onLine })
    const unshared = shared !== undefined && result.exitCode === NOT_SHARED
    if (failure === undefined && result.exitCode !== 0 && !unshared) failure = notTaken(result, machine)
    if (failure !== undefined) throw failure
    return result
  } catch (thrown) {
    throw failure ?? thrown
  } finally {
    if (leads) shared?.delete(member.id)
    // A script that has ended, as one without k3s does at once, has no use for the rest.
    over.abort()
    onSettled(undefined)
    await putting
    stdin.destroy()
  }
}

function notTaken({ exitCode, stderr }: RunResult, machine: Machine): AirliftError {
  return new AirliftError('E_COMMAND', `the archive could not be received (exit ${exitCode})`, {
    machine: machine.name,
    log: stderr.split('\n').filter(Boolean).slice(-3),
    hint: 'see whether /var/lib/rancher/k3s/airlift can be written there, and run the same command again',
  })
}

function changed(sentBytes: number, size: number): AirliftError {
  return new AirliftError(
    'E_IMAGE_INVALID',
    `the archive was changed while it was read: ${sentBytes} bytes came of ${size}`,
    { hint: 'run the same command again once nothing writes to it any more' },
  )
}

/** Streams an archive and keeps what went wrong with it here. */
class ImportFeed {
  failure: unknown
  readonly #archive: ImportStream
  readonly #onProgress: (sentBytes: number) => void

  constructor(archive: ImportStream, onProgress: (sentBytes: number) => void) {
    this.#archive = archive
    this.#onProgress = onProgress
  }

  async *chunks(): AsyncGenerator<Buffer> {
    let sentBytes = 0
    let told = 0
    try {
      for await (const chunk of this.#archive.chunks()) {
        yield chunk
        sentBytes += chunk.length
        if (performance.now() - told < PROGRESS_MS) continue
        told = performance.now()
        this.#onProgress(sentBytes)
      }
      if (sentBytes !== this.#archive.size) throw changed(sentBytes, this.#archive.size)
      this.#onProgress(sentBytes)
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException
      // Whoever stops reading, because the connection broke, stops this stream too.
      if (code !== 'ABORT_ERR' && code !== 'ERR_STREAM_PREMATURE_CLOSE') this.failure = error
      throw error
    }
  }
}
