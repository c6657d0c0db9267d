import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AirliftError } from '../../core/errors.js'
import { shownUrl } from '../../core/shown-url.js'

/** Where the files of a release are: a directory of this computer, or a URL without a slash at its end. */
export type ReleasePlace = { readonly directory: string } | { readonly url: string }

/**
 * Reads `--from`: the URL of a mirror, a directory, or a directory as a `file://` URL.
 * @throws AirliftError E_USAGE for a URL that nothing can be downloaded from
 */
export function releasePlace(from: string): ReleasePlace {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(from)?.[1]?.toLowerCase()
  if (scheme === undefined) return { directory: resolve(from) }
  try {
    if (scheme === 'file') return { directory: fileURLToPath(from) }
    if (scheme === 'http' || scheme === 'https') return { url: new URL(from) && from.replace(/\/+$/, '') }
  } catch {
    // Told below.
  }
  throw new AirliftError('E_USAGE', `nothing can be downloaded from "${shownUrl(from)}"`, {
    hint: 'give --from the URL of a mirror (http:// or https://) or a directory',
  })
}
