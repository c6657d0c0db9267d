import type { MachineWorld } from '../runtime.js'

/**
 * Whether the service of a machine can be started: a run, an add or a delete that was cut off leaves one without the token.
 * A node that runs and was ready needs no start; a master that is leaving etcd lacks its token and lives on until it is out.
 */
export function isStartable({ installed }: MachineWorld): boolean {
  return installed.lacks === undefined || (installed.active && installed.initialized)
}

/** Whether k3s has never run on a machine, since it was installed only in part: then etcd does not count it. */
export function neverStarted(machine: MachineWorld): boolean {
  const { installed, facts } = machine
  const hasData = (facts.managed.fragments['k3s-datastore'] ?? '').trim() !== ''
  return !isStartable(machine) && !installed.initialized && !hasData
}
