import { LABELS, nodeOfLabels, recordOfLabels } from '../cluster/container-labels.js'
import { type ContainerSpec, PLAIN_CONTAINERS } from '../cluster/container-spec.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import { unlessAborted } from '../core/unless-aborted.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import { imageNotHere } from '../machine/docker/offline-engine.js'
import { resolveVersion } from '../rootfs/download/resolve-version.js'
import type { Arch, Rootfs } from '../rootfs/manifest.js'
import type { NodeImages, Runtime } from '../runtime/runtime.js'
import { connectToEngine } from './container-session.js'
import type { FoundSource, SourceInput } from './found-source.js'
import { openKeptRootfs, openReleasedRootfs } from './released-rootfs.js'
import type { OperationDeps } from './session.js'

/** The channel that counts where nothing else does. */
const DEFAULT_CHANNEL = 'stable'

/**
 * What containers are to run where no rootfs was given: what those of the cluster run already; else the image or the release
 * that was named; else the newest k3s that the engine has; else the stable release. Nothing is changed and nothing pulled: an
 * image that is not there, and that its registry has, is left to the plan.
 * @throws AirliftError E_IMAGE_MISSING where nothing can be had, E_OFFLINE where nobody may be asked which release is meant,
 * E_UNSUPPORTED for another release than the cluster's, E_USAGE
 */
export async function containerSource(
  { spec, version }: SourceInput,
  { info: { minors }, images }: Runtime,
  ctx: Context,
  deps: OperationDeps,
): Promise<FoundSource> {
  if (!images) throw new AirliftError('E_INTERNAL', `nothing is known of images of ${spec.runtime}`)
  const engine = await connectToEngine(ctx, deps)
  try {
    // What the engine tells of itself takes it longest.
    const [info, containers] = await Promise.all([
      engine.info(),
      engine.containers([`${LABELS.cluster}=${spec.name}`]),
    ])
    const arch = images.arch(info.arch)
    const wanted = version === undefined ? undefined : await releaseOf(version, spec, engine, ctx)
    const look = { spec, version, wanted, engine, arch, images, minors }
    const nodes = containers.filter(({ labels }) => nodeOfLabels(labels) && recordOfLabels(labels))
    if (nodes.length > 0) return await ofCluster(look, nodes, ctx)
    const found = spec.containers?.image === undefined ? await chosen(look, ctx) : await named(look, ctx)
    if (!found.rootfs) sayOfPods(look, found, ctx)
    return found
  } finally {
    await engine.close()
  }
}

/** The release that --version means. Offline all that is missing is told at once. */
async function releaseOf(version: string, spec: ClusterSpec, engine: Engine, ctx: Context): Promise<string> {
  try {
    return await resolveVersion(version, {}, ctx)
  } catch (error) {
    const ref = spec.containers?.image
    if (ref === undefined || !isAirliftError(error) || error.code !== 'E_OFFLINE') throw error
    if (await engine.image(ref)) throw error
    const image = imageNotHere(ref)
    throw new AirliftError(image.code, 'two things are not here, and --offline lets nothing be fetched', {
      log: [image.message, error.message],
      hint: [image.hint, error.hint].join('; '),
      data: { missing: [ref, version] },
      cause: error,
    })
  }
}

/**
 * Without a rootfs k3s' own pods wait for images that the nodes must pull. What nodes do is their own affair, and a registry
 * that they reach may be near them: so offline it is a warning.
 */
function sayOfPods({ images, arch }: Look, { spec }: FoundSource, ctx: Context): void {
  const ref = spec.containers?.image ?? ''
  const [level, message] = images.isMade(ref, arch)
    ? ([
        'warn',
        `${ref} holds neither images of pods nor certificates of public registries: give the rootfs that it was made of, or --ca for nodes that are to pull`,
      ] as const)
    : ctx.offline && !spec.registries
      ? ([
          'warn',
          '--offline keeps airlift from the internet, not the nodes: no rootfs brings the images of their pods (CoreDNS, pause), which they will try to pull. Give --rootfs, or --registries with a registry that they reach, or bring them with airlift image import',
        ] as const)
      : ([
          'info',
          'the nodes pull the images of their pods: give --rootfs where they have no way out',
        ] as const)
  ctx.events.emit({ level, code: 'image.pods', message })
}

interface Look {
  readonly spec: ClusterSpec
  /** As the user says it: a release or a channel. */
  readonly version: string | undefined
  /** The release that this is. */
  readonly wanted: string | undefined
  readonly engine: Engine
  readonly arch: Arch
  readonly images: NodeImages
  /** Releases that the runtime supports. */
  readonly minors: readonly string[]
}

/** A cluster keeps what it runs. */
async function ofCluster(look: Look, nodes: readonly EngineContainer[], ctx: Context): Promise<FoundSource> {
  const { spec, version, wanted, engine } = look
  const [first] = nodes
  const ref = recordOfLabels(first?.labels ?? {})?.image ?? ''
  const running = first?.labels[LABELS.version] ?? ''
  if (wanted !== undefined && running !== '' && wanted !== running) {
    const meant = wanted === version ? wanted : `${version} (${wanted})`
    throw new AirliftError(
      'E_UNSUPPORTED',
      `the cluster "${spec.name}" runs ${running}, and --version says ${meant}`,
      { hint: `leave --version out: run does not change the release of a cluster` },
    )
  }
  // Where no node runs, one that made the image from a release may have ended before the images of its pods were there.
  const begun = nodes.some(({ state }) => state === 'running') && (await engine.image(ref)) !== undefined
  const rootfs = begun ? undefined : await rootfsOf(look, ref, running, ctx)
  return { spec, ...(rootfs ? { rootfs } : {}), ...(running ? { version: running } : {}) }
}

/** The image that the user names; whether it can be pulled shows when it is. */
async function named(look: Look, ctx: Context): Promise<FoundSource> {
  const { spec, version, wanted, engine, images } = look
  const ref = spec.containers?.image ?? ''
  const image = await engine.image(ref)
  const told = images.versionOf(ref, image)
  if (told !== undefined && wanted !== undefined && told !== wanted)
    throw new AirliftError('E_USAGE', `--image ${ref} holds ${told}, and --version ${version} is another`, {
      hint: 'leave one of them out',
    })
  if (ctx.offline && !image && !images.isMade(ref, look.arch)) throw imageNotHere(ref)
  return withImage(look, { ref, version: told ?? wanted }, ctx)
}

async function chosen(look: Look, ctx: Context): Promise<FoundSource> {
  const { wanted, engine, arch, images } = look
  const there = images.among(await engine.imagesNamed(images.repositories), arch)
  const found = there.find((image) => wanted === undefined || image.version === wanted)
  if (found) {
    const why =
      wanted === undefined
        ? 'the newest k3s that the engine has; --image, --version or --rootfs choose another'
        : 'which the engine has'
    say(ctx, `the nodes run ${found.ref} (${found.version}), ${why}`)
    return withImage(look, found, ctx)
  }
  try {
    return await fromOutside(look, ctx)
  } catch (error) {
    if (ctx.signal.aborted || !isAirliftError(error) || !cannotBeHad(error)) throw error
    throw nothingThere(wanted, error, ctx)
  }
}

function cannotBeHad({ code }: AirliftError): boolean {
  return code === 'E_DOWNLOAD' || code === 'E_OFFLINE'
}

/** The image of k3s itself where a registry has it, else the published release, of which airlift makes one. */
async function fromOutside(look: Look, ctx: Context): Promise<FoundSource> {
  const { spec, wanted, engine, arch, images } = look
  const release = wanted ?? (await resolveVersion(DEFAULT_CHANNEL, {}, ctx))
  const ref = images.published(release)
  const refusal = await refusalOf(engine, ref, ctx)
  if (refusal === undefined) {
    const more = wanted === undefined ? '; --image, --version or --rootfs choose another' : ''
    say(ctx, `the nodes run ${ref}, which the engine pulls${more}`)
    return withImage(look, { ref, version: release }, ctx)
  }
  say(ctx, `${refusal}; the node image is made of the published release instead`)
  try {
    return { spec, rootfs: await openReleasedRootfs('k3s', release, ctx, { arch }), version: release }
  } catch (error) {
    if (!isAirliftError(error) || !cannotBeHad(error)) throw error
    const log = [refusal, error.message, ...error.log]
    throw new AirliftError(error.code, error.message, { log, cause: error })
  }
}

/** Why an image cannot be pulled; undefined when it can. */
async function refusalOf(engine: Engine, ref: string, ctx: Context): Promise<string | undefined> {
  try {
    // The engine's calls are not cut off by an interruption, but a question need not be waited for.
    await unlessAborted(engine.checkPull(ref), ctx.signal)
    return undefined
  } catch (error) {
    if (ctx.signal.aborted || !isAirliftError(error) || error.code !== 'E_IMAGE_MISSING') throw error
    return error.message
  }
}

/** The spec with its image. One that airlift made of a release it still has comes with all that is in the release. */
async function withImage(
  look: Look,
  { ref, version }: { readonly ref: string; readonly version: string | undefined },
  ctx: Context,
): Promise<FoundSource> {
  const { spec, minors } = look
  if (version === undefined) return { spec: imageOf(spec, { image: ref }) }
  if (!minors.some((minor) => version.startsWith(`v${minor}.`))) {
    throw new AirliftError('E_UNSUPPORTED', `${ref} is k3s ${version}, which is not supported`, {
      hint: `use a release from ${minors[0]} to ${minors.at(-1)}`,
    })
  }
  const rootfs = await rootfsOf(look, ref, version, ctx)
  return { spec: imageOf(spec, { image: ref, release: version }), ...(rootfs ? { rootfs } : {}), version }
}

function imageOf(spec: ClusterSpec, chosen: Pick<ContainerSpec, 'image' | 'release'>): ClusterSpec {
  return { ...spec, containers: { ...(spec.containers ?? PLAIN_CONTAINERS), ...chosen } }
}

/** The rootfs of a release that an image was made of, where an earlier command has kept it. */
async function rootfsOf(
  { images, arch }: Look,
  ref: string,
  version: string,
  ctx: Context,
): Promise<Rootfs | undefined> {
  if (version === '' || !images.isMade(ref, arch)) return undefined
  const rootfs = await openKeptRootfs('k3s', version, ctx, { arch })
  if (!rootfs || images.isMade(ref, arch, rootfs)) return rootfs
  await rootfs.close()
  return undefined
}

function nothingThere(wanted: string | undefined, cause: AirliftError, ctx: Context): AirliftError {
  const what = wanted === undefined ? 'no image of k3s' : `no image of k3s ${wanted}`
  const log = cause.log.length > 0 ? cause.log : [cause.message]
  const why = ctx.offline ? '--offline lets none be fetched' : 'none can be had'
  return new AirliftError('E_IMAGE_MISSING', `the engine has ${what}, and ${why}`, {
    hint: 'give a bundle, --rootfs k3s.airlift; or name an image that the engine has, --image NAME; or bring one: docker save rancher/k3s:v1.33.1-k3s1 where there is internet, docker load here',
    log,
    cause,
  })
}

function say(ctx: Context, message: string): void {
  ctx.events.emit({ level: 'info', code: 'image.chosen', message })
}
