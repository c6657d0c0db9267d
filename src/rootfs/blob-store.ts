import { type FileHandle, open, readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AirliftError } from '../core/errors.js'
import { checkFrame, checkTail, type FrameProblem } from './check-frame.js'
import { fileReason } from './file-reason.js'
import { type BlobPlace, blobHeader, OFFSETS, parseOffsets } from './layout.js'
import { blobPath } from './oci/types.js'
import { requireRegularFile } from './regular-file.js'
import { notABundle } from './sniff.js'
import { BLOCK, parseHeader } from './tar/header.js'
import { readRange } from './tar/member-stream.js'
import { scanTar, type TarMember } from './tar/scan.js'

/** The blobs of a bundle or of an unpacked rootfs, by hex digest. Nothing is verified here. */
export interface BlobStore {
  readonly ref: string
  readonly index: Buffer
  /** Sizes by hex digest, of the blobs that are whole. */
  readonly sizes: ReadonlyMap<string, number>
  /** Why the file ends before its end; undefined when it does not. */
  readonly cut?: string
  /** Names that do not belong into a bundle. */
  readonly strangers: readonly string[]
  chunks(hex: string): AsyncIterable<Buffer>
  /** What is wrong with the file between the blobs. Reads no contents. */
  checkFrame(): Promise<readonly FrameProblem[]>
  close(): Promise<void>
}

/**
 * Opens a bundle file or an OCI layout directory. Of a bundle only the head is read; where the offsets are missing or do
 * not fit (it was packed anew, or cut), the headers are scanned.
 * @throws AirliftError E_LOCAL_FILE, E_BUNDLE_INVALID, E_BUNDLE_DAMAGED
 */
export async function openBlobStore(path: string): Promise<BlobStore> {
  const info = await stat(path).catch((cause: unknown) => {
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${fileReason(cause)}`, {
      cause,
      hint: 'name a bundle that `airlift rootfs build` made',
    })
  })
  if (info.isDirectory()) return openDirectory(path)
  requireRegularFile(info, path)
  return openTar(path)
}

async function openTar(path: string): Promise<BlobStore> {
  let file: FileHandle
  try {
    file = await open(path, 'r')
  } catch (cause) {
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${fileReason(cause)}`, { cause })
  }
  try {
    const { size } = await file.stat()
    const quick = await readHead(file, size)
    const { index, places, cut, strangers, end } = quick ?? (await readByScan(file, size, path))
    const byHex = new Map(places.map((place) => [place.hex, place]))
    return {
      ref: path,
      index,
      sizes: new Map(places.map((place) => [place.hex, place.size])),
      strangers,
      ...(cut === undefined ? {} : { cut }),
      chunks: (hex) => {
        const place = byHex.get(hex)
        return readRange(file, place?.offset ?? 0, place?.size ?? 0)
      },
      checkFrame: async () => {
        if (quick) return checkFrame(file, quick)
        return end === undefined ? [] : checkTail(file, end, size)
      },
      close: () => file.close(),
    }
  } catch (error) {
    await file.close()
    throw error
  }
}

interface Contents {
  readonly index: Buffer
  readonly places: readonly BlobPlace[]
  readonly cut?: string
  readonly strangers: readonly string[]
  /** Where the end mark of a file that was scanned begins. */
  readonly end?: number
}

/** Reads index and offsets from the head; undefined when the offsets are not there or cannot be true. */
async function readHead(file: FileHandle, fileSize: number): Promise<Contents | undefined> {
  let position = 0
  let index: Buffer | undefined
  for (let members = 0; members < 3; members++) {
    const header = parseHeader(await readExactly(file, position, BLOCK))
    if (header === undefined || header === 'end' || header.type !== '0') return undefined
    const content = (): Promise<Buffer> => readExactly(file, position + BLOCK, header.size)
    if (header.name === 'index.json') index = await content()
    if (header.name === OFFSETS && index) {
      const offsets = parseOffsets((await content()).toString('latin1'))
      if (!offsets || offsets.size !== fileSize) return undefined
      // The two ends prove that the offsets are those of this file; every blob is proved by its digest when it is read.
      for (const place of [offsets.places[0], offsets.places.at(-1)]) {
        if (!place) continue
        const found = await readExactly(file, place.offset - BLOCK, BLOCK)
        if (!found.equals(blobHeader(place))) return undefined
      }
      return { index, places: offsets.places, strangers: [] }
    }
    position += BLOCK + Math.ceil(header.size / BLOCK) * BLOCK
  }
  return undefined
}

async function readByScan(file: FileHandle, fileSize: number, path: string): Promise<Contents> {
  const { members, cut, end } = await scanTar(file, fileSize)
  const indexMember = members.get('index.json')
  if (!indexMember || !members.has('oci-layout')) {
    if (members.has('oci-layout') && cut) throw cutBeforeIndex(path, fileSize)
    throw notABundle(path, await readExactly(file, 0, BLOCK), [...members.keys()], fileSize)
  }
  const places: BlobPlace[] = []
  const strangers: string[] = []
  for (const member of members.values()) {
    const hex = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(member.name)?.[1]
    if (hex) places.push({ hex, offset: member.offset, size: member.size })
    else if (!['oci-layout', 'index.json', OFFSETS].includes(member.name)) strangers.push(member.name)
  }
  const index = await readExactly(file, indexMember.offset, indexMember.size)
  const short = cut ?? (await shorterThanBuilt(file, fileSize, members.get(OFFSETS)))
  return {
    index,
    places,
    strangers,
    ...(short === undefined ? {} : { cut: short }),
    ...(end === undefined ? {} : { end }),
  }
}

/** A file that was cut inside its end mark has all its blobs, but it is not the file that was built. */
async function shorterThanBuilt(
  file: FileHandle,
  fileSize: number,
  member: TarMember | undefined,
): Promise<string | undefined> {
  if (!member) return undefined
  const built = parseOffsets((await readExactly(file, member.offset, member.size)).toString('latin1'))
  const first = built?.places[0]
  if (!built || !first || built.size <= fileSize) return undefined
  // Packed anew, the blobs are elsewhere and another size means nothing.
  const header = await readExactly(file, first.offset - BLOCK, BLOCK)
  return header.equals(blobHeader(first)) ? `it has ${fileSize} of ${built.size} bytes` : undefined
}

function cutBeforeIndex(path: string, fileSize: number): AirliftError {
  return new AirliftError('E_BUNDLE_DAMAGED', `${path} was cut after ${fileSize} bytes, before its index`, {
    hint: 'copy the bundle again, and compare with `airlift rootfs verify`',
  })
}

async function readExactly(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  if (length > 64 << 20) return Buffer.alloc(0)
  const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, offset)
  return buffer.subarray(0, bytesRead)
}

async function openDirectory(path: string): Promise<BlobStore> {
  const index = await readFile(join(path, 'index.json')).catch(() => undefined)
  const names = await readdir(join(path, 'blobs/sha256')).catch(() => undefined)
  if (!index || !names) {
    throw new AirliftError('E_BUNDLE_INVALID', `${path} is a directory without index.json and blobs/sha256`, {
      hint: 'name a bundle, or the directory that one was unpacked into with tar -xf',
    })
  }
  const sizes = new Map<string, number>()
  const strangers: string[] = []
  for (const name of names.sort()) {
    const info = await stat(join(path, 'blobs/sha256', name))
    if (/^[0-9a-f]{64}$/.test(name) && info.isFile()) sizes.set(name, info.size)
    else strangers.push(`blobs/sha256/${name}`)
  }
  return {
    ref: path,
    index,
    sizes,
    strangers,
    async *chunks(hex) {
      const file = await open(join(path, blobPath(hex)), 'r')
      try {
        yield* readRange(file, 0, sizes.get(hex) ?? 0)
      } finally {
        await file.close()
      }
    },
    checkFrame: async () => [],
    async close() {},
  }
}
