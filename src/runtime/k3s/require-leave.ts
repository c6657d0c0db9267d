import { noMaster } from '../../cluster/no-master.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { MachineWorld, NodeStatus, World } from '../runtime.js'
import { nodeName } from './config.js'
import type { Leaver } from './leaver.js'

/** A master that stays, whose API answers, with what it says of all nodes. */
export type Answering = MachineWorld & {
  readonly installed: MachineWorld['installed'] & { readonly nodes: readonly NodeStatus[] }
}

/**
 * The master on which the cluster's side of a removal is done: one that stays, and whose API answers. Pure.
 * @throws AirliftError E_REFUSED when none stays, or none of those that stay answers
 */
export function throughOf(spec: ClusterSpec, world: World, leaving: readonly NodeSpec[]): Answering {
  const gone = new Set(leaving.map((node) => node.target))
  // Containers are found by what the engine has: somebody removed the masters.
  if (spec.masters.length === 0) throw noMaster(spec)
  const staying = spec.masters.filter((node) => !gone.has(node.target))
  if (staying.length === 0) {
    const names = spec.masters.map((node) => node.target.text).join(', ')
    throw new AirliftError(
      'E_REFUSED',
      spec.masters.length === 1
        ? `${names} is the last master of the cluster "${spec.name}"`
        : `${names} are all masters of the cluster "${spec.name}"`,
      {
        hint: `add another master first (airlift add --masters …), or remove the whole cluster: airlift reset --name ${spec.name}`,
      },
    )
  }
  const answering = staying
    .map((node) => world.machines.find((machine) => machine.node === node))
    .filter((machine): machine is Answering => isAnswering(machine))
  const through =
    answering.find((machine) =>
      machine.installed.nodes.some((node) => node.name === nodeName(machine) && node.ready),
    ) ?? answering[0]
  if (through) return through
  const names = staying.map((node) => node.target.text).join(', ')
  throw new AirliftError(
    'E_REFUSED',
    `no master that would stay answers (${names}): nothing can be removed`,
    {
      hint: `bring one back first; see airlift status --name ${spec.name}`,
    },
  )
}

function isAnswering(machine: MachineWorld | undefined): boolean {
  return machine?.installed.apiReady === true && machine.installed.nodes !== undefined
}

/** The members of embedded etcd, as the cluster tells; empty when it keeps its data elsewhere. */
export function etcdMembers(nodes: readonly NodeStatus[]): NodeStatus[] {
  return nodes.filter((node) => node.voter !== undefined)
}

/**
 * Refuses to take masters out of etcd when that could cost it the majority: each of those that stay must be a healthy member,
 * and every removal must be agreed to by a majority of the members that there are at that moment. Pure.
 * @throws AirliftError E_REFUSED
 */
export function requireQuorum(leavers: readonly Leaver[], nodes: readonly NodeStatus[]): void {
  const leaving = new Set(leavers.map((leaver) => leaver.name))
  const members = etcdMembers(nodes)
  const masters = nodes.filter((node) => node.role === 'master')
  if (members.length === 0 || leavers.length === 0) return
  const names = leavers.map((leaver) => leaver.name || leaver.shown).join(', ')
  const ill = masters.find((node) => !leaving.has(node.name) && !(node.ready && node.voter === true))
  if (ill) {
    const why = ill.ready ? 'no voting member of etcd yet' : ill.message || 'not ready'
    throw new AirliftError(
      'E_REFUSED',
      `the master ${ill.name} is not healthy (${why}): while it is not, taking ${names} away can end the cluster's quorum`,
      { hint: `repair ${ill.name} first, or delete ${ill.name} instead; see airlift status` },
    )
  }
  let left = members
  for (const leaver of leavers.filter(({ name }) => members.some((member) => member.name === name))) {
    const healthy = left.filter((node) => node.ready && node.voter === true).length
    if (healthy <= left.length / 2) {
      throw new AirliftError(
        'E_REFUSED',
        `only ${healthy} of ${left.length} members of etcd are healthy: there is no quorum to take ${leaver.name} out`,
        { hint: 'bring a master back first; see airlift status' },
      )
    }
    left = left.filter((node) => node.name !== leaver.name)
  }
}
