import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import type { StageHandler } from '../plan/execute.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { stageBlobs } from '../rootfs/stage.js'
import { newRuntime } from '../runtime/new-runtime.js'
import type { FoundSource, SourceInput } from './found-source.js'
import { openReleasedRootfs } from './released-rootfs.js'
import type { OperationDeps } from './session.js'

/** Disposing closes a rootfs that was opened here. */
export type OpenSource = FoundSource & AsyncDisposable

/**
 * Finds what the nodes are to run. Hosts need a rootfs, or a release to make one of; containers get along with an image.
 * @throws AirliftError E_USAGE, E_DOWNLOAD, E_IMAGE_MISSING, E_UNSUPPORTED
 */
export async function openSource(input: SourceInput, ctx: Context, deps: OperationDeps): Promise<OpenSource> {
  const { spec, rootfs } = input
  if (rootfs) return { spec, rootfs, version: rootfs.manifest.version, [Symbol.asyncDispose]: async () => {} }
  const found = await findSource(input, ctx, deps)
  return { ...found, [Symbol.asyncDispose]: async () => found.rootfs?.close() }
}

async function findSource(input: SourceInput, ctx: Context, deps: OperationDeps): Promise<FoundSource> {
  const { spec, version } = input
  const runtime = await newRuntime(spec.runtime)
  const { info } = runtime
  if (info.machines.includes('container')) {
    const { containerSource } = await import('./container-source.js')
    return containerSource(input, runtime, ctx, deps)
  }
  if (version === undefined) {
    throw new AirliftError('E_USAGE', 'no rootfs is given', {
      hint: 'build one with airlift rootfs build, then give --rootfs k3s.airlift; or name a release: --version stable',
    })
  }
  const rootfs = await openReleasedRootfs(info.distribution, version, ctx)
  return { spec, rootfs, version: rootfs.manifest.version }
}

/** How blobs of the source come onto machines. Containers get theirs through the engine. */
export function stagerOf(rootfs: Rootfs | undefined): StageHandler {
  return async (machine, blobs, options) => {
    if (!rootfs) throw new AirliftError('E_INTERNAL', `no rootfs is there to stage ${machine.id} from`)
    return stageBlobs(machine, blobs, rootfs, options)
  }
}
