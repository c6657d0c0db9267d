import { createHash, randomBytes } from 'node:crypto'
import { type FileHandle, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { noteTemp } from '../cluster/temp-paths.js'
import { formatBytes } from '../core/bytes.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import { fileReason } from './file-reason.js'
import { blobHeader, layoutBundle } from './layout.js'
import type { SourceBlob } from './oci/source-image.js'
import { padding, TAR_END } from './tar/header.js'

/** What a bundle is written from. */
export interface BundleContents {
  readonly index: Buffer
  /** By hex digest. */
  readonly blobs: ReadonlyMap<string, SourceBlob>
  /** Hex digests of the manifests: they stand before all other blobs. */
  readonly manifests: ReadonlySet<string>
}

/**
 * Writes a bundle beside its target, syncs it and renames it, so that the name never stands for half a bundle. Every blob
 * is checked against its digest once more on the way: an input that changed meanwhile is refused.
 * @throws AirliftError E_DISK_FULL, E_READ_ONLY, E_LOCAL_FILE; the temporary file is removed
 */
export async function writeBundle(
  output: string,
  contents: BundleContents,
  options: {
    readonly signal: AbortSignal
    readonly env: Readonly<Record<string, string | undefined>>
    readonly onProgress?: (written: number, total: number) => void
  },
): Promise<{ readonly size: number }> {
  const sizes = new Map([...contents.blobs].map(([hex, blob]) => [hex, blob.size]))
  const layout = layoutBundle(contents.index, sizes, contents.manifests)
  const temp = join(dirname(output), `.${basename(output)}.${randomBytes(6).toString('hex')}.tmp`)
  const noted = await noteTemp(temp, options.env)
  let file: FileHandle | undefined
  try {
    file = await open(temp, 'wx', 0o644)
    const writer = createWriter(file)
    await writer.write(layout.head)
    for (const place of layout.places) {
      options.signal.throwIfAborted()
      await writer.write(blobHeader(place))
      const hash = createHash('sha256')
      let size = 0
      for await (const chunk of contents.blobs.get(place.hex)?.chunks() ?? []) {
        options.signal.throwIfAborted()
        hash.update(chunk)
        size += chunk.length
        await writer.write(chunk)
        options.onProgress?.(writer.position, layout.size)
      }
      if (size !== place.size || hash.digest('hex') !== place.hex) {
        throw new AirliftError(
          'E_LOCAL_FILE',
          `an input changed while ${output} was written: blob sha256:${place.hex}`,
          {
            hint: 'build it again when nothing writes to the inputs any more',
          },
        )
      }
      await writer.write(Buffer.alloc(padding(place.size)))
    }
    await writer.write(TAR_END)
    await file.sync()
    await file.close()
    file = undefined
    await rename(temp, output)
    await syncDirectory(dirname(output))
    return { size: layout.size }
  } catch (error) {
    await file?.close().catch(() => {})
    await rm(temp, { force: true }).catch(() => {})
    if (options.signal.aborted) throw options.signal.reason
    throw isAirliftError(error) ? error : writeError(output, layout.size, error)
  } finally {
    await noted.forget()
  }
}

function createWriter(file: FileHandle): { readonly position: number; write(chunk: Buffer): Promise<void> } {
  let position = 0
  return {
    get position() {
      return position
    },
    async write(chunk) {
      let done = 0
      while (done < chunk.length) {
        const { bytesWritten } = await file.write(chunk, done, chunk.length - done, position)
        done += bytesWritten
        position += bytesWritten
      }
    },
  }
}

async function syncDirectory(path: string): Promise<void> {
  const dir = await open(path, 'r')
  try {
    await dir.sync()
  } catch {
    // Not every file system can; the rename itself is done.
  } finally {
    await dir.close()
  }
}

function writeError(output: string, size: number, cause: unknown): AirliftError {
  const code = (cause as NodeJS.ErrnoException).code
  const dir = dirname(output)
  if (code === 'ENOSPC' || code === 'EDQUOT') {
    return new AirliftError('E_DISK_FULL', `no space left in ${dir} for ${output} (${formatBytes(size)})`, {
      cause,
      hint: 'free some space there, or choose another --output',
    })
  }
  if (code === 'EROFS') {
    return new AirliftError('E_READ_ONLY', `cannot write ${output}: the file system is read-only`, {
      cause,
      hint: 'choose another --output',
    })
  }
  return new AirliftError('E_LOCAL_FILE', `cannot write ${output}: ${fileReason(cause)}`, {
    cause,
    hint: 'choose an --output in a directory that exists and that you may write to',
  })
}
