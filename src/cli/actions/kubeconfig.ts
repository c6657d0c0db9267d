import { kubeconfig, saveKubeconfig } from '../../operations/kubeconfig.js'
import { type ActionIo, UsageError } from '../io.js'
import { clusterRef, operationDeps } from '../operation-io.js'

/** `airlift kubeconfig`. */
export async function kubeconfigCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
): Promise<number> {
  const named = typeof flags.kubeconfig === 'string' ? flags.kubeconfig : undefined
  const merge = flags.merge === true
  if (named === '-' && merge) throw new UsageError('--kubeconfig - is stdout, where --merge cannot merge')
  if (named === 'none')
    throw new UsageError('--kubeconfig none leaves all files alone: leave --merge out, and it is printed')
  const path = named === '-' ? undefined : named
  if (path !== undefined && !merge) {
    throw new UsageError(`--kubeconfig ${path} needs --merge; without it the kubeconfig goes to stdout`)
  }
  const result = await kubeconfig(await clusterRef(flags), io.ctx, operationDeps(io))
  const { context, server, reachable } = result
  if (!reachable) io.note(`${io.style.err.yellow('warning')}: ${server} does not answer from this computer`)
  if (!merge) {
    if (io.json) io.printJson({ context, server, reachable, kubeconfig: result.text })
    else io.print(result.text)
    return 0
  }
  const switchContext = flags.switch !== false
  const file = await saveKubeconfig(result, { ...(path ? { path } : {}), switchContext }, io.ctx)
  if (io.json) io.printJson({ context, server, reachable, path: file, current: switchContext })
  else io.print(`context ${context} is in ${file}${switchContext ? ' and current' : ''}`)
  return 0
}
