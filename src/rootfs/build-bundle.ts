import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import type { RuntimeName } from '../cluster/spec.js'
import { noteTemp } from '../cluster/temp-paths.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { archOfNode } from './arch-of.js'
import { assembleBundle } from './assemble.js'
import type { InputFile } from './build-inputs.js'
import {
  checkArchs,
  inspectPrograms,
  programFor,
  readInput,
  readTemplates,
  refuseOverwriting,
} from './build-inputs.js'
import { sha256 } from './digest.js'
import { type FetchRequest, fetchReleaseFiles, missingReleaseFiles } from './download/fetch-release.js'
import { resolveVersion } from './download/resolve-version.js'
import type { Arch, RootfsManifest } from './manifest.js'
import { collectImages } from './oci/collect-images.js'
import { openImageArchive } from './oci/read-archive.js'
import type { ImageArchive } from './oci/source-image.js'
import { checkProgramVersion } from './program-version.js'
import { writeBundle } from './write-bundle.js'

/** What a bundle is built from. */
export interface BuildRequest {
  readonly runtime: RuntimeName
  /** A release, or a channel: `stable`, `latest`, `v1.33`. */
  readonly version: string
  /** Default: what the programs are for, else this computer's. */
  readonly arch?: readonly Arch[]
  /** Programs, one for each architecture. What is not named is downloaded. */
  readonly binary?: readonly string[]
  /** Archives of images. For architectures of which they hold none, the release's are downloaded. */
  readonly images?: readonly string[]
  /** Programs of a registry, one for each architecture. */
  readonly registry?: readonly string[]
  /** A mirror or a directory with the names of the release, instead of the release itself. */
  readonly from?: string
  /** A directory whose files replace the packaged templates of the same name. */
  readonly template?: string
  readonly output: string
}

/** A bundle that was built. */
export interface BuildResult {
  readonly output: string
  readonly size: number
  /** `sha256:…` of its index. */
  readonly digest: string
  readonly manifest: RootfsManifest
}

/**
 * Builds a bundle. Two builds of the same inputs are equal byte for byte, wherever and whenever they run.
 * @throws AirliftError E_USAGE, E_UNSUPPORTED, E_LOCAL_FILE, E_DOWNLOAD, E_OFFLINE, E_DISK_FULL, E_READ_ONLY; then there is
 * no output
 */
export async function buildBundle(request: BuildRequest, ctx: Context): Promise<BuildResult> {
  if (request.runtime !== 'k3s') {
    throw new AirliftError('E_UNSUPPORTED', `rootfs build does not know the runtime "${request.runtime}"`, {
      hint: 'use --runtime k3s',
    })
  }
  const { from } = request
  const version = await resolveVersion(request.version, from === undefined ? {} : { from }, ctx)
  const output = resolve(request.output)
  await refuseOverwriting(output, request.binary ?? [], '--binary')
  await refuseOverwriting(output, request.images ?? [], '--images')
  await refuseOverwriting(output, request.registry ?? [], '--registry')
  const programs = await inspectPrograms(request.binary ?? [], '--binary')
  const registries = await inspectPrograms(request.registry ?? [], '--registry')
  const temp = join(tmpdir(), `airlift-build-${randomBytes(6).toString('hex')}`)
  const noted = await noteTemp(temp, ctx.env)
  await mkdir(temp, { mode: 0o700 })
  const archives: ImageArchive[] = []
  const versionOptions = { tempDir: temp, signal: ctx.signal }
  try {
    // Before anything large is read or downloaded.
    for (const { path } of programs) await checkProgramVersion(path, version, versionOptions)
    for (const path of request.images ?? []) archives.push(await openImageArchive(path, temp, ctx.signal))
    const archs = chooseArchs(request, [...programs, ...registries], archives)
    checkArchs(programs, archs, '--binary')
    checkArchs(registries, archs, '--registry')
    const files: InputFile[] = await readTemplates(request.runtime, request.template)
    const many = archs.length > 1
    const wanted = archs.map(
      (arch): FetchRequest => ({
        version,
        arch,
        binary: programFor(programs, arch) === undefined,
        images: !archives.some((archive) => archive.images.some((image) => image.arch === arch)),
        ...(request.from ? { from: request.from } : {}),
      }),
    )
    if (ctx.offline) await requireDownloaded(version, wanted, ctx)
    for (const each of wanted) {
      const { arch } = each
      const binary = programFor(programs, arch)
      const fetched = await fetchReleaseFiles(each, ctx)
      const program = binary ?? fetched.binary ?? ''
      if (binary === undefined) {
        checkArchs(await inspectPrograms([program], '--binary'), [arch], '--binary')
        // The release itself is in the address; a mirror may hold any.
        if (request.from !== undefined) await checkProgramVersion(program, version, versionOptions)
      }
      const path = many ? `bin/${arch}/k3s` : 'bin/k3s'
      files.push(await readInput(program, { path, mode: '0755', role: 'binary', arch }))
      await refuseOverwriting(output, Object.values(fetched), '--from')
      if (fetched.images) archives.push(await openImageArchive(fetched.images, temp, ctx.signal))
      const registry = programFor(registries, arch)
      if (registry !== undefined) {
        const target = many ? `registry/${arch}/registry` : 'registry/registry'
        files.push(await readInput(registry, { path: target, mode: '0755', role: 'registry', arch }))
      }
    }
    const images = collectImages(archives, archs)
    const bundle = await assembleBundle({ runtime: request.runtime, version, arch: archs, files, images })
    const { size } = await writeBundle(output, bundle, {
      signal: ctx.signal,
      env: ctx.env,
      onProgress: progress(ctx, output),
    })
    return { output, size, digest: `sha256:${sha256(bundle.index)}`, manifest: bundle.manifest }
  } finally {
    for (const archive of archives) await archive.close()
    await rm(temp, { recursive: true, force: true })
    await noted.forget()
  }
}

/** Names all that is not here, before anything is made. @throws AirliftError E_OFFLINE */
async function requireDownloaded(
  version: string,
  wanted: readonly FetchRequest[],
  ctx: Context,
): Promise<void> {
  const missing = (await Promise.all(wanted.map((each) => missingReleaseFiles(each, ctx)))).flat()
  if (missing.length === 0) return
  throw new AirliftError('E_OFFLINE', `${version} is not here, and --offline lets nothing be downloaded`, {
    log: missing.map((url) => `not here: ${url}`),
    data: { missing },
    hint: `build a bundle where there is internet (airlift rootfs build --version ${version} --output k3s.airlift) and give it with --rootfs; or give rootfs build the files: --binary, --images, or --from DIRECTORY`,
  })
}

/** The architectures of the bundle: as asked, else those of the programs, of the images, of this computer. */
function chooseArchs(
  request: BuildRequest,
  programs: readonly { readonly arch?: Arch }[],
  archives: readonly ImageArchive[],
): Arch[] {
  const asked = request.arch ?? []
  const ofPrograms = programs.flatMap((program) => program.arch ?? [])
  const ofImages = archives.flatMap((archive) => archive.images.map((image) => image.arch))
  const own = archOfNode()
  const chosen = [asked, ofPrograms, ofImages, own ? [own] : []].find((list) => list.length > 0) ?? []
  if (chosen.length === 0) {
    throw new AirliftError('E_USAGE', `k3s is not built for this computer (${process.arch})`, {
      hint: 'name the architecture of the machines: --arch amd64',
    })
  }
  return [...new Set(chosen)].sort()
}

function progress(ctx: Context, output: string): (written: number, total: number) => void {
  let told = 0
  return (written, total) => {
    const now = ctx.clock.now()
    if (now - told < 200 && written < total) return
    told = now
    ctx.events.emit({
      level: 'debug',
      code: 'rootfs.write',
      message: `writing ${output}`,
      data: { bytes: written, total },
    })
  }
}
