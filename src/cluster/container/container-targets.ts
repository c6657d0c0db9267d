import { containerName } from '../container-spec.js'
import type { MachineTarget, Role } from '../spec.js'

/** The containers that a number of nodes asks for, named from index `first` on. */
export function containerTargets(cluster: string, role: Role, count: number, first = 0): MachineTarget[] {
  return Array.from({ length: count }, (_, step) => {
    const name = containerName(cluster, role, first + step)
    return { kind: 'container', text: name, host: name }
  })
}
