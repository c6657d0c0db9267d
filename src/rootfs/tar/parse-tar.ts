import type { Readable } from 'node:stream'
import { Parser, type ReadEntry } from 'tar'

/** Hands each entry of a tar to `onEntry` as it comes; each must be read, or passed over. Rejects with what breaks the tar. */
export async function parseTar(tar: Readable, onEntry: (entry: ReadEntry) => void): Promise<void> {
  const parser = new Parser({ onReadEntry: onEntry })
  const ended = new Promise<void>((resolve, reject) => {
    parser.on('end', resolve)
    parser.on('error', reject)
    tar.on('error', reject)
  })
  tar.pipe(parser as unknown as NodeJS.WritableStream)
  await ended
}
