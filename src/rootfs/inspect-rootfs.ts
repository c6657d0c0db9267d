import type { RootfsManifest } from './manifest.js'
import { openRootfs } from './open-rootfs.js'

/** What `rootfs inspect` tells. */
export interface InspectedRootfs extends RootfsManifest {
  readonly ref: string
  /** `sha256:…` of its index. */
  readonly digest: string
}

/**
 * Tells what a bundle or an unpacked rootfs holds, from its head alone.
 * @throws AirliftError E_LOCAL_FILE, E_BUNDLE_INVALID, E_BUNDLE_DAMAGED
 */
export async function inspectRootfs(path: string): Promise<InspectedRootfs> {
  const rootfs = await openRootfs(path)
  await rootfs.close()
  return { ref: rootfs.ref, digest: rootfs.digest, ...rootfs.manifest }
}
