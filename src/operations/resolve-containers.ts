import { LABELS, nodeOfLabels, recordOfLabels } from '../cluster/container-labels.js'
import {
  type ContainerNodeSpec,
  type ContainerSpec,
  containerName,
  PLAIN_CONTAINER,
} from '../cluster/container-spec.js'
import type { ClusterSpec, NodeSpec, Role, SshOptions } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import { connectToEngine } from './container-session.js'
import { engineIfAny } from './engine-clusters.js'
import type { OperationDeps } from './session.js'

/** Which cluster is looked for on the engine. */
export interface ContainersWanted {
  readonly name: string
  readonly ssh: SshOptions
  /** Whether it must be there: then an engine that does not answer is the error. */
  readonly required: boolean
}

/**
 * The spec of a cluster in containers, from their labels alone; undefined where the engine has nothing of that name. What a
 * dead run left, be it only a network, is found too: then no node is in it.
 * @throws AirliftError E_ENGINE_UNREACHABLE where it is required
 */
export async function resolveContainers(
  { name, ssh, required }: ContainersWanted,
  ctx: Context,
  deps: OperationDeps,
): Promise<ClusterSpec | undefined> {
  const engine = required ? await connectToEngine(ctx, deps) : await engineIfAny(ctx, deps)
  if (!engine) return undefined
  try {
    const containers = await engine.containers([`${LABELS.cluster}=${name}`])
    if (containers.length === 0 && !(await hasRemains(engine, name))) return undefined
    return specOfContainers(name, ssh, containers)
  } finally {
    await engine.close()
  }
}

async function hasRemains(engine: Engine, name: string): Promise<boolean> {
  const labels = [`${LABELS.cluster}=${name}`]
  const [volumes, networks] = await Promise.all([engine.volumes(labels), engine.networks(labels)])
  return volumes.length > 0 || networks.length > 0
}

/** The spec that containers were made from, as far as their labels tell: no values of variables, no secrets. Pure. */
export function specOfContainers(
  name: string,
  ssh: SshOptions,
  containers: readonly EngineContainer[],
): ClusterSpec {
  const lb = containerName(name, 'lb')
  // Of two load balancers, which there are while ports are changed, the one that has the name counts.
  const double = containers.some((container) => container.name === lb)
  const own = containers.filter(
    (container) =>
      container.labels[LABELS.temporary] === undefined &&
      !(double && container.labels[LABELS.role] === 'lb' && container.name !== lb),
  )
  const nodes = (role: Role): NodeSpec[] =>
    own
      .flatMap((container) => {
        const node = nodeOfLabels(container.labels)
        return node?.role === role ? [{ container, index: node.index }] : []
      })
      .sort((a, b) => a.index - b.index)
      .map(({ container }) => nodeOf(container, role))
  const masters = nodes('master')
  const first = masters[0] ?? nodes('worker')[0]
  const record = recordOfLabels(own.find((container) => container.name === first?.target.host)?.labels ?? {})
  return {
    name,
    runtime: 'k3d',
    masters,
    nodes: nodes('worker'),
    ssh,
    config: record?.config ?? {},
    manifests: [],
    containers: optionsOf(own),
    ignore: [],
    wait: 'nodes',
    timeoutMs: 600_000,
  }
}

function nodeOf(container: EngineContainer, role: Role): NodeSpec {
  const { name } = container
  const given = recordOfLabels(container.labels)?.given
  return {
    target: { kind: 'container', text: name, host: name },
    role,
    labels: {},
    taints: [],
    container: nodeOptionsOf(container),
    ...(given ? { given } : {}),
  }
}

function nodeOptionsOf(container: EngineContainer): ContainerNodeSpec {
  const record = recordOfLabels(container.labels)
  if (!record) return PLAIN_CONTAINER
  const { mounts, k3sArgs, runtimeLabels, memoryBytes, cpus } = record
  return {
    ...PLAIN_CONTAINER,
    mounts,
    k3sArgs,
    runtimeLabels,
    ...(memoryBytes === undefined ? {} : { memoryBytes }),
    ...(cpus === undefined ? {} : { cpus }),
  }
}

function optionsOf(containers: readonly EngineContainer[]): ContainerSpec {
  const records = containers.flatMap((container) => recordOfLabels(container.labels) ?? [])
  const nodes = containers.flatMap((container) =>
    nodeOfLabels(container.labels) ? (recordOfLabels(container.labels) ?? []) : [],
  )
  const [any] = nodes
  const lb = containers.find((container) => container.labels[LABELS.role] === 'lb')
  const { gpus, dns } = any ?? {}
  return {
    ...(any ? { image: any.image } : {}),
    ...(any?.external ? { network: any.network } : {}),
    ...(any?.subnet === undefined ? {} : { subnet: any.subnet }),
    ...(any?.subnet6 === undefined ? {} : { subnet6: any.subnet6 }),
    ...(any ? { ipFamily: any.subnet6 === undefined ? 'ipv4' : 'dual' } : {}),
    loadBalancer: records.some((record) => record.loadBalancer),
    api: records.find((record) => record.api)?.api ?? { address: '127.0.0.1' },
    ports: records.flatMap((record) => record.ports),
    ...(gpus === undefined ? {} : { gpus }),
    ulimits: any?.ulimits ?? [],
    hostAliases: any?.hostAliases ?? [],
    ...(dns === undefined ? {} : { dns }),
    lb: lb ? nodeOptionsOf(lb) : PLAIN_CONTAINER,
    keep: false,
  }
}
