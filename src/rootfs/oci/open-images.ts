import { stat } from 'node:fs/promises'
import { AirliftError, isAirliftError } from '../../core/errors.js'
import { fileReason } from '../file-reason.js'
import { type OpenOptions, openImageArchive, openImageLayout } from './read-archive.js'
import type { ImageArchive } from './source-image.js'

const SAVE = 'give what `docker save`, `ctr images export` or `skopeo copy … oci-archive:` writes'

/**
 * Opens whatever holds images on this computer: an archive of either kind, compressed or not, or the directory of an OCI
 * layout. `label` is what messages call it.
 * @throws AirliftError E_IMAGE_INVALID naming why it is none; E_LOCAL_FILE when it cannot be read; E_DISK_FULL
 */
export async function openImages(
  path: string,
  tempDir: string,
  signal: AbortSignal,
  label = path,
  options: OpenOptions = {},
): Promise<ImageArchive> {
  try {
    const info = await stat(path)
    return info.isDirectory()
      ? await openImageLayout(path)
      : await openImageArchive(path, tempDir, signal, options)
  } catch (thrown) {
    if (signal.aborted) throw signal.reason
    throw relabelled(imageError(thrown, path), path, label)
  }
}

/** The same error as one of an image: what is wrong with the archive is no matter of files. */
export function imageError(thrown: unknown, path: string): AirliftError {
  const cause = thrown
  if (isAirliftError(thrown)) {
    if (thrown.code !== 'E_LOCAL_FILE' || /\bcannot read\b/.test(thrown.message)) return thrown
    const hint = thrown.hint === undefined || /bundle|rootfs/.test(thrown.hint) ? SAVE : thrown.hint
    return new AirliftError('E_IMAGE_INVALID', thrown.message, { cause, hint })
  }
  if ((thrown as NodeJS.ErrnoException).syscall !== undefined) {
    return new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${fileReason(thrown)}`, {
      cause,
      hint: 'name a file or directory that exists and that you may read',
    })
  }
  // What the readers did not foresee.
  const why = thrown instanceof Error ? thrown.message : String(thrown)
  return new AirliftError('E_IMAGE_INVALID', `${path} is damaged: its index cannot be read: ${why}`, {
    cause,
    hint: SAVE,
  })
}

/** What came from elsewhere lies in a temporary file, whose name says nothing. */
function relabelled(error: AirliftError, path: string, label: string): AirliftError {
  if (label === path || !error.message.includes(path)) return error
  return new AirliftError(error.code, error.message.replaceAll(path, label), {
    cause: error.cause,
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  })
}
