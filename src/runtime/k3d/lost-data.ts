import { nodeOfLabels, recordOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import { wasStarted } from '../../machine/docker/was-started.js'
import type { Step } from '../../plan/plan.js'
import { machineOf } from '../k3s/first-master.js'
import { forgetScript } from '../k3s/leave-scripts.js'
import { requireMajorityWithout } from '../k3s/leftover-node.js'
import { isLeaderless, minorityOf } from '../k3s/lost-majority.js'
import { isAsked, knownNode } from '../k3s/node-steps.js'
import type { World } from '../runtime.js'
import { objectNames } from './contract.js'
import { containerOf, engineOf } from './layout.js'

/**
 * The step that makes the cluster forget a node of which somebody removed the container and its data too. The cluster keeps the
 * password of every node that ever joined and refuses another one for ever, and etcd takes no second member of a name. Only
 * after it is the container made: a run that is killed in between finds a node that nobody knows. Undefined where there is
 * nothing to forget. Pure.
 * @throws AirliftError E_JOIN (exit 5) where etcd would lose its majority
 */
export function forgetLost(
  world: World,
  node: NodeSpec,
  entry: NodeSpec,
  needs: readonly string[],
): Step | undefined {
  const name = node.target.host
  const machine = machineOf(world, node)
  const through = machineOf(world, entry)
  // Nobody tells yet what is known; to forget what is not does no harm. Of masters etcd would have to be asked.
  if (!isAsked(world) && node.role === 'worker' && isLost(world, node) && hasData(world, entry.target.host))
    return {
      id: `${name}/forget`,
      machine: through.id,
      title: `forget what the cluster may know of ${name}: it has no data`,
      needs,
      effect: 'remove',
      actions: [{ kind: 'script', script: forgetScript(name), timeoutMs: 120_000 }],
    }
  const known = knownNode(world, name)
  const refused = machine.facts.managed.fragments['k3s-node-password']?.trim() === 'refused'
  if (!known || !through.installed.apiReady || !(isLost(world, node) || refused)) return undefined
  if (known.voter !== undefined) requireMajorityWithout(name, world, machine)
  return {
    id: `${name}/forget`,
    machine: through.id,
    title: `forget the old node ${name}: its data is gone`,
    needs,
    effect: 'remove',
    actions: [{ kind: 'script', script: forgetScript(name), timeoutMs: 120_000 }],
  }
}

/**
 * Refuses to go on where what the cluster was is gone: a new one would not be known to the workers that are left, nor could
 * masters join what has lost its majority. Pure.
 * @throws AirliftError E_REFUSED (exit 5)
 */
export function requireData(spec: ClusterSpec, world: World): void {
  const { name, masters } = spec
  const lost = masters.filter((node) => isLost(world, node))
  const anew = `make the cluster anew: airlift reset --name ${name}, then the same command`
  if (masters.length > 0 && lost.length === masters.length) {
    const left = engineOf(world).containers.filter(
      (container) => nodeOfLabels(container.labels)?.role === 'worker' && wasStarted(container),
    )
    if (left.length === 0) return
    const workers = left.map((container) => container.name).join(', ')
    throw new AirliftError(
      'E_REFUSED',
      `the data of "${name}" is gone: of ${masters.map(({ target }) => target.host).join(', ')} there is neither container nor volume`,
      { hint: `${anew}; ${workers} cannot join another cluster` },
    )
  }
  if (lost.length > 0 && masters.every(({ target }) => containerOf(world, target.host) === undefined)) {
    const names = lost.map(({ target }) => target.host).join(', ')
    throw new AirliftError(
      'E_REFUSED',
      `of "${name}" volumes of masters are left, and no container; of ${names} the data is gone too`,
      {
        hint: `a reset that was cut off is finished by airlift reset --name ${name}; it removes what is left`,
      },
    )
  }
  if (!knownMinority(world, lost) && !lostMajority(spec, world)?.having.some(isLeaderless)) return
  throw new AirliftError(
    'E_REFUSED',
    `etcd of "${name}" has lost its majority: of ${lost.map(({ target }) => target.host).join(', ')} there is neither container nor volume`,
    { hint: anew },
  )
}

/** Whether these masters are half of the members of etcd, as an API tells that has not noticed yet, or more. */
function knownMinority(world: World, lost: readonly NodeSpec[]): boolean {
  const told = world.machines.find(({ installed }) => installed.nodes)?.installed.nodes ?? []
  const members = told.filter(({ voter }) => voter !== undefined)
  const gone = members.filter((member) => lost.some(({ target }) => target.host === member.name))
  return gone.length > 0 && gone.length >= members.length / 2
}

/**
 * What is not known yet: k3s ends where it has lost its majority, and the engine starts it again, so that etcd says nothing for
 * a moment. Words for who is waited for. Pure.
 */
export function unknownData(spec: ClusterSpec, world: World): string | undefined {
  const minority = lostMajority(spec, world)
  if (!minority || minority.having.some(isLeaderless)) return undefined
  const starting = minority.having.find(({ name, installed }) => {
    const state = containerOf(world, name)?.state
    return installed.initialized && (state === 'running' || state === 'restarting')
  })
  return starting && `etcd of ${starting.name} to say whether it has a majority`
}

/** Masters of which so many are lost that the others have no majority. One that joins a single master is not lost, but new. */
function lostMajority(spec: ClusterSpec, world: World): ReturnType<typeof minorityOf> {
  const lost = spec.masters.filter((node) => isLost(world, node))
  if (lost.length === 0 || lost.length < spec.masters.length / 2) return undefined
  const several = engineOf(world).containers.some(({ labels }) => recordOfLabels(labels)?.loadBalancer)
  return several ? minorityOf(spec, world) : undefined
}

/** Whether there is nothing of a node: neither its container nor the volume with its data. */
function isLost(world: World, node: NodeSpec): boolean {
  const name = node.target.host
  return containerOf(world, name) === undefined && !hasData(world, name)
}

/** Whether the data of a node is there, whose container somebody may have removed. */
export function hasData(world: World, name: string): boolean {
  return engineOf(world).volumes.some((volume) => volume.name === objectNames.data(name))
}
