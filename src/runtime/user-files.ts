import type { SpecFile } from '../cluster/spec.js'
import type { NodeFiles } from './runtime.js'

/** Where a user of k3s says what nodes are to be like. */
export const USER_CONFIG = '/etc/rancher/k3s/config.yaml'
export const USER_REGISTRIES = '/etc/rancher/k3s/registries.yaml'
/** Certificates and keys of registries, in a folder for each of them. */
const REGISTRY_FILES = '/etc/rancher/k3s/registries.d'

/** Name of the probe's fragment that tells those files, each in one line: mode, path, content. */
export const USER_FILES = 'k3s-user-files'

/** The script of that fragment. */
export const USER_FILES_SCRIPT = `for f in ${USER_CONFIG} ${USER_REGISTRIES} ${REGISTRY_FILES}/* ${REGISTRY_FILES}/*/*; do
[ -f "$f" ] || continue
printf '%s %s %s\\n' "$(stat -c %a "$f")" "$f" "$(base64 < "$f" | tr -d '\\n')"
done`

/** The same of files that were read without it. Pure. */
export function listUserFiles(files: NodeFiles): string {
  const isOurs = (path: string): boolean =>
    path === USER_CONFIG || path === USER_REGISTRIES || path.startsWith(`${REGISTRY_FILES}/`)
  return [...files]
    .filter(([path]) => isOurs(path))
    .map(([path, { mode, content }]) => `${mode} ${path} ${content.toString('base64')}\n`)
    .join('')
}

/** Reads what the fragment tells. Pure. */
export function readUserFiles(text: string): SpecFile[] {
  return text.split('\n').flatMap((line): SpecFile[] => {
    const match = /^(\d+) (\S+) (\S*)$/.exec(line)
    if (!match) return []
    const [, mode = '600', path = '', content = ''] = match
    return [{ path, mode: mode.padStart(4, '0'), content: Buffer.from(content, 'base64') }]
  })
}
