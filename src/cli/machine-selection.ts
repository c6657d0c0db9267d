import type { Role } from '../cluster/spec.js'
import type { MachineSelection } from '../operations/select-machines.js'
import { UsageError } from './io.js'
import { clusterRef } from './operation-io.js'

/** What --name, --masters, --nodes and --on choose. `--masters` alone is a role; with hosts it names machines. */
export async function machineSelection(flags: Readonly<Record<string, unknown>>): Promise<MachineSelection> {
  const { masters, nodes, on, ...rest } = flags
  const roles: Role[] = [
    ...(masters === true ? (['master'] as const) : []),
    ...(nodes === true ? (['worker'] as const) : []),
  ]
  const hosts = {
    ...(typeof masters === 'string' ? { masters } : {}),
    ...(typeof nodes === 'string' ? { nodes } : {}),
  }
  if (roles.length > 0 && Object.keys(hosts).length > 0) {
    throw new UsageError('--masters and --nodes: give hosts to both, or to neither')
  }
  const names =
    typeof on === 'string'
      ? on
          .split(',')
          .map((word) => word.trim())
          .filter(Boolean)
      : []
  if (on !== undefined && names.length === 0) throw new UsageError('--on names no machine')
  return { cluster: await clusterRef({ ...rest, ...hosts }), roles, on: names }
}
