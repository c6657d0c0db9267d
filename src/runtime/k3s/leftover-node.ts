import { AirliftError } from '../../core/errors.js'
import type { Step } from '../../plan/plan.js'
import type { MachineWorld, NodeStatus, World } from '../runtime.js'
import { nodeAddress, nodeName } from './config.js'
import { forgetScript } from './leave-scripts.js'
import { knownNode } from './node-steps.js'
import { isAt } from './nodes.js'

/**
 * The step that makes the cluster forget a node whose machine was installed anew. The cluster keeps the password of every
 * node that ever joined, and a machine that lost its own is refused for ever; deleting the Node deletes the password too,
 * and takes a master out of etcd. Undefined where there is nothing to forget. Pure.
 * @throws AirliftError E_JOIN (exit 5) where the name may be another machine's, or etcd would lose its majority
 */
export function forgetStep(
  world: World,
  machine: MachineWorld,
  entry: MachineWorld,
  needs: readonly string[],
): Step | undefined {
  const name = nodeName(machine)
  const known = knownNode(world, name)
  if (!known || !entry.installed.apiReady || !lostPassword(machine)) return undefined
  requireSameMachine(known, machine)
  if (known.voter !== undefined) requireMajorityWithout(name, world, machine)
  return {
    id: `${name}/forget`,
    machine: entry.id,
    title: `forget the old node ${name}: its machine was installed anew`,
    needs,
    effect: 'remove',
    actions: [{ kind: 'script', script: forgetScript(name), timeoutMs: 120_000 }],
  }
}

/** A machine without a password of its own, or whose password the cluster has refused already. */
function lostPassword({ facts, installed }: MachineWorld): boolean {
  const state = facts.managed.fragments['k3s-node-password']?.trim() ?? ''
  return !installed.initialized && state !== 'kept'
}

/** `run` removes nothing that may be alive: only a node with this machine's own address is certainly its former self. */
function requireSameMachine(known: NodeStatus, machine: MachineWorld): void {
  const address = nodeAddress(machine)
  if (isAt(known, address)) return
  throw new AirliftError(
    'E_JOIN',
    `the cluster already has a node "${known.name}" at ${known.address}, and ${machine.name} at ${address} has the same name`,
    {
      machine: machine.name,
      hint: `give this machine another host name, or, if the old one is gone, delete it on a master: k3s kubectl delete node ${known.name}`,
      exit: 5,
    },
  )
}

/**
 * etcd must agree to the removal of a member, which takes a majority of all members, the lost one counted.
 * @throws AirliftError E_JOIN (exit 5)
 */
export function requireMajorityWithout(name: string, world: World, machine: MachineWorld): void {
  const nodes = world.machines.find(({ installed }) => installed.nodes?.some((node) => node.name === name))
    ?.installed.nodes
  const members = (nodes ?? []).filter((node) => node.voter !== undefined)
  // The cluster calls a node Ready for 40 seconds after it has ended.
  const ended = (node: NodeStatus): boolean =>
    world.machines.some((other) => nodeName(other) === node.name && !other.installed.active)
  const healthy = members.filter((node) => node.voter && node.ready && node.name !== name && !ended(node))
  if (healthy.length > members.length / 2) return
  throw new AirliftError(
    'E_JOIN',
    `${machine.name} lost its data, and only ${healthy.length} of ${members.length} members of etcd are healthy without it: no majority to remove the old one`,
    {
      machine: machine.name,
      hint: 'bring back another master first, then run the same command again',
      exit: 5,
    },
  )
}
