import { createHash } from 'node:crypto'

/** Hex sha256 of bytes. */
export function sha256(content: Buffer | string): string {
  return createHash('sha256').update(content).digest('hex')
}

/** Hex sha256 and length of a sequence of chunks. */
export async function digestOf(chunks: AsyncIterable<Buffer>): Promise<{ sha256: string; size: number }> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of chunks) {
    hash.update(chunk)
    size += chunk.length
  }
  return { sha256: hash.digest('hex'), size }
}

/** JSON with the keys of every object in order, so that equal values are equal bytes. */
export function canonicalJson(value: unknown): Buffer {
  const sorted = (_key: string, item: unknown): unknown =>
    item !== null && typeof item === 'object' && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([a], [b]) => (a < b ? -1 : 1)))
      : item
  return Buffer.from(JSON.stringify(value, sorted))
}
