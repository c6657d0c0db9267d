import type { Action } from '../../plan/plan.js'
import { forgetToken } from '../k3s/host-side.js'
import type { MachineSide, ReachedLeaver } from '../k3s/plan-leave.js'
import type { World } from '../runtime.js'
import { containerOf, engineOf } from './layout.js'
import { ownVolumes } from './own-volumes.js'

/** How long k3s may take to end before it is killed: its node has been drained. */
const GRACE_SECONDS = 10

/**
 * What is done with a container whose node leaves: it is kept from coming back, then removed with its volumes. A member of etcd
 * goes on until it is out, and ends itself then; the engine does not start it again.
 */
export function containerSide(world: World): MachineSide {
  const nameOf = ({ machine }: ReachedLeaver): string => machine.name
  return {
    quiet: (leaver, member): Action[] => {
      const name = nameOf(leaver)
      const state = containerOf(world, name)?.state
      if (state !== 'running' && state !== 'restarting') return []
      // Podman cannot change a policy.
      if (member && engineOf(world).info.kind === 'podman')
        return state === 'running' ? [{ kind: 'script', script: forgetToken }] : []
      // By the engine alone: nothing can be run in a container that ends again and again.
      if (member) return [{ kind: 'container', op: 'policy', name, restart: 'no' }]
      return [{ kind: 'container', op: 'stop', name, timeoutSeconds: GRACE_SECONDS, restart: 'no' }]
    },
    remove: (leaver) => {
      const name = nameOf(leaver)
      const volumes = ownVolumes(world, name)
      if (!containerOf(world, name) && volumes.length === 0) return undefined
      return [
        { kind: 'container', op: 'remove', name },
        ...volumes.map((volume): Action => ({ kind: 'volume', op: 'remove', name: volume })),
      ]
    },
    removeTitle: (leaver) => `remove the container ${nameOf(leaver)} and its volumes`,
  }
}
