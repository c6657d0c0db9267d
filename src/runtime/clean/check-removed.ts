import { LABELS } from '../../cluster/container-labels.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { type Problem, problem } from '../preflight/problem.js'
import type { World } from '../runtime.js'

/** What an engine still has of a cluster after its removal. An empty list is the proof. Pure. */
export function removedProblems(spec: ClusterSpec, world: World): Problem[] {
  const { engine } = world
  if (!engine) return []
  const left = (what: string, name: string, remedy: string): Problem =>
    problem('not-clean', engine.endpoint.url, `${what} ${name} is left`, {
      fix: `run airlift reset again; by hand: ${remedy} ${name}`,
    })
  return [
    ...[...engine.containers, ...(engine.temporary ?? [])].map(({ name }) =>
      left('container', name, 'docker rm -f'),
    ),
    ...engine.networks
      .filter((network) => network.labels[LABELS.cluster] === spec.name)
      .map(({ name }) => left('network', name, 'docker network rm')),
    ...engine.volumes.map(({ name }) => left('volume', name, 'docker volume rm')),
  ]
}
