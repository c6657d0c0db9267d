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

/** What an engine still has of containers whose nodes have left. An empty list is the proof. Pure. */
export function removedNodeProblems(machines: readonly { readonly name: string }[], world: World): Problem[] {
  const { engine } = world
  if (!engine) return []
  return machines.flatMap(({ name }) => {
    const container = engine.containers.some((entry) => entry.name === name)
    // One that another container has mounted is not of this node alone, whatever its name.
    const used = new Set(
      [...engine.containers, ...engine.others].flatMap(({ mounts }) => mounts.map(({ source }) => source)),
    )
    const volumes = engine.volumes.filter(
      (entry) => (entry.name === name || entry.name.startsWith(`${name}-`)) && !used.has(entry.name),
    )
    return [
      ...(container ? [{ what: 'container', left: name, remedy: 'docker rm -f' }] : []),
      ...volumes.map((volume) => ({ what: 'volume', left: volume.name, remedy: 'docker volume rm' })),
    ].map(({ what, left, remedy }) =>
      problem('not-clean', engine.endpoint.url, `${what} ${left} is left`, {
        fix: `run the same command again; by hand: ${remedy} ${left}`,
      }),
    )
  })
}
