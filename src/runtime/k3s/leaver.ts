import type { NodeSpec, Role } from '../../cluster/spec.js'
import type { MachineWorld, NodeStatus, World } from '../runtime.js'
import { nodeName } from './config.js'

/** A node that is to leave the cluster, with what is known of it. */
export interface Leaver {
  /** Name of the node; empty when neither its machine nor the cluster tells it. */
  readonly name: string
  readonly role: Role
  /** Id of its machine, also when that cannot be reached. */
  readonly id: string
  /** As the user named the machine. */
  readonly shown: string
  /** Absent when the machine cannot be reached. */
  readonly machine?: MachineWorld
  /** The node as the cluster knows it; absent when its Node is gone already. */
  readonly known?: NodeStatus
}

/** Finds the machines and Nodes of those that leave. `nodes` is what the cluster says. Pure. */
export function leaversOf(
  world: World,
  leaving: readonly NodeSpec[],
  nodes: readonly NodeStatus[],
): Leaver[] {
  return leaving.map((node) => {
    const machine = world.machines.find((entry) => entry.node === node)
    const lost = world.unreachable.find((entry) => entry.node === node)
    const name = machine ? nodeName(machine) : unreachableName(world, node, nodes)
    const known = nodes.find((entry) => entry.name === name)
    return {
      name,
      role: node.role,
      id: machine?.id ?? lost?.id ?? node.target.text,
      shown: node.target.text,
      ...(machine ? { machine } : {}),
      ...(known ? { known } : {}),
    }
  })
}

/**
 * The name of a node whose machine cannot be asked: the node at its address or of its name, else the only one that no other
 * machine accounts for. Empty where that is not certain.
 */
export function unreachableName(world: World, node: NodeSpec, nodes: readonly NodeStatus[]): string {
  const host = node.target.host.toLowerCase()
  const direct = nodes.find((entry) => entry.address === host || entry.name === host)
  if (direct) return direct.name
  const seen = new Set(world.machines.map(nodeName))
  const open = nodes.filter((entry) => entry.role === node.role && !seen.has(entry.name))
  const lost = world.unreachable.filter((entry) => entry.node.role === node.role)
  const [only, ...others] = open
  return only && others.length === 0 && lost.length === 1 ? only.name : ''
}
