import type { Readable } from 'node:stream'
import { parseTar } from './parse-tar.js'

/** What a member of a small archive is. */
export interface ArchiveMember {
  readonly path: string
  /** Octal, `0600`. */
  readonly mode: string
  readonly content: Buffer
}

/** Longest archive that is read into memory. */
const MAX_BYTES = 16 * 1024 * 1024

/**
 * Reads the members of a small tar, such as an engine gives of one file or of a directory of small ones. Members above
 * `maxMember` bytes are passed over.
 */
export async function readMembers(
  tar: Readable,
  { maxMember = MAX_BYTES }: { readonly maxMember?: number } = {},
): Promise<ArchiveMember[]> {
  const members: ArchiveMember[] = []
  let bytes = 0
  await parseTar(tar, (entry) => {
    if (entry.size > maxMember && maxMember < MAX_BYTES) return void entry.resume()
    const chunks: Buffer[] = []
    entry.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > MAX_BYTES) tar.destroy(new RangeError('the archive is too big to be read into memory'))
      else chunks.push(chunk)
    })
    entry.on('end', () => {
      if (entry.type === 'Directory') return
      const mode = ((entry.mode ?? 0o600) & 0o7777).toString(8).padStart(4, '0')
      members.push({ path: entry.path, mode, content: Buffer.concat(chunks) })
    })
  })
  return members
}
