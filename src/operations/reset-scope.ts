import type { ClusterRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import { names } from './recorded-nodes.js'

/**
 * Masters that were named lead to the whole cluster. Workers alone do not, and neither does a master that the others know no
 * more: it was deleted while it was away, and those may be masters of a cluster that carries on.
 *
 * @param wanted - as the command named it, before records told of more
 * @throws AirliftError E_REMOVE_REFUSED
 */
export async function checkResetScope(wanted: ClusterSpec, world: World): Promise<void> {
  const listed = new Set([...wanted.masters, ...wanted.nodes])
  // An installation that was cut short has noted its role, and has no service yet.
  const isMaster = ({ installed, facts }: MachineWorld): boolean =>
    installed.cluster === wanted.name && (installed.role ?? facts.managed.record?.role) === 'master'
  const named = world.machines.filter(({ node }) => listed.has(node))
  const others = world.machines.filter((machine) => !listed.has(machine.node) && isMaster(machine))
  for (const other of others) {
    const { masters } = other.facts.managed.record ?? {}
    const known = await Promise.all(named.filter(isMaster).map((machine) => names(masters, machine, wanted)))
    if (known.includes(true)) continue
    const hosts = named.map(({ name }) => name).join(',')
    throw new AirliftError(
      'E_REMOVE_REFUSED',
      `the cluster "${wanted.name}" runs on ${other.name}, which the command does not name`,
      {
        machine: other.name,
        hint: `to take ${hosts} out of it and clean them: airlift delete --name ${wanted.name} --through ${other.name} with --masters or --nodes ${hosts}\nto remove the whole cluster: airlift reset --name ${wanted.name} --masters ${other.name}`,
      },
    )
  }
}

/**
 * The machines of a reset: not those that only a record names, and that have become somebody else's since. Pure.
 */
export function withoutMoved(wanted: ClusterSpec, world: World): World {
  const listed = new Set([...wanted.masters, ...wanted.nodes])
  const moved = ({ node, installed }: MachineWorld): boolean =>
    !listed.has(node) &&
    (installed.foreign !== undefined ||
      (installed.cluster !== undefined && installed.cluster !== wanted.name))
  return { ...world, machines: world.machines.filter((machine) => !moved(machine)) }
}

/**
 * Whether hosts on which nothing of a cluster was found are all that this computer remembers of it. Else another host was named,
 * perhaps by mistake, and the cluster is still where it was. Pure.
 */
export function isWholeRecord(
  { masters, nodes }: Pick<ClusterSpec, 'masters' | 'nodes'>,
  record: Pick<ClusterRecord, 'masters' | 'nodes'> | undefined,
): boolean {
  const looked = new Set([...masters, ...nodes].map(({ target }) => target.text))
  return [...(record?.masters ?? []), ...(record?.nodes ?? [])].every((host) => looked.has(host))
}
