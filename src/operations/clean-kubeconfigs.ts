import type { Context } from '../core/context.js'
import { isAirliftError } from '../core/errors.js'
import { removeKubeconfig } from '../kubeconfig/merge.js'
import { kubeconfigPaths } from '../kubeconfig/paths.js'
import { forgetFiles, rememberedFiles } from '../kubeconfig/remembered-files.js'

/**
 * Takes the context of a cluster out of the kubeconfig that the environment names and out of every file that it was merged
 * into from this computer; with `path` out of that one alone. A file of long ago that cannot be changed is a warning.
 * @throws AirliftError as `removeKubeconfig`, for the kubeconfig that was named
 */
export async function cleanKubeconfigs(name: string, path: string | undefined, ctx: Context): Promise<void> {
  const { env } = ctx
  const named = { ...(path === undefined ? {} : { path }), env }
  const others = path === undefined ? await otherKubeconfigs(name, ctx) : []
  await removeKubeconfig(name, named)
  for (const other of others) {
    try {
      await removeKubeconfig(name, { path: other, env })
    } catch (error) {
      if (!isAirliftError(error)) throw error
      const message = `the context airlift-${name} is still in ${other}: ${error.message}`
      ctx.events.emit({ level: 'warn', code: 'kubeconfig.kept', message })
    }
  }
  await forgetFiles(name, [...kubeconfigPaths(named), ...others], env)
}

/** Files that hold the context of a cluster, beside those that the environment names now. */
export async function otherKubeconfigs(name: string, { env }: Pick<Context, 'env'>): Promise<string[]> {
  const named = kubeconfigPaths({ env })
  return (await rememberedFiles(name, env)).filter((path) => !named.includes(path))
}
