import { nodeOfLabels } from '../container-labels.js'
import { containerName } from '../container-spec.js'
import type { ClusterSpec, NodeSpec, Role } from '../spec.js'
import { keptPlaces } from './container-targets.js'

/** A container as it is found: its name and labels. */
export interface FoundContainer {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/**
 * The same spec, its nodes named as those that exist: where workers 0 and 2 are there, "two workers" means these. New nodes
 * get the lowest places that are free. Where there are more than are asked for nothing is changed. Pure.
 */
export function alignSpec(spec: ClusterSpec, containers: readonly FoundContainer[]): ClusterSpec {
  const names = new Map<string, string>()
  const align = (role: Role, nodes: readonly NodeSpec[]): NodeSpec[] => {
    const there = containers.flatMap((container) => {
      const node = nodeOfLabels(container.labels)
      return node?.role === role ? [node.index] : []
    })
    if (there.length > nodes.length) return [...nodes]
    const indexes = keptPlaces(there)(nodes.length)
    return nodes.map((node, i) => {
      const name = containerName(spec.name, role, indexes[i] ?? i)
      names.set(node.target.host, name)
      return name === node.target.host
        ? node
        : { ...node, target: { ...node.target, text: name, host: name } }
    })
  }
  const masters = align('master', spec.masters)
  const nodes = align('worker', spec.nodes)
  if ([...names].every(([from, to]) => from === to)) return spec
  const { containers: options } = spec
  const ports = options?.ports.map((port) => ({
    ...port,
    nodes: port.nodes.map((name) => names.get(name) ?? name),
  }))
  return {
    ...spec,
    masters,
    nodes,
    ...(options ? { containers: { ...options, ports: ports ?? [] } } : {}),
  }
}
