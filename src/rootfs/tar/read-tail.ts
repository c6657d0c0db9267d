import type { Readable } from 'node:stream'
import { parseTar } from './parse-tar.js'

/** The newest part of a file. */
export interface FileTail {
  readonly content: Buffer
  /** Whether that is all of it. */
  readonly whole: boolean
}

/**
 * The last bytes of the first file in a tar, such as an engine gives of one file: no more than twice as many are in memory,
 * however long it is. Undefined where the tar holds no file.
 */
export async function readTail(tar: Readable, maxBytes: number): Promise<FileTail | undefined> {
  let chunks: Buffer[] = []
  let held = 0
  let size: number | undefined
  await parseTar(tar, (entry) => {
    if (size !== undefined || entry.type === 'Directory') return void entry.resume()
    size = entry.size
    entry.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      held += chunk.length
      if (held <= 2 * maxBytes) return
      chunks = [Buffer.concat(chunks).subarray(-maxBytes)]
      held = maxBytes
    })
  })
  if (size === undefined) return undefined
  return { content: Buffer.concat(chunks).subarray(-maxBytes), whole: size <= maxBytes }
}
