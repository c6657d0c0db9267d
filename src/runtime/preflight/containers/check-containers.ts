import type { ClusterSpec } from '../../../cluster/spec.js'
import type { RootfsManifest } from '../../../rootfs/manifest.js'
import type { EngineWorld } from '../../runtime.js'
import type { Problem } from '../problem.js'
import { checkCapacity } from './check-capacity.js'
import { checkEngine } from './check-engine.js'
import { checkNames } from './check-names.js'
import { checkPublished } from './check-published.js'
import { checkSubnet } from './check-subnet.js'
import type { EngineCheck } from './engine-check.js'

const CHECKS: readonly ((input: EngineCheck) => Problem[])[] = [
  checkEngine,
  checkNames,
  checkSubnet,
  checkPublished,
  checkCapacity,
]

/** Everything that would keep containers from becoming nodes, all at once. Pure: it decides from what was looked at. */
export function checkContainers(spec: ClusterSpec, engine: EngineWorld, rootfs?: RootfsManifest): Problem[] {
  const input = { spec, engine, name: engineName(engine), ...(rootfs ? { rootfs } : {}) }
  return CHECKS.flatMap((check) => check(input))
}

/** The engine's address, which also says which one of several it is. */
function engineName({ endpoint }: EngineWorld): string {
  return endpoint.url
}
