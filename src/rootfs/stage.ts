import { AirliftError, isAirliftError } from '../core/errors.js'
import type { Machine, RunResult } from '../machine/machine.js'
import type { StageBlob } from '../plan/plan.js'
import type { BlobSource } from './manifest.js'
import { stageError } from './stage-error.js'
import { stageOrder, stageScript } from './stage-script.js'
import { byteStream } from './tar/member-stream.js'

/** How blobs are staged. */
export interface StageOptions {
  readonly signal: AbortSignal
  /** Called with the bytes sent so far, at most ten times a second and once at the end. */
  readonly onProgress: (sentBytes: number) => void
  /** Goes ahead of the script, in the same round trip: takes the machine's lock. */
  readonly prelude?: string
}

const PROGRESS_MS = 100

/**
 * Puts blobs into a machine's store, all in one round trip. The machine hashes each and gives it its name only
 * when it is right, so nothing is hashed here: only when a digest is wrong is the local blob read again, to tell a
 * damaged bundle from a damaged transfer. A connection that breaks or a damaged transfer is tried once more, with what is
 * still missing.
 * @throws AirliftError E_DIGEST_MISMATCH, E_DISK_FULL, E_READ_ONLY, E_BUNDLE_DAMAGED and what `Machine.run` throws
 */
export async function stageBlobs(
  machine: Machine,
  blobs: readonly StageBlob[],
  source: BlobSource,
  options: StageOptions,
): Promise<{ readonly sentBytes: number }> {
  let missing = stageOrder(blobs)
  let sentBytes = 0
  for (let attempt = 1; missing.length > 0; attempt++) {
    const done = new Set<StageBlob>()
    const feed = new BlobFeed(missing, source, sentBytes, options.onProgress)
    const onLine = (line: string): void => {
      const index = /^@@(?:have|done) (\d+)$/.exec(line)?.[1]
      const blob = index === undefined ? undefined : missing[Number(index)]
      if (blob) done.add(blob)
    }
    const script = `${options.prelude ?? ''}${stageScript(missing)}`
    const result = await send(machine, script, feed, options.signal, onLine)
    sentBytes = feed.sentBytes
    if (!isAirliftError(result) && result.exitCode === 0) break
    const error = isAirliftError(result) ? result : stageError(machine, missing, source, result)
    if (error.code === 'E_DIGEST_MISMATCH') await checkLocal(missing, source, error)
    const again = error.code === 'E_DIGEST_MISMATCH' || error.code === 'E_SSH_LOST'
    if (attempt === 2 || !again || options.signal.aborted) throw error
    missing = missing.filter((blob) => !done.has(blob))
  }
  return { sentBytes }
}

/** One attempt: a result, or the error of a connection that was lost. */
async function send(
  machine: Machine,
  script: string,
  feed: BlobFeed,
  signal: AbortSignal,
  onLine: (line: string) => void,
): Promise<RunResult | AirliftError> {
  const stdin = byteStream(feed.chunks())
  // Without a listener an error of the source would end the process once nobody reads any more.
  stdin.on('error', () => {})
  try {
    const result = await machine.run(script, { signal, timeoutMs: 0, stdin, onLine })
    if (feed.failure) throw feed.failure
    return result
  } catch (error) {
    // A blob that is not whole here ends the stream; the machine then only sees an input that is too short.
    const first = feed.failure ?? error
    if (isAirliftError(first) && first.code === 'E_SSH_LOST') return first
    throw first
  } finally {
    stdin.destroy()
  }
}

/** Streams the blobs one after the other. */
class BlobFeed {
  sentBytes: number
  failure: AirliftError | undefined
  readonly #blobs: readonly StageBlob[]
  readonly #source: BlobSource
  readonly #onProgress: (sentBytes: number) => void

  constructor(
    blobs: readonly StageBlob[],
    source: BlobSource,
    alreadySent: number,
    onProgress: (sentBytes: number) => void,
  ) {
    this.#blobs = blobs
    this.#source = source
    this.sentBytes = alreadySent
    this.#onProgress = onProgress
  }

  async *chunks(): AsyncGenerator<Buffer> {
    let told = 0
    try {
      for (const blob of this.#blobs) {
        let size = 0
        for await (const chunk of this.#source.openBlob(blob.sha256, { verify: false })) {
          const bytes = chunk as Buffer
          size += bytes.length
          yield bytes
          this.sentBytes += bytes.length
          const now = performance.now()
          if (now - told < PROGRESS_MS) continue
          told = now
          this.#onProgress(this.sentBytes)
        }
        if (size !== blob.sizeBytes) throw notWhole(blob, size, this.#source)
      }
      this.#onProgress(this.sentBytes)
    } catch (error) {
      // Whoever stops reading, because the connection broke, stops this stream too: that is no failure of the bundle.
      if (isStopped(error)) throw error
      this.failure = isAirliftError(error)
        ? error
        : new AirliftError('E_LOCAL_FILE', `the bundle cannot be read: ${(error as Error).message}`, {
            cause: error,
          })
      throw this.failure
    }
  }
}

function isStopped(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ABORT_ERR' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}

/** Reads the blob that arrived damaged once more here. @throws AirliftError E_BUNDLE_DAMAGED when it is damaged here */
async function checkLocal(
  blobs: readonly StageBlob[],
  source: BlobSource,
  error: AirliftError,
): Promise<void> {
  const blob = blobs.find((candidate) => candidate.sha256 === error.data?.sha256)
  if (!blob) return
  let size = 0
  for await (const chunk of source.openBlob(blob.sha256)) size += (chunk as Buffer).length
  if (size !== blob.sizeBytes) throw notWhole(blob, size, source)
}

function notWhole(blob: StageBlob, size: number, source: BlobSource): AirliftError {
  return new AirliftError(
    'E_BUNDLE_DAMAGED',
    `${source.describeBlob(blob.sha256)} is damaged: it has ${size} bytes of ${blob.sizeBytes} (sha256:${blob.sha256})`,
    { hint: 'copy the bundle again, or build it again; `airlift rootfs verify` lists all that is damaged' },
  )
}
