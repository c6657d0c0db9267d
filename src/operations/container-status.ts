import { LABELS } from '../cluster/container-labels.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { World } from '../runtime/runtime.js'
import type { StatusProblem } from './status.js'

/** What is wrong with the containers of a cluster, the load balancer among them. Pure. */
export function containerProblems(spec: ClusterSpec, world: World): StatusProblem[] {
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
    else if (container.state !== 'running')
      problems.push({
        ...about,
        code: 'service-down',
        message: `the container ${name} is ${container.state}${container.state === 'exited' ? ` (${container.exitCode})` : ''}`,
        hint: container.state === 'restarting' ? `see its log: docker logs ${name}` : start,
      })
    else if (node.role === 'master' && !installed.apiReady)
      problems.push({
        ...about,
        code: 'api-unready',
        message: `the API server of ${name} is not ready`,
        hint: `see its log: docker logs ${name}`,
      })
  }
  for (const { name, labels, state } of world.engine?.containers ?? [])
    if (labels[LABELS.role] === 'lb' && state !== 'running')
      problems.push({
        machine: `docker://${name}`,
        code: 'lb-down',
        message: `the load balancer ${name} is ${state}`,
        hint: start,
      })
  return problems
}
