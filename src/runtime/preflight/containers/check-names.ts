import { LABELS } from '../../../cluster/container-labels.js'
import { containerName } from '../../../cluster/container-spec.js'
import { type Problem, problem } from '../problem.js'
import type { EngineCheck } from './engine-check.js'

/** Names that others have, and networks and paths that are to be there and are not. */
export function checkNames({ spec, engine, name }: EngineCheck): Problem[] {
  const found: Problem[] = []
  const wanted = [...spec.masters, ...spec.nodes].map((node) => node.target.host)
  if (spec.masters.length > 1 && spec.containers?.loadBalancer !== false)
    wanted.push(containerName(spec.name, 'lb'))
  for (const other of engine.others) {
    if (!wanted.includes(other.name)) continue
    const whose = other.labels[LABELS.cluster]
    found.push(
      problem(
        'name-taken',
        name,
        `a container "${other.name}" is there that ${whose ? `belongs to the cluster "${whose}"` : 'airlift did not make'}`,
        { fix: `choose another --name, or remove it: docker rm ${other.name}` },
      ),
    )
  }
  const network = `airlift-${spec.name}`
  const own = engine.networks.find((entry) => entry.name === network)
  if (spec.containers?.network === undefined && own && own.labels[LABELS.cluster] !== spec.name)
    found.push(
      problem('name-taken', name, `a network "${network}" is there that airlift did not make`, {
        fix: `choose another --name, or use it as it is: --network ${network}`,
      }),
    )
  for (const path of engine.computer?.missingPaths ?? [])
    found.push(problem('mount-missing', name, `${path} is to be mounted and is not there`))
  return found
}
