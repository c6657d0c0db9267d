import { access, mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { RuntimeName } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { archOfUname } from '../rootfs/arch-of.js'
import { buildBundle } from '../rootfs/build-bundle.js'
import { cacheDir } from '../rootfs/download/fetch-release.js'
import { resolveVersion } from '../rootfs/download/resolve-version.js'
import type { Arch, Rootfs } from '../rootfs/manifest.js'
import { openRootfs } from '../rootfs/open-rootfs.js'

/** How the rootfs of a release is made. */
export interface ReleaseOptions {
  /** Of the machines that it is for. Default: that of this computer. */
  readonly arch?: Arch
  /** How a bundle is made; tests give their own. */
  readonly build?: typeof buildBundle
}

/**
 * The rootfs of a published release, or of the one that a channel has now, for one architecture: downloaded and checked the
 * first time, then kept under `$XDG_CACHE_HOME/airlift/bundles` (by default below ~/.cache).
 * @throws AirliftError E_DOWNLOAD, E_USAGE for what is no release, and what `buildBundle` and `openRootfs` throw
 */
export async function openReleasedRootfs(
  runtime: RuntimeName,
  release: string,
  ctx: Context,
  { arch = archHere(), build = buildBundle }: ReleaseOptions = {},
): Promise<Rootfs> {
  const version = await resolveVersion(release, {}, ctx)
  const path = bundlePath(runtime, version, arch, ctx)
  if (!(await isThere(path))) {
    ctx.events.emit({ level: 'info', code: 'rootfs.build', message: `making the rootfs of ${version}, once` })
    await mkdir(dirname(path), { recursive: true })
    await build({ runtime, version, ...(arch ? { arch: [arch] } : {}), output: path }, ctx)
  }
  return openRootfs(path)
}

/** The rootfs of a release where an earlier command has made it; undefined where none has. Nothing is downloaded. */
export async function openKeptRootfs(
  runtime: RuntimeName,
  version: string,
  ctx: Context,
  { arch = archHere() }: Pick<ReleaseOptions, 'arch'> = {},
): Promise<Rootfs | undefined> {
  const path = bundlePath(runtime, version, arch, ctx)
  return (await isThere(path)) ? openRootfs(path) : undefined
}

function bundlePath(runtime: RuntimeName, version: string, arch: Arch | undefined, ctx: Context): string {
  return join(cacheDir(ctx.env), 'bundles', `${runtime}-${version}-${arch ?? process.arch}.airlift`)
}

function archHere(): Arch | undefined {
  return archOfUname({ x64: 'x86_64', arm64: 'aarch64', arm: 'armv7l' }[process.arch as string] ?? '')
}

function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
