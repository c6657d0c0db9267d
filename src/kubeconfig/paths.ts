import { homedir } from 'node:os'
import { delimiter, isAbsolute, join, resolve } from 'node:path'

/** Where a kubeconfig is looked for. */
export interface KubeconfigLocation {
  /** `--kubeconfig PATH`: this file alone. */
  readonly path?: string
  /** KUBECONFIG and HOME are asked. */
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The files that make the kubeconfig, in the order of precedence: as kubectl has it, without repeats. */
export function kubeconfigPaths(location: KubeconfigLocation): string[] {
  const listed = (location.env.KUBECONFIG ?? '').split(delimiter).filter((path) => path !== '')
  const fallback = join(location.env.HOME || homedir(), '.kube', 'config')
  const paths = location.path !== undefined ? [location.path] : listed.length > 0 ? listed : [fallback]
  return [...new Set(paths.map((path) => (isAbsolute(path) ? path : resolve(path))))]
}
