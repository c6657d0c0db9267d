import type { RuntimeName } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { openReleasedRootfs } from '../operations/released-rootfs.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { openRootfs } from '../rootfs/open-rootfs.js'

/**
 * Opens what --rootfs or --version names.
 * @throws AirliftError E_USAGE with none or both; E_LOCAL_FILE, E_BUNDLE_INVALID, E_BUNDLE_DAMAGED, E_DOWNLOAD
 */
export async function openNamedRootfs(
  flags: Readonly<Record<string, unknown>>,
  runtime: RuntimeName,
  ctx: Context,
): Promise<Rootfs> {
  const path = typeof flags.rootfs === 'string' ? flags.rootfs : undefined
  const version = typeof flags.version === 'string' ? flags.version : undefined
  if (path !== undefined && version !== undefined) {
    throw new AirliftError('E_USAGE', `--rootfs ${path} and --version ${version} name two rootfs`, {
      hint: 'give one of them: a bundle has its own version',
    })
  }
  // Containers run the same k3s as hosts do.
  const distribution = runtime === 'k3d' ? 'k3s' : runtime
  if (version !== undefined) return openReleasedRootfs(distribution, version, ctx)
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
