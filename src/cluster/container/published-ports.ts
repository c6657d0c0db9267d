import { recordOfLabels } from '../container-labels.js'
import type { PortSpec } from '../container-spec.js'
import type { ClusterSpec } from '../spec.js'

/** A container as far as its labels tell. */
interface Labelled {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

/** A port that is published, and the container that does it. */
export interface PublishedPort extends PortSpec {
  readonly at: string
}

/** All ports that the containers of a cluster publish beside the API, each with the nodes that it leads to now. Pure. */
export function publishedPorts(
  containers: readonly Labelled[],
  spec: Pick<ClusterSpec, 'masters' | 'nodes'>,
): PublishedPort[] {
  return containers.flatMap(({ name, labels }) =>
    (recordOfLabels(labels)?.ports ?? []).map((port) => ({
      ...port,
      nodes: port.via === 'proxy' ? portNodes(port, spec) : port.nodes,
      at: name,
    })),
  )
}

/** The nodes that a port leads to: all of its kind that there are, or those of its names that are still there. */
export function portNodes(port: PortSpec, spec: Pick<ClusterSpec, 'masters' | 'nodes'>): readonly string[] {
  const names = (nodes: ClusterSpec['nodes']): string[] => nodes.map((node) => node.target.host)
  const all = names([...spec.masters, ...spec.nodes])
  if (port.group === 'all') return all
  if (port.group === 'masters') return names(spec.masters)
  if (port.group === 'workers') return names(spec.nodes)
  return port.nodes.filter((name) => all.includes(name))
}

/**
 * Whether a port that is asked for is one that is there. A number of this computer that was left to airlift may be any; all of
 * one kind are the same however many there were.
 */
export function isSamePort(asked: PortSpec, there: PortSpec): boolean {
  const group = asked.group !== undefined && asked.group === there.group
  return (
    asked.containerPort === there.containerPort &&
    asked.protocol === there.protocol &&
    asked.address === there.address &&
    asked.via === there.via &&
    (asked.hostPort === 0 || asked.hostPort === there.hostPort) &&
    (group || asked.nodes.join() === there.nodes.join())
  )
}

/** Whether two lists hold the same ports, in any order. */
export function areSamePorts(asked: readonly PortSpec[], there: readonly PortSpec[]): boolean {
  const left = [...there]
  // Those with a number first: one without takes what is left.
  for (const port of [...asked].sort((a, b) => b.hostPort - a.hostPort)) {
    const place = left.findIndex((entry) => isSamePort(port, entry))
    if (place < 0) return false
    left.splice(place, 1)
  }
  return left.length === 0
}

/** A port as `--port` takes it, without its filter. */
export function portText({ address, hostPort, containerPort, protocol }: PortSpec): string {
  const host = address === '127.0.0.1' ? '' : `${address.includes(':') ? `[${address}]` : address}:`
  const pair = hostPort === 0 ? `${containerPort}` : `${hostPort}:${containerPort}`
  return `${host}${pair}${protocol === 'tcp' ? '' : `/${protocol}`}`
}
