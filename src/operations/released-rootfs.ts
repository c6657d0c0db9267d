import { access, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RuntimeName } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { archOfUname } from '../rootfs/arch-of.js'
import { buildBundle } from '../rootfs/build-bundle.js'
import { cacheDir } from '../rootfs/download/fetch-release.js'
import { resolveVersion } from '../rootfs/download/resolve-version.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { openRootfs } from '../rootfs/open-rootfs.js'

/** How a bundle is made; tests give their own. */
export type Build = typeof buildBundle

/**
 * The rootfs of a published release, or of the one that a channel has now, for this computer's architecture: downloaded and checked the first time, then kept
 * under `$XDG_CACHE_HOME/airlift/bundles` (by default below ~/.cache).
 * @throws AirliftError E_DOWNLOAD, E_USAGE for what is no release, and what `buildBundle` and `openRootfs` throw
 */
export async function openReleasedRootfs(
  runtime: RuntimeName,
  release: string,
  ctx: Context,
  build: Build = buildBundle,
): Promise<Rootfs> {
  const version = await resolveVersion(release, {}, ctx)
  const uname = { x64: 'x86_64', arm64: 'aarch64', arm: 'armv7l' }[process.arch as string] ?? process.arch
  const arch = archOfUname(uname)
  const path = join(cacheDir(ctx.env), 'bundles', `${runtime}-${version}-${arch ?? uname}.airlift`)
  const cached = await access(path).then(
    () => true,
    () => false,
  )
  if (!cached) {
    ctx.events.emit({ level: 'info', code: 'rootfs.build', message: `making the rootfs of ${version}, once` })
    await mkdir(dirname(path), { recursive: true })
    await build({ runtime, version, ...(arch ? { arch: [arch] } : {}), output: path }, ctx)
  }
  return openRootfs(path)
}
