import type { Action } from '../../plan/plan.js'
import { forgetToken } from '../k3s/host-side.js'
import type { MachineSide, ReachedLeaver } from '../k3s/plan-leave.js'
import type { World } from '../runtime.js'
import { containerOf } from './layout.js'
import { ownVolumes } from './own-volumes.js'

/** How long k3s may take to end before it is killed: its node has been drained. */
const GRACE_SECONDS = 10

/** What is done with a container whose node leaves: it is kept from coming back, then removed with its volumes. */
export function containerSide(world: World): MachineSide {
  const nameOf = ({ machine }: ReachedLeaver): string => machine.name
  return {
    quiet: (leaver, member): Action[] => {
      const name = nameOf(leaver)
      if (containerOf(world, name)?.state !== 'running') return []
      if (member) return [{ kind: 'script', script: forgetToken }]
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
