import { LABELS, recordOfLabels } from '../cluster/container-labels.js'
import { containerName } from '../cluster/container-spec.js'
import { MAKE_AGAIN } from '../cluster/no-master.js'
import { flagOf } from '../cluster/role-flag.js'
import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'
import type { AirliftError } from '../core/errors.js'
import { containerId } from '../machine/container-id.js'
import type { EngineContainer } from '../machine/docker/engine.js'
import { missedNetwork } from '../runtime/missed-network.js'
import type { NodeStatus, World } from '../runtime/runtime.js'
import { aboutUnfinished, isUnfinished } from '../runtime/unfinished.js'
import type { StatusProblem } from './cluster-status.js'
import { seeLog } from './last-words.js'

/**
 * What is wrong with the containers of a cluster, the load balancer among them. Pure.
 *
 * @param known - the nodes that the cluster itself tells of; one whose container is gone is called Ready for another while
 */
export function containerProblems(
  spec: ClusterSpec,
  world: World,
  known: readonly NodeStatus[] = [],
): StatusProblem[] {
  const problems: StatusProblem[] = []
  const start = `start it: airlift start --name ${spec.name}`
  for (const { id, name, node, installed } of world.machines) {
    const container = world.engine?.containers.find((entry) => entry.name === name)
    const about = { machine: id }
    if (!container)
      problems.push({
        ...about,
        code: 'not-installed',
        message: `there is no container ${name}`,
        hint: 'run the same airlift run command again',
      })
    else if (isUnfinished(world, name))
      problems.push({ ...about, code: 'not-installed', ...aboutUnfinished(spec, node) })
    else if (container.state !== 'running')
      problems.push({
        ...about,
        code: 'service-down',
        message: `the container ${name} is ${container.state}${container.state === 'exited' ? ` (${container.exitCode})` : ''}`,
        hint: container.state === 'restarting' ? `see its log: docker logs ${name}` : start,
      })
    else if (missedNetwork(container)) problems.push(offNetwork(container))
    else if (node.role === 'master' && !installed.apiReady)
      problems.push({
        ...about,
        code: 'api-unready',
        message: `the API server of ${name} is not ready`,
        hint: `see its log: docker logs ${name}`,
      })
  }
  for (const { name, role } of known) {
    if (world.engine?.containers.some((container) => container.name === name)) continue
    if (name.startsWith(`airlift-${spec.name}-`))
      problems.push({
        machine: containerId(name),
        code: 'not-installed',
        message: `the container ${name} is gone, and the cluster still has its node`,
        hint: `${MAKE_AGAIN}; or take the node out: airlift delete --name ${spec.name} --${role === 'master' ? 'masters' : 'nodes'} ${name}`,
      })
  }
  const containers = world.engine?.containers ?? []
  const balancer = containerName(spec.name, 'lb')
  const { remembered } = world.engine ?? {}
  const isThere = containers.some(({ name }) => name === balancer)
  const fronts = containers.some(({ labels }) => recordOfLabels(labels)?.loadBalancer)
  if (remembered?.record || (fronts && !isThere))
    problems.push({
      machine: containerId(balancer),
      code: 'lb-down',
      message: `the load balancer ${balancer} is ${isThere ? 'not as it must be' : 'gone'}, and with it the ${fronts || remembered?.record?.api ? 'address of the API' : 'ports that it published'}`,
      hint: remembered?.record
        ? `make it again, with its ports: airlift start --name ${spec.name}`
        : 'make it again: the same airlift run command',
    })
  for (const container of containers) {
    const { name, labels, state } = container
    if (labels[LABELS.role] !== 'lb') continue
    if (missedNetwork(container)) problems.push(offNetwork(container))
    if (state !== 'running')
      problems.push({
        machine: containerId(name),
        code: 'lb-down',
        message: `the load balancer ${name} is ${isUnfinished(world, name) ? 'unfinished' : state}`,
        hint: start,
      })
  }
  return problems
}

/** What is told of a container that cannot be looked into, such as one whose k3s ends again and again. */
export function unusableContainer(
  { name }: ClusterSpec,
  { role, target: { host } }: NodeSpec,
  error: AirliftError,
): Partial<StatusProblem> & Pick<StatusProblem, 'hint'> {
  const flag = flagOf(role)
  const leave = `take it out: airlift delete --name ${name} ${flag} ${host}`
  // What the engine itself answers is not about k3s.
  if (error.code.startsWith('E_ENGINE')) return { hint: error.hint ?? seeLog(host) }
  return { code: 'service-down', hint: `${error.hint ?? seeLog(host)}; or ${leave}` }
}

/** Of a container that was taken off the network of its cluster, whatever else that makes of it. */
function offNetwork(container: EngineContainer): StatusProblem {
  return {
    machine: containerId(container.name),
    code: 'off-network',
    message: `the container ${container.name} is not in the network ${missedNetwork(container)} any more`,
    hint: 'put it back: the same airlift run command',
  }
}
