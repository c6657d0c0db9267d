import type { ClusterSpec } from '../../cluster/spec.js'
import type { RootfsManifest } from '../../rootfs/manifest.js'
import { checkBetween } from './check-between.js'
import { checkClock } from './check-clock.js'
import { checkDisk } from './check-disk.js'
import { checkKernelFeatures } from './check-kernel.js'
import { checkLeftovers } from './check-leftovers.js'
import { checkNetwork } from './check-network.js'
import { checkPorts } from './check-ports.js'
import { checkSystem } from './check-system.js'
import type { CheckInput, PreflightMachine } from './machine-under-test.js'
import type { Problem } from './problem.js'

const CHECKS: readonly ((input: CheckInput) => Problem[])[] = [
  checkSystem,
  checkKernelFeatures,
  checkDisk,
  checkNetwork,
  checkPorts,
  checkClock,
  checkLeftovers,
]

/**
 * Everything that would go wrong on these machines, all at once. Pure: it decides from facts. Without a rootfs the checks that
 * depend on the release, the architecture or the size of its files are left out.
 */
export function checkMachines(
  spec: ClusterSpec,
  machines: readonly PreflightMachine[],
  rootfs?: RootfsManifest,
): Problem[] {
  const single = machines.flatMap((machine) =>
    CHECKS.flatMap((check) => check({ spec, machine, machines, ...(rootfs ? { rootfs } : {}) })),
  )
  return [...single, ...checkBetween(spec, machines)]
}
