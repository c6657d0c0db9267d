import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { MachineWorld, World } from '../runtime.js'

/** The machine of a node. @throws AirliftError the reason why it could not be looked at */
export function machineOf(world: World, node: NodeSpec): MachineWorld {
  const found = world.machines.find((machine) => machine.node === node)
  if (found) return found
  const reason = world.unreachable.find((entry) => entry.node === node)?.error
  throw reason ?? new AirliftError('E_INTERNAL', `${node.target.text} was not looked at`)
}

/** The masters that were looked at. Where all machines are needed, the caller has made sure that none is missing. */
export function mastersOf(spec: ClusterSpec, world: World): MachineWorld[] {
  return spec.masters.flatMap((node) => world.machines.find((machine) => machine.node === node) ?? [])
}

/**
 * The master that founded the cluster or will found it; undefined when the founder is gone and others carry the cluster on.
 * It is told by what lies on the machines, not by the order of the command line: a second cluster must never begin beside
 * the first because somebody named the masters in another order.
 */
export function founderOf(spec: ClusterSpec, world: World): MachineWorld | undefined {
  const masters = mastersOf(spec, world)
  const founder = masters.find(isFounder)
  if (founder) return founder
  return masters.some(({ installed }) => installed.apiReady || installed.initialized)
    ? undefined
    : requireMaster(masters[0])
}

/** The master through which others join: one whose API answers, else the founder, else one that was ready once. */
export function entryOf(spec: ClusterSpec, world: World): MachineWorld {
  const masters = mastersOf(spec, world)
  const answering = masters.find(({ installed }) => installed.apiReady)
  return requireMaster(
    answering ?? founderOf(spec, world) ?? masters.find(({ installed }) => installed.initialized),
  )
}

/** Only the founder holds the bare password: those that join have the full token. */
function isFounder(machine: MachineWorld): boolean {
  const token = machine.facts.managed.fragments['k3s-token']?.trim() ?? ''
  return machine.installed.cluster !== undefined && token !== '' && !token.startsWith('K10')
}

function requireMaster(machine: MachineWorld | undefined): MachineWorld {
  if (machine) return machine
  throw new AirliftError('E_USAGE', 'a cluster needs a master', { hint: 'name one: --masters root@10.0.0.1' })
}
