import { flagOf } from '../cluster/role-flag.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { aboutLeft, hasLeft } from '../runtime/has-left.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import { aboutUnfinished, isUnfinished } from '../runtime/unfinished.js'
import type { StatusProblem } from './cluster-status.js'

/**
 * Why a machine has no node that could be started, and what to do about it; undefined where it has one. What was cut off may have
 * been the making of the node or its removal: both can be finished. Pure.
 */
export function notInstalled(
  spec: ClusterSpec,
  world: World,
  { name, node, installed }: MachineWorld,
): Pick<StatusProblem, 'code' | 'message' | 'hint'> | undefined {
  const { role, lacks = [], active, initialized } = installed
  if (role !== undefined && lacks.length === 0) return undefined
  const again = 'run the same airlift run command again'
  // With another master the node can leave; without one there is nothing that it could be taken out of.
  const others = (world.engine ? [] : world.machines).filter(
    (other) => other.node !== node && other.node.role === 'master',
  )
  const through =
    others.find((other) => other.installed.apiReady) ??
    others.find(({ installed: own }) => own.initialized && own.role && own.lacks === undefined)
  const flag = flagOf(node.role)
  const hint = through
    ? `${again}, or the airlift add that named it; or take it out: airlift delete --name ${spec.name} --through ${through.node.target.text} ${flag} ${node.target.text}`
    : again
  if (role === undefined) return { code: 'not-installed', message: `k3s is not installed on ${name}`, hint }
  const missing = `${lacks.join(', ')} is missing`
  if (!initialized)
    return { code: 'not-installed', message: `k3s is only half installed on ${name}: ${missing}`, hint }
  return active
    ? { code: 'incomplete', message: `the service of ${name} would not start again: ${missing}`, hint }
    : { code: 'service-down', message: `the service of ${name} cannot be started: ${missing}`, hint }
}

/** Whether there are masters, and a `start` could start none of them. Pure. */
export function hasNoMaster(spec: ClusterSpec, world: World): boolean {
  const masters = world.machines.filter(({ node }) => node.role === 'master')
  return masters.length > 0 && masters.every((machine) => whyLeftAlone(spec, world, machine))
}

/** Why a `start` leaves a machine alone, and what to do about it; undefined where it starts it. Pure. */
export function whyLeftAlone(
  spec: ClusterSpec,
  world: World,
  machine: MachineWorld,
): Pick<StatusProblem, 'code' | 'message' | 'hint'> | undefined {
  if (isUnfinished(world, machine.name))
    return { code: 'not-installed', ...aboutUnfinished(spec, machine.node) }
  if (hasLeft(world, machine.name)) return { code: 'delete-unfinished', ...aboutLeft(spec, machine.name) }
  const why = notInstalled(spec, world, machine)
  return why?.code === 'incomplete' ? undefined : why
}
