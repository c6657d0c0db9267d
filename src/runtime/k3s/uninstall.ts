import type { World } from '../runtime.js'
import { fillTemplate } from './template.js'

/** The script that removes everything from a host: the same text that lies there as k3s-uninstall.sh. */
export function uninstallScript(world: World): string {
  return fillTemplate(world.templates, 'k3s-uninstall.sh')
}
