import type { ClusterSpec } from '../../cluster/spec.js'
import type { World } from '../runtime.js'
import { checkMachines } from './check-machines.js'
import { checkContainers } from './containers/check-containers.js'
import type { Problem } from './problem.js'

/** Everything that would go wrong, on hosts or on the engine where the containers are to be. Pure. */
export function checkWorld(spec: ClusterSpec, world: World): Problem[] {
  const { engine, rootfs } = world
  if (engine) return checkContainers(spec, engine, rootfs?.manifest)
  return checkMachines(spec, world.machines, rootfs?.manifest)
}
