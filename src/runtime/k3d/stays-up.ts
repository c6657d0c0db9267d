import { containerId } from '../../machine/container-id.js'
import type { Step } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { containerOf, engineOf } from './layout.js'

/**
 * Lets the engine start a container again that it would leave down: one that runs so is left of a stop or a delete that was
 * killed. None where it is right already, nor with Podman, which cannot change it. Pure.
 */
export function staysUp(world: World, name: string): Step[] {
  const found = containerOf(world, name)
  if (found?.state !== 'running' || found.restart !== 'no') return []
  if (engineOf(world).info.kind === 'podman') return []
  return [
    {
      id: `${name}/stays`,
      machine: containerId(name),
      title: 'let the engine start it again',
      needs: [],
      effect: 'change',
      journal: false,
      actions: [{ kind: 'container', op: 'policy', name, restart: 'always' }],
    },
  ]
}
