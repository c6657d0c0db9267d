import { AirliftError } from '../core/errors.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { openRootfs } from '../rootfs/open-rootfs.js'

/**
 * Opens what --rootfs names.
 * @throws AirliftError E_USAGE without it; E_LOCAL_FILE, E_BUNDLE_INVALID, E_BUNDLE_DAMAGED
 */
export async function openNamedRootfs(flags: Readonly<Record<string, unknown>>): Promise<Rootfs> {
  const path = typeof flags.rootfs === 'string' ? flags.rootfs : undefined
  if (path === undefined) {
    throw new AirliftError('E_USAGE', 'no rootfs is given', {
      hint: 'build one with airlift rootfs build, then give --rootfs k3s.airlift',
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
  return openRootfs(path)
}
