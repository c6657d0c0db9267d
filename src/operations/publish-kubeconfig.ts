import type { Context } from '../core/context.js'
import { isAirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import type { World } from '../runtime/runtime.js'
import { readKubeconfig, saveKubeconfig } from './kubeconfig.js'

/** Where a context is merged. */
export interface KubeconfigTarget {
  /** Default: the first file of KUBECONFIG, else ~/.kube/config. */
  readonly path?: string
  /** Whether it becomes the current context. */
  readonly switchContext: boolean
}

/** Where a context was merged. */
export interface PublishedKubeconfig {
  readonly path: string
  readonly context: string
  readonly server: string
  readonly current: boolean
}

/**
 * Merges the context of a cluster that `run` has just brought up, over the connections that are open. A cluster whose
 * masters do not answer yet (`--wait none`) has none. A kubeconfig that cannot be written is a warning: the cluster is up.
 */
export async function publishKubeconfig(
  target: KubeconfigTarget | 'none',
  name: string,
  world: World,
  machines: ReadonlyMap<string, Machine>,
  ctx: Context,
): Promise<PublishedKubeconfig | undefined> {
  if (target === 'none') return undefined
  if (!world.machines.some((machine) => machine.node.role === 'master' && machine.installed.apiReady))
    return undefined
  try {
    const found = await readKubeconfig(name, world, machines, ctx)
    const path = await saveKubeconfig(found, target, ctx)
    return { path, context: found.context, server: found.server, current: target.switchContext }
  } catch (error) {
    if (!isAirliftError(error) || ctx.signal.aborted) throw error
    ctx.events.emit({
      level: 'warn',
      code: 'kubeconfig.failed',
      message: `the cluster is up, but its kubeconfig was not merged: ${error.message}${error.hint ? ` (${error.hint})` : ''}`,
    })
    return undefined
  }
}
