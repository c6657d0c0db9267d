import type { Role } from '../cluster/spec.js'
import type { MachineSelection } from '../operations/select-machines.js'
import { UsageError } from './io.js'
import { readNodeWords } from './node-words.js'
import { clusterRef } from './operation-io.js'

/** What --name, --masters, --nodes and --on choose. `--masters` alone is a role; with a list it names machines. */
export async function machineSelection(flags: Readonly<Record<string, unknown>>): Promise<MachineSelection> {
  const { masters, nodes, on, ...rest } = flags
  const roles: Role[] = [
    ...(masters === true ? (['master'] as const) : []),
    ...(nodes === true ? (['worker'] as const) : []),
  ]
  if (roles.length > 0 && (typeof masters === 'string' || typeof nodes === 'string')) {
    throw new UsageError('--masters and --nodes: give a list to both, or to neither')
  }
  const named = {
    masters: await readNodeWords('--masters', masters),
    nodes: await readNodeWords('--nodes', nodes),
  }
  return { cluster: await clusterRef(rest), named, roles, on: await readNodeWords('--on', on) }
}
