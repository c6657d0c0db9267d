import { posix } from 'node:path'
import { AirliftError } from '../../core/errors.js'
import type { Machine, RunOptions, RunResult } from '../../machine/machine.js'
import type { ImportStream } from '../../rootfs/oci/import-stream.js'
import { imageError } from '../../rootfs/oci/open-images.js'
import { padding, TAR_END, tarHeader } from '../../rootfs/tar/header.js'
import { byteStream } from '../../rootfs/tar/member-stream.js'
import { ARRIVED, PUT_MARK } from '../../runtime/images/scripts.js'

/** How an archive gets to a node: on standard input of the script, or as a file that the machine itself unpacks. */
export type ArchiveWay = 'stdin' | 'file'

/** A script that imports an archive. */
export interface ArchiveRun {
  /** Made for the way that {@link wayTo} names. */
  readonly script: string
  readonly archive: ImportStream
  readonly onProgress: (sentBytes: number) => void
}

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
  { script, archive, onProgress }: ArchiveRun,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<RunResult> {
  const feed = new ImportFeed(archive, onProgress)
  try {
    const result =
      wayTo(machine, archive) === 'file'
        ? await runWithFile(machine, script, memberOf(archive.size, feed.chunks()), options)
        : await runWithInput(machine, script, feed.chunks(), options)
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

/** The archive under a name, as one member of another. */
type NamedMember = (name: string) => AsyncIterable<Buffer>

function memberOf(size: number, chunks: AsyncIterable<Buffer>): NamedMember {
  return async function* (name) {
    yield tarHeader(name, size)
    yield* chunks
    yield Buffer.alloc(padding(size))
    yield TAR_END
  }
}

/**
 * The script says where it wants the archive and waits; standard input tells it that the archive is there, or ends because
 * it will not come.
 */
async function runWithFile(
  machine: Machine,
  script: string,
  member: NamedMember,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<RunResult> {
  const over = new AbortController()
  const signal = options.signal ? AbortSignal.any([options.signal, over.signal]) : over.signal
  let onSettled: (arrived: boolean) => void = () => {}
  const settled = new Promise<boolean>((resolve) => {
    onSettled = resolve
  })
  let failure: unknown
  let putting: Promise<void> | undefined
  const put = async (path: string): Promise<void> => {
    try {
      const tar = member(posix.basename(path))
      await machine.unpack?.({ directory: posix.dirname(path), tar, signal })
      onSettled(true)
    } catch (error) {
      if (!over.signal.aborted) failure = error
      onSettled(false)
    }
  }
  const stdin = byteStream(
    (async function* () {
      if (await settled) yield Buffer.from(ARRIVED)
    })(),
  )
  stdin.on('error', () => {})
  const onLine = (line: string): void => {
    if (line.startsWith(PUT_MARK)) putting ??= put(line.slice(PUT_MARK.length))
  }
  try {
    const result = await machine.run(script, { ...options, stdin, onLine })
    if (failure === undefined && result.exitCode !== 0) failure = notTaken(result, machine)
    if (failure !== undefined) throw failure
    return result
  } catch (thrown) {
    throw failure ?? thrown
  } finally {
    // A script that has ended, as one without k3s does at once, has no use for the rest.
    over.abort()
    onSettled(false)
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
