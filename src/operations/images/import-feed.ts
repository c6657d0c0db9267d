import { AirliftError } from '../../core/errors.js'
import type { ImportStream } from '../../rootfs/oci/import-stream.js'

const PROGRESS_MS = 100

/** Streams an archive and keeps what went wrong with it here. */
export class ImportFeed {
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

function changed(sentBytes: number, size: number): AirliftError {
  return new AirliftError(
    'E_IMAGE_INVALID',
    `the archive was changed while it was read: ${sentBytes} bytes came of ${size}`,
    { hint: 'run the same command again once nothing writes to it any more' },
  )
}
