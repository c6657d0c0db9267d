import { createReadStream, statSync } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { AirliftError } from '../../core/errors.js'
import { decompressed } from '../decompress.js'
import { readRange } from '../tar/member-stream.js'
import { resolveMember, scanTar } from '../tar/scan.js'
import { readDockerArchive } from './docker-archive.js'
import { readOciLayout } from './oci-layout.js'
import type { ArchiveFiles, ImageArchive } from './source-image.js'

/** How an archive is opened. */
export interface OpenOptions {
  /**
   * The archive comes from a program that checks its layers, and goes to one that does: layers are taken for what the
   * configuration says. Else each is read once to see that it is not damaged.
   */
  readonly trusted?: boolean
}

const MAX_JSON = 16 << 20

/**
 * Opens an archive of images: an OCI layout or what `docker save` writes, or both in one tar, also gzip or zstd.
 * @throws AirliftError E_LOCAL_FILE naming the archive and what is wrong with it
 */
export async function openImageArchive(
  path: string,
  tempDir: string,
  signal: AbortSignal,
  { trusted = false }: OpenOptions = {},
): Promise<ImageArchive> {
  const plain = await decompressed(path, tempDir, signal)
  const file = await open(plain, 'r')
  try {
    const { size } = await stat(plain)
    const { members, cut } = await scanTar(file, size)
    if (cut !== undefined) {
      if (members.size === 0) throw wrongFile(path, size === 0 ? 'it is empty' : 'it is no tar archive')
      throw new AirliftError('E_LOCAL_FILE', `${path} was cut: ${cut}`, {
        hint: 'download or copy the archive again',
      })
    }
    const files = archiveFiles(path, trusted, (name) => {
      const member = resolveMember(members, name)
      return member && { size: member.size, chunks: () => readRange(file, member.offset, member.size) }
    })
    // An OCI layout keeps the digests of the registry; `docker save` of Docker 25 and later writes both.
    const images =
      members.has('oci-layout') && members.has('index.json')
        ? await readOciLayout(files)
        : members.has('manifest.json')
          ? await readDockerArchive(files)
          : undefined
    if (!images) throw wrongFile(path, `it begins with ${[...members.keys()][0]}`)
    return { path, images, skipped: [...files.skipped], close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

/**
 * Opens the directory of an OCI layout, as `skopeo copy … oci:DIR` and an unpacked archive have it.
 * @throws AirliftError E_LOCAL_FILE naming the directory and what is wrong with it
 */
export async function openImageLayout(path: string): Promise<ImageArchive> {
  const files = archiveFiles(path, false, (name) => {
    const full = join(path, name)
    const info = statSync(full, { throwIfNoEntry: false })
    if (!info?.isFile()) return undefined
    return { size: info.size, chunks: () => createReadStream(full, { highWaterMark: 1 << 20 }) }
  })
  if (!files.find('oci-layout') || !files.find('index.json')) {
    throw wrongFile(path, 'the directory has no oci-layout and index.json')
  }
  const images = await readOciLayout(files)
  return { path, images, skipped: [...files.skipped], close: async () => {} }
}

function archiveFiles(path: string, trusted: boolean, find: ArchiveFiles['find']): ArchiveFiles {
  return {
    path,
    trusted,
    skipped: new Set(),
    find,
    read: async (name) => {
      const member = find(name)
      if (!member || member.size > MAX_JSON) {
        throw new AirliftError('E_LOCAL_FILE', `${path} lacks ${name}`, { hint: 'export the images again' })
      }
      const chunks: Buffer[] = []
      for await (const chunk of member.chunks()) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
  }
}

function wrongFile(path: string, why: string): AirliftError {
  return new AirliftError('E_LOCAL_FILE', `${path} is no archive of images: ${why}`, {
    hint: 'give what `docker save`, `ctr images export` or `skopeo copy … oci-archive:` writes',
  })
}
