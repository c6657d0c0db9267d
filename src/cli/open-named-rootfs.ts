import { AirliftError } from '../core/errors.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { openRootfs } from '../rootfs/open-rootfs.js'

/** What --rootfs and --version name. */
export interface NamedRootfs {
  readonly rootfs?: Rootfs
  /** Left to the operation: of containers an image of that release is enough. */
  readonly version?: string
}

/**
 * Opens what --rootfs names.
 * @throws AirliftError E_USAGE with --version beside it; E_LOCAL_FILE, E_BUNDLE_INVALID, E_BUNDLE_DAMAGED, E_UNSUPPORTED
 */
export async function openNamedRootfs(flags: Readonly<Record<string, unknown>>): Promise<NamedRootfs> {
  const path = typeof flags.rootfs === 'string' ? flags.rootfs : undefined
  const version = typeof flags.version === 'string' ? flags.version : undefined
  if (path === undefined) return version === undefined ? {} : { version }
  if (version !== undefined) {
    throw new AirliftError('E_USAGE', `--rootfs ${path} and --version ${version} name two rootfs`, {
      hint: 'give one of them: a bundle has its own version',
    })
  }
  if (path.startsWith('oci://')) {
    throw new AirliftError(
      'E_UNSUPPORTED',
      `${path}: a rootfs in a registry cannot be opened by this release`,
      {
        hint: `copy it to a file first: skopeo copy docker://${path.slice(6)} oci-archive:k3s.airlift`,
      },
    )
  }
  return { rootfs: await openRootfs(path) }
}
