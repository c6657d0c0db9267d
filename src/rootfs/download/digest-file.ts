import { createReadStream } from 'node:fs'
import { digestOf } from '../digest.js'

/** Hex sha256 of a file. @throws Error of the file system */
export async function digestOfFile(path: string): Promise<string> {
  return (await digestOf(createReadStream(path, { highWaterMark: 1 << 20 }))).sha256
}
