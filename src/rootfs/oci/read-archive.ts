import { open, stat } from 'node:fs/promises'
import { AirliftError } from '../../core/errors.js'
import { decompressed } from '../decompress.js'
import { notABundle } from '../sniff.js'
import { readRange } from '../tar/member-stream.js'
import { resolveMember, scanTar } from '../tar/scan.js'
import { readDockerArchive } from './docker-archive.js'
import { readOciLayout } from './oci-layout.js'
import type { ImageArchive, SourceBlob } from './source-image.js'

/** What the readers of both formats use: members by name. */
export interface ArchiveFiles {
  readonly path: string
  /** The member, with links followed. Undefined when there is none. */
  find(name: string): SourceBlob | undefined
  /** The content of a small member. @throws AirliftError E_LOCAL_FILE when it is missing */
  read(name: string): Promise<Buffer>
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
): Promise<ImageArchive> {
  const plain = await decompressed(path, tempDir, signal)
  const file = await open(plain, 'r')
  try {
    const { size } = await stat(plain)
    const { members, cut } = await scanTar(file, size)
    if (cut !== undefined) {
      if (members.size === 0) throw wrongFile(path, notABundle(path, Buffer.alloc(0), [], size).message)
      throw new AirliftError('E_LOCAL_FILE', `${path} was cut: ${cut}`, {
        hint: 'download or copy the archive again',
      })
    }
    const find = (name: string): SourceBlob | undefined => {
      const member = resolveMember(members, name)
      return member && { size: member.size, chunks: () => readRange(file, member.offset, member.size) }
    }
    const files: ArchiveFiles = {
      path,
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
    // An OCI layout keeps the digests of the registry; `docker save` of Docker 25 and later writes both.
    const images =
      members.has('oci-layout') && members.has('index.json')
        ? await readOciLayout(files)
        : members.has('manifest.json')
          ? await readDockerArchive(files)
          : undefined
    if (!images) throw wrongFile(path, `it begins with ${[...members.keys()][0]}`)
    return { path, images, close: () => file.close() }
  } catch (error) {
    await file.close()
    throw error
  }
}

function wrongFile(path: string, why: string): AirliftError {
  return new AirliftError('E_LOCAL_FILE', `${path} is no archive of images: ${why}`, {
    hint: 'give what `docker save`, `ctr images export` or `skopeo copy … oci-archive:` writes',
  })
}
