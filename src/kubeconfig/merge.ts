import type { YAMLMap } from 'yaml'
import { AirliftError } from '../core/errors.js'
import { plain, SECTIONS, type Section, textOf } from './document.js'
import type { LockTimes } from './lock.js'
import { changeFiles, type OpenFile } from './open-files.js'
import { isOwned, markOwned, previousContext } from './ownership.js'
import { type KubeconfigLocation, kubeconfigPaths } from './paths.js'
import { contextName, readEntry } from './retarget.js'

/** How a kubeconfig is merged. */
export interface MergeOptions extends KubeconfigLocation {
  /** Makes the cluster's context the current one; the one before is remembered for {@link removeKubeconfig}. */
  readonly switchContext: boolean
  readonly lock?: LockTimes
}

/** What a merge did. */
export interface MergeResult {
  /** The file that holds the cluster's context. */
  readonly path: string
  /** False when everything was there already. */
  readonly changed: boolean
}

/**
 * Merges a kubeconfig made by `retarget` into the user's. Everything that is there stays, with its comments; only the
 * cluster's own entries are replaced, in the file where they are. With several files in KUBECONFIG they go where kubectl
 * would put them. Files are locked, and replaced in one step.
 *
 * @throws AirliftError E_KUBECONFIG when a file is malformed or cannot be written, or has entries of that name that are not of
 *   this cluster and not airlift's; E_LOCKED; nothing is written then
 */
export async function mergeKubeconfig(incoming: string, options: MergeOptions): Promise<MergeResult> {
  const { name, cluster, user } = readEntry(incoming)
  let path = ''
  const written = await changeFiles(
    kubeconfigPaths(options),
    true,
    (files) => {
      const [first] = files
      if (first === undefined) return
      requireOwn(files, name, cluster['certificate-authority-data'] ?? '')
      const home = (section: Section): OpenFile =>
        files.find((file) => file.document.has(section, name)) ?? first
      replace(home('clusters').document.ensure('clusters', name), cluster, [
        'proxy-url',
        'tls-server-name',
        'extensions',
      ])
      replace(home('users').document.ensure('users', name), user, ['extensions'])
      const context = home('contexts').document.ensure('contexts', name)
      // A namespace that the user chose stays.
      replace(context, { cluster: name, user: name }, ['namespace', 'extensions'])
      for (const section of ['clusters', 'users'] as const)
        markOwned(home(section).document.ensure(section, name))
      const current = currentContext(files)
      const switched = options.switchContext && current !== name
      markOwned(context, switched && current !== '' ? current : undefined)
      if (switched) first.document.currentContext = name
      path = home('contexts').path
    },
    options.lock,
  )
  return { path, changed: written.length > 0 }
}

/** What a removal did. */
export interface RemoveResult {
  /** The files that were changed. */
  readonly paths: readonly string[]
  /** The context that is current now; empty when none is. */
  readonly currentContext: string
}

/**
 * Takes a cluster's entries out of the user's kubeconfig, if airlift wrote them. When its context was current, the one
 * before it becomes current again if it still exists, and otherwise none: a random one could be production.
 *
 * @throws AirliftError as {@link mergeKubeconfig}
 */
export async function removeKubeconfig(
  cluster: string,
  options: KubeconfigLocation & { readonly lock?: LockTimes },
): Promise<RemoveResult> {
  const name = contextName(cluster)
  let current = ''
  const paths = await changeFiles(
    kubeconfigPaths(options),
    false,
    (files) => {
      const context = files
        .map((file) => file.document.get('contexts', name))
        .find((content) => content !== undefined)
      const owned = isOwned(context)
      const previous = previousContext(context)
      for (const { document } of files) {
        for (const section of Object.keys(SECTIONS) as Section[]) {
          if (isOwned(document.get(section, name))) document.remove(section, name)
        }
      }
      const back = files.some(({ document }) => document.has('contexts', previous)) ? previous : ''
      for (const { document } of files) {
        if (owned && document.currentContext === name) document.currentContext = back
      }
      current = currentContext(files)
    },
    options.lock,
  )
  return { paths, currentContext: current }
}

/** What airlift did not write it does not replace, unless it is of this very cluster: its CA tells. */
function requireOwn(files: readonly OpenFile[], name: string, ca: string): void {
  const isOfCluster = files.some(
    ({ document }) => textOf(document.get('clusters', name)?.get('certificate-authority-data', true)) === ca,
  )
  if (isOfCluster) return
  for (const { path, document } of files) {
    for (const section of Object.keys(SECTIONS) as Section[]) {
      const entry = document.get(section, name)
      if (entry === undefined || isOwned(entry)) continue
      const kind = SECTIONS[section]
      throw new AirliftError(
        'E_KUBECONFIG',
        `${path} has a ${kind} "${name}" that airlift did not write and that is of another cluster`,
        {
          hint: `give another file with --kubeconfig PATH; or, if it is not needed any more: kubectl config delete-${kind} ${name}`,
        },
      )
    }
  }
}

/** The first file that names a current context wins, as in kubectl. */
function currentContext(files: readonly OpenFile[]): string {
  return files.map((file) => file.document.currentContext).find((name) => name !== '') ?? ''
}

/** Makes a mapping hold exactly these values, beside the keys that are kept. What is the same is not touched. */
function replace(content: YAMLMap, values: Readonly<Record<string, string>>, kept: readonly string[]): void {
  for (const key of content.items.map((pair) => textOf(pair.key))) {
    if (!(key in values) && !kept.includes(key)) content.delete(key)
  }
  for (const [key, value] of Object.entries(values)) {
    if (textOf(content.get(key, true)) !== value) content.set(key, plain(value))
  }
}
