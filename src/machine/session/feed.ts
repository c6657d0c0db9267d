import type { Readable, Writable } from 'node:stream'

/** Where the data of a script comes from. */
export type Source = Readable | Buffer | string

/**
 * Writes a source to a stream at the pace that the stream takes it, and ends the stream. Returns early, without an error,
 * when `stopped` says that nobody reads any more: why that is so is told by the process, not by the broken pipe.
 * @throws whatever the source throws
 */
export async function feed(
  stdin: Writable,
  source: Source,
  stopped: AbortSignal,
  onBytes: (count: number) => void,
): Promise<void> {
  const chunks: AsyncIterable<Buffer | string> | Iterable<Buffer | string> =
    typeof source === 'string' || Buffer.isBuffer(source) ? [source] : source
  for await (const chunk of chunks) {
    if (stopped.aborted) return
    const flows = stdin.write(chunk)
    onBytes(Buffer.byteLength(chunk))
    if (!flows) await drained(stdin, stopped)
  }
  if (!stopped.aborted) stdin.end()
}

/** Resolves when the stream takes more, or never will. */
function drained(stdin: Writable, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stdin.off('drain', done)
      stdin.off('close', done)
      stdin.off('error', done)
      stopped.removeEventListener('abort', done)
      resolve()
    }
    stdin.on('drain', done)
    stdin.on('close', done)
    stdin.on('error', done)
    stopped.addEventListener('abort', done, { once: true })
    if (stopped.aborted || stdin.destroyed) done()
  })
}
