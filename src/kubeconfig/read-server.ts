import { KubeconfigDocument, textOf } from './document.js'
import { readKubeconfigFile } from './kubeconfig-file.js'
import { isOwned } from './ownership.js'
import { type KubeconfigLocation, kubeconfigPaths } from './paths.js'
import { contextName } from './retarget.js'

/**
 * The server that a cluster's entry names in the user's kubeconfig, if airlift wrote it; undefined when there is none.
 * @throws AirliftError E_KUBECONFIG when a file is malformed
 */
export async function readServer(cluster: string, location: KubeconfigLocation): Promise<string | undefined> {
  for (const path of kubeconfigPaths(location)) {
    const { text } = await readKubeconfigFile(path)
    const entry = new KubeconfigDocument(path, text).get('clusters', contextName(cluster))
    if (isOwned(entry)) return textOf(entry?.get('server', true)) || undefined
  }
  return undefined
}
