import { access } from 'node:fs/promises'

/** Whether there is anything at a path of this computer; one that may not be looked at counts as absent. */
export function pathExists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}
