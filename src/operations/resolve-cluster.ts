import { onlyRemains } from '../cluster/no-master.js'
import { readRecord } from '../cluster/record.js'
import type { ClusterSpec, NodeSpec, RuntimeName, SshOptions } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import { type ObservedCluster, type ObserveOptions, observeCluster } from './observe-cluster.js'
import { nodesOf, withRecorded } from './recorded-nodes.js'
import { resolveContainers } from './resolve-containers.js'
import type { OperationDeps } from './session.js'

/** How a command names a cluster that exists. */
export interface ClusterRef {
  readonly name: string
  /** From --masters and --nodes; empty when the command names no machines. */
  readonly masters: readonly NodeSpec[]
  readonly nodes: readonly NodeSpec[]
  readonly ssh: SshOptions
  /** Flags, as they were typed, that mean something for one kind of cluster only: where it is of the other they are refused. */
  readonly only?: { readonly hosts?: string; readonly containers?: string }
  /** Named by the command: then a cluster of another runtime is not the one that is meant. */
  readonly runtime?: RuntimeName
  /** The flag of the command that names masters of the cluster. Default `--masters`. */
  readonly mastersFlag?: '--masters' | '--through'
}

/**
 * The whole spec of a cluster that exists: from the flags, else from what this computer remembers, else from the labels of
 * containers. Machines that only the cluster knows are added by {@link observeKnownCluster}.
 * @throws AirliftError E_NO_CLUSTER when nothing tells where it is; E_USAGE for a flag that is for clusters of the other kind
 */
export async function resolveCluster(
  ref: ClusterRef,
  ctx: Context,
  deps: OperationDeps,
): Promise<ClusterSpec> {
  const spec = await knownCluster(ref, ctx, deps)
  const [kind, other] = spec.containers
    ? (['containers', 'hosts'] as const)
    : (['hosts', 'containers'] as const)
  if (ref.runtime !== undefined && ref.runtime !== spec.runtime) {
    const message = `the cluster "${spec.name}" is one of the runtime ${spec.runtime}, and --runtime says ${ref.runtime}`
    throw new AirliftError('E_USAGE', message, { hint: 'leave it out, or name another cluster with --name' })
  }
  const flag = ref.only?.[other]
  if (flag === undefined) return spec
  const message = `${flag} is for ${other}, and the machines of the cluster "${spec.name}" are ${kind}`
  throw new AirliftError('E_USAGE', message, { hint: 'leave it out' })
}

async function knownCluster(ref: ClusterRef, ctx: Context, deps: OperationDeps): Promise<ClusterSpec> {
  const bare = {
    name: ref.name,
    runtime: 'k3s' as const,
    config: {},
    manifests: [],
    ignore: [],
    wait: 'nodes' as const,
    timeoutMs: 600_000,
  }
  if (ref.masters.length > 0 || ref.nodes.length > 0)
    return { ...bare, masters: ref.masters, nodes: ref.nodes, ssh: ref.ssh }
  const record = await readRecord(ref.name, ctx.env)
  if (!record || record.runtime === 'k3d') {
    const required = record !== undefined
    const contained = await resolveContainers({ name: ref.name, ssh: ref.ssh, required }, ctx, deps)
    if (contained) return contained
    throw new AirliftError('E_NO_CLUSTER', `no cluster "${ref.name}" is known on this computer`, {
      hint: `name one of its masters: ${ref.mastersFlag ?? '--masters'} root@10.0.0.1, or see airlift list for what is known here`,
    })
  }
  return {
    ...bare,
    runtime: record.runtime,
    masters: await nodesOf(record.masters, 'master'),
    nodes: await nodesOf(record.nodes, 'worker'),
    ssh: mergeSsh(record.ssh, ref.ssh),
  }
}

/** Flags of this command win over what was remembered. */
function mergeSsh(remembered: SshOptions, given: SshOptions): SshOptions {
  const set = Object.fromEntries(
    Object.entries(given).filter(
      ([, value]) => value !== undefined && value !== false && !(Array.isArray(value) && value.length === 0),
    ),
  )
  const defaults = { sudo: 'auto', transport: 'auto' } as Record<string, unknown>
  const chosen = Object.fromEntries(Object.entries(set).filter(([key, value]) => defaults[key] !== value))
  return { ...remembered, ...chosen }
}

/** How a known cluster is looked at. */
export interface KnownOptions extends Pick<ObserveOptions, 'inside' | 'ownOnly' | 'rootfs' | 'toJoin'> {
  /** The machines were only named to find the cluster through them: one that does not answer is none of it. */
  readonly guess?: boolean
}

/** A cluster that was looked at, with the machines that its own records name. */
export interface WholeCluster {
  readonly spec: ClusterSpec
  readonly cluster: ObservedCluster
  /** Of the machines, those that say that they are of it. */
  readonly belongs: readonly MachineWorld[]
}

/**
 * Looks at a cluster. When the command named only some of its machines, the record on a master tells the others, and those
 * are looked at too: any one master is enough to find the cluster. That none of them belongs to it is no error here.
 */
export async function observeWhole(
  spec: ClusterSpec,
  ctx: Context,
  deps: OperationDeps,
  options: KnownOptions = {},
): Promise<WholeCluster> {
  const cluster = await observeCluster(spec, options, ctx, deps)
  const belongs = cluster.world.machines.filter(
    (machine) => machine.installed.cluster === spec.name || machine.facts.managed.record?.name === spec.name,
  )
  const whole = await withRecorded(spec, belongs)
  if (whole.masters.length === spec.masters.length && whole.nodes.length === spec.nodes.length)
    return { spec, cluster, belongs }
  await cluster[Symbol.asyncDispose]()
  // A worker knows the masters only, and they know the rest.
  return observeWhole(whole, ctx, deps, options)
}

/**
 * Looks at a whole cluster, as {@link observeWhole}, that must be there.
 * @throws AirliftError E_NO_CLUSTER when none of the machines belongs to it
 */
export async function observeKnownCluster(
  wanted: ClusterSpec,
  ctx: Context,
  deps: OperationDeps,
  options: KnownOptions = {},
): Promise<WholeCluster> {
  const found = await observeWhole(wanted, ctx, deps, options)
  const { spec, cluster, belongs } = found
  const { unreachable } = cluster.world
  if (belongs.length > 0 || (!options.guess && unreachable.length > 0)) return found
  await cluster[Symbol.asyncDispose]()
  if (unreachable.length > 0) throw notFoundThrough(spec, unreachable)
  if (spec.containers && spec.masters.length + spec.nodes.length === 0) throw onlyRemains(spec.name)
  const other = cluster.world.machines.find((machine) => machine.installed.cluster)?.installed.cluster
  throw new AirliftError(
    'E_NO_CLUSTER',
    `no cluster "${spec.name}" on ${spec.masters
      .concat(spec.nodes)
      .map((node) => node.target.text)
      .join(', ')}`,
    {
      hint: other
        ? `there is a cluster "${other}": use --name ${other}`
        : 'create it with airlift run, or name other machines',
    },
  )
}

/** Machines that might have led to the cluster do not answer, and nothing here tells where it is. */
function notFoundThrough({ name }: ClusterSpec, unreachable: World['unreachable']): AirliftError {
  const hosts = unreachable.map(({ node }) => node.target.text).join(', ')
  return new AirliftError(
    'E_NO_CLUSTER',
    `no cluster "${name}" is known on this computer, and ${hosts} cannot be asked for it`,
    {
      hint: 'see airlift list for what is known here; elsewhere a host of the cluster leads to it, if it answers',
      log: unreachable.map(({ node, error }) => `${node.target.text}: ${error.message}`),
    },
  )
}
