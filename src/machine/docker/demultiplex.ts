import { Readable, Transform } from 'node:stream'

/** Standard output and standard error of a stream of frames. */
export interface Demultiplexed {
  readonly stdout: Readable
  readonly stderr: Readable
  /** Resolves when the source has ended; false when it ended in the middle of a frame or with an error. */
  readonly whole: Promise<boolean>
}

const HEADER_BYTES = 8

/** Reads frames: 8 bytes of header (stream 0 to 3, three zeros, length as a big-endian number) and their bytes. */
class FrameReader {
  readonly #header = Buffer.alloc(HEADER_BYTES)
  readonly #onBytes: (stream: number, bytes: Buffer) => void
  #headerBytes = 0
  #left = 0
  #stream = 0

  constructor(onBytes: (stream: number, bytes: Buffer) => void) {
    this.#onBytes = onBytes
  }

  /** Whether everything so far was whole frames. */
  get whole(): boolean {
    return this.#left === 0 && this.#headerBytes === 0
  }

  /** Takes a piece of any length; the bytes are handed on without a copy. @throws Error when it is no frame */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#left > 0) {
        const bytes = chunk.subarray(at, at + this.#left)
        at += bytes.length
        this.#left -= bytes.length
        this.#onBytes(this.#stream, bytes)
        continue
      }
      const taken = chunk.copy(this.#header, this.#headerBytes, at, at + HEADER_BYTES - this.#headerBytes)
      at += taken
      this.#headerBytes += taken
      if (this.#headerBytes < HEADER_BYTES) continue
      this.#headerBytes = 0
      if (this.#header.readUInt32BE(0) & 0x00ffffff || (this.#header[0] ?? 0) > 3) {
        throw new Error(`the engine sent a frame that is none (${this.#header.toString('hex')})`)
      }
      this.#stream = this.#header[0] ?? 0
      this.#left = this.#header.readUInt32BE(4)
    }
  }
}

/**
 * Takes apart what engines send for a process without a terminal. Nothing is held beyond what the two streams buffer:
 * when one of them is full the source is paused, so both must be read, as with any two streams over one connection.
 */
export function demultiplex(source: Readable): Demultiplexed {
  const full = new Set<Readable>()
  const freed = (stream: Readable): void => {
    if (full.delete(stream) && full.size === 0) source.resume()
  }
  const createStream = (): Readable => {
    const stream = new Readable({
      read: () => freed(stream),
      destroy: (error, done) => {
        // Who destroys one of the two wants no more of it, but the other may still be read.
        freed(stream)
        done(error)
      },
    })
    return stream
  }
  const [stdout, stderr] = [createStream(), createStream()]
  const reader = new FrameReader((kind, bytes) => {
    // 3 is an error of the engine itself, which belongs to what the user is shown.
    const stream = kind === 1 ? stdout : kind === 0 ? undefined : stderr
    if (stream && !stream.destroyed && !stream.push(bytes)) full.add(stream)
  })

  const whole = new Promise<boolean>((resolve) => {
    let ended = false
    const end = (clean: boolean): void => {
      if (ended) return
      ended = true
      for (const stream of [stdout, stderr]) if (!stream.destroyed) stream.push(null)
      resolve(clean && reader.whole)
    }
    source.on('end', () => end(true))
    source.on('error', () => end(false))
    source.on('close', () => end(false))
  })
  source.on('data', (chunk: Buffer) => {
    try {
      reader.push(chunk)
      if (full.size > 0) source.pause()
    } catch (error) {
      source.destroy(error as Error)
    }
  })
  return { stdout, stderr, whole }
}

/** The bytes of all frames in the order in which they came, both streams mixed: a log as it was written. */
export function mixFrames(source: Readable): Readable {
  const reader = new FrameReader((kind, bytes) => {
    if (kind !== 0) mixed.push(bytes)
  })
  const mixed = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      try {
        reader.push(chunk)
        done()
      } catch (error) {
        done(error as Error)
      }
    },
    destroy(error, done) {
      source.destroy()
      done(error)
    },
  })
  source.on('error', (error) => mixed.destroy(error))
  return source.pipe(mixed)
}
