import { AirliftError } from '../../core/errors.js'
import { recordOfLabels } from '../container-labels.js'
import { containerName, type PortSpec } from '../container-spec.js'
import { filterIndex } from '../filters.js'
import { throwProblems } from '../problems.js'
import type { ClusterSpec } from '../spec.js'
import type { ContainerView } from './filter.js'
import { atFlag, isOptionProblem } from './option-problem.js'
import { parsePort } from './parse-port.js'
import { buildPorts } from './ports.js'
import { isSamePort, type PublishedPort, portText, publishedPorts } from './published-ports.js'

/** What `ports add` and `ports remove` are asked for. */
export interface PortsChange {
  readonly op: 'add' | 'remove'
  /** As typed, `8080:80@workers:*`. */
  readonly texts: readonly string[]
}

/** What a change comes to. */
export interface ChangedPorts {
  /** What the load balancer is to publish afterwards; 0 where airlift is to choose the number. */
  readonly balanced: readonly PortSpec[]
  readonly added: readonly PortSpec[]
  readonly removed: readonly PortSpec[]
}

type Containers = Parameters<typeof publishedPorts>[0]

/**
 * Works out a change of the ports of a cluster that exists, from its labels. Pure. Adding what is there changes nothing.
 * @throws AirliftError E_SPEC_INVALID (exit 2) for what cannot be understood, what is taken, or what is not there to be removed;
 * E_UNSUPPORTED (exit 2) for ports that only a new node container could publish, or leave out
 */
export function changePorts(spec: ClusterSpec, containers: Containers, change: PortsChange): ChangedPorts {
  const published = publishedPorts(containers, spec)
  const lb = containerName(spec.name, 'lb')
  const before = published.filter((port) => port.at === lb)
  const elsewhere = published.filter((port) => port.at !== lb)
  const strip = ({ at: _, ...port }: PublishedPort): PortSpec => port
  if (change.op === 'remove') {
    const removed = portsToRemove(change.texts, spec, published, lb)
    return {
      balanced: before.filter((port) => !removed.includes(port)).map(strip),
      added: [],
      removed: removed.map(strip),
    }
  }
  const added = portsToAdd(change.texts, spec, containers, before, elsewhere)
  return { balanced: [...before.map(strip), ...added], added, removed: [] }
}

function portsToAdd(
  texts: readonly string[],
  spec: ClusterSpec,
  containers: Containers,
  before: readonly PublishedPort[],
  elsewhere: readonly PublishedPort[],
): readonly PortSpec[] {
  const record = containers.flatMap(({ labels }) => recordOfLabels(labels) ?? []).find((entry) => entry.api)
  const { ports, problems } = buildPorts(texts, {
    view: viewOf(spec),
    balancerRefused: false,
    api: record?.api ?? { address: '127.0.0.1' },
    before,
    elsewhere,
  })
  throwProblems(problems.map((problem) => atFlag('ports add', problem)))
  const direct = ports.find((port) => port.via === 'direct')
  if (!direct) return ports
  throw new AirliftError(
    'E_UNSUPPORTED',
    `${portText(direct)} with :direct would be published by ${direct.nodes[0] ?? 'a node'}, and a node that exists cannot be given a port`,
    { hint: 'leave :direct out: the load balancer then leads the port to the same node' },
  )
}

/** The cluster as filters see it, with the load balancer that ports are published by. */
function viewOf(spec: ClusterSpec): ContainerView {
  const node = (role: 'master' | 'worker') => (entry: ClusterSpec['nodes'][number], place: number) => ({
    role,
    index: filterIndex(entry.target, place),
    names: [entry.target.host],
  })
  return {
    cluster: spec.name,
    nodes: [...spec.masters.map(node('master')), ...spec.nodes.map(node('worker'))],
    loadBalancer: true,
  }
}

function portsToRemove(
  texts: readonly string[],
  spec: ClusterSpec,
  published: readonly PublishedPort[],
  lb: string,
): PublishedPort[] {
  const found = new Set<PublishedPort>()
  for (const text of texts) {
    const request = parsePort(text)
    if (isOptionProblem(request)) throwProblems([atFlag('ports remove', request)])
    else for (const port of matching(request, spec, published)) found.add(port)
  }
  const fixed = [...found].find((port) => port.at !== lb)
  if (!fixed) return [...found]
  const worker = spec.nodes.some((node) => node.target.host === fixed.at)
  throw new AirliftError(
    'E_UNSUPPORTED',
    `${portText(fixed)} is published by ${fixed.at} itself, and a container that exists cannot be changed`,
    {
      machine: fixed.at,
      hint: worker
        ? `take the node out and add another: airlift delete --name ${spec.name} --nodes ${fixed.at}, then airlift add`
        : 'make the cluster anew without it: airlift reset, then airlift run without that --port',
    },
  )
}

/** The published ports that one word names. A number of this computer that is left out means any. */
function matching(
  request: Exclude<ReturnType<typeof parsePort>, { hint: string }>,
  spec: ClusterSpec,
  published: readonly PublishedPort[],
): PublishedPort[] {
  const { text, address, pairs, protocol, filter } = request
  const nodes = filter === undefined ? undefined : filteredNodes(text, spec)
  return pairs.flatMap(({ hostPort, containerPort }) => {
    const found = published.filter((port) =>
      isSamePort(
        {
          address,
          hostPort,
          containerPort,
          protocol,
          via: port.via,
          nodes: nodes?.get(port.via) ?? (nodes ? [] : port.nodes),
        },
        port,
      ),
    )
    if (found.length > 0) return found
    const there = published.map(portText)
    const shown = there.length > 20 ? [...there.slice(0, 20), `and ${there.length - 20} more`] : there
    throw new AirliftError(
      'E_SPEC_INVALID',
      `ports remove: no port ${portText({ address, hostPort, containerPort, protocol, via: 'proxy', nodes: [] })}${filter === undefined ? '' : `@${filter}`} is published`,
      {
        hint:
          there.length === 0 ? 'no port is published beside the API' : `published are ${shown.join(', ')}`,
      },
    )
  })
}

/** The nodes that a filter names, by the way that leads there. */
function filteredNodes(text: string, spec: ClusterSpec): Map<PortSpec['via'], readonly string[]> {
  const { ports, problems } = buildPorts([text], {
    view: viewOf(spec),
    balancerRefused: false,
    api: { address: '127.0.0.1' },
  })
  throwProblems(problems.map((problem) => atFlag('ports remove', problem)))
  return new Map(ports.map((port) => [port.via, port.nodes]))
}
