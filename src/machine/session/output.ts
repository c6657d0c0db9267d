import { StringDecoder } from 'node:string_decoder'

const STDERR_KEPT = 1 << 20

/** One output stream of a script: what was there before the script (noise), and what the script wrote. */
export interface Output {
  push(chunk: Buffer): void
  end(): void
  /** Text before the marker: banners, output of .bashrc, messages of sudo. */
  noise(): string
  /** Text of the script itself. */
  text(): string
  readonly started: boolean
}

/** What {@link createOutput} needs. */
export interface OutputOptions {
  /** The word that comes before the script's own output, on a line of its own. */
  readonly marker: string
  /** Called with the rest of the marker's line. */
  readonly onStart?: (rest: string) => void
  readonly onLine?: (line: string) => void
  /** Called with what arrives before the marker; sudo's prompt is found there. */
  readonly onNoise?: (noise: string) => void
  /** Keeps only the end of what is longer (stderr) or calls `onOverflow` (stdout). */
  readonly maxBytes?: number
  readonly onOverflow?: () => void
}

/** Collects a stream, tells noise from output at the marker and cuts lines. */
export function createOutput(options: OutputOptions): Output {
  const { marker } = options
  const maxBytes = options.maxBytes ?? STDERR_KEPT
  let head: Buffer = Buffer.alloc(0)
  let started = false
  let chunks: Buffer[] = []
  let bytes = 0
  let line = ''
  const lineDecoder = new StringDecoder('utf8')

  const keep = (chunk: Buffer): void => {
    chunks.push(chunk)
    bytes += chunk.length
    if (bytes > maxBytes) {
      if (options.onOverflow) options.onOverflow()
      while (chunks.length > 1 && bytes - (chunks[0]?.length ?? 0) >= maxBytes) {
        bytes -= chunks.shift()?.length ?? 0
      }
    }
    if (!options.onLine) return
    const lines = (line + lineDecoder.write(chunk)).split('\n')
    line = lines.pop() ?? ''
    for (const each of lines) options.onLine(each)
  }

  const seek = (chunk: Buffer): void => {
    head = Buffer.concat([head, chunk])
    const at = head.indexOf(marker)
    const end = at < 0 ? -1 : head.indexOf(10, at)
    if (end < 0) {
      options.onNoise?.(head.toString('utf8'))
      return
    }
    const rest = head
      .subarray(at + marker.length, end)
      .toString('utf8')
      .trim()
    const after = head.subarray(end + 1)
    head = head.subarray(0, at)
    started = true
    options.onStart?.(rest)
    if (after.length > 0) keep(after)
  }

  return {
    push: (chunk) => (started ? keep(chunk) : seek(chunk)),
    end() {
      if (options.onLine && line !== '') options.onLine(line)
      line = ''
    },
    noise: () => head.toString('utf8').trim(),
    text: () => {
      const all = Buffer.concat(chunks)
      chunks = [all]
      return all.toString('utf8')
    },
    get started() {
      return started
    },
  }
}
