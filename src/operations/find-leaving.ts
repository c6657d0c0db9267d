import { nodeOfVolume } from '../cluster/container-spec.js'
import type { Filterable } from '../cluster/filters.js'
import { machineKey } from '../cluster/host-conflicts.js'
import { type NodeWords, otherRoleProblem, selectOfRole } from '../cluster/node-words.js'
import { type SpecProblem, throwProblems } from '../cluster/problems.js'
import { readRecord } from '../cluster/record.js'
import { flagOf } from '../cluster/role-flag.js'
import type { ClusterSpec, NodeSpec, Role } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import type { NodeStatus, World } from '../runtime/runtime.js'
import { filterableNodes, hostsOf } from './node-names.js'
import { type ObservedCluster, observeCluster } from './observe-cluster.js'
import { type ClusterRef, observeKnownCluster, resolveCluster } from './resolve-cluster.js'
import { resolveContainers } from './resolve-containers.js'
import type { OperationDeps } from './session.js'

/** The cluster as it was found, and which of its nodes are to leave. */
export interface FoundLeaving {
  readonly cluster: ObservedCluster
  /** As the cluster is: with those that are to leave, and with nodes that only the cluster itself knows. */
  readonly spec: ClusterSpec
  readonly world: World
  /** Of the spec, those whose machine nobody knows: no record may name them. */
  readonly strangers: readonly NodeSpec[]
  readonly masters: readonly NodeSpec[]
  readonly nodes: readonly NodeSpec[]
}

/**
 * Finds the cluster, and in it the nodes that words name. A host that no record names any more still counts when it says
 * itself that it is of this cluster: its removal was cut short, or it was away when the others forgot it.
 * @throws AirliftError E_NO_CLUSTER, E_HOST_INVALID, E_REMOVE_REFUSED (exit 2) naming every wrong word
 */
export async function findLeaving(
  ref: ClusterRef,
  words: NodeWords,
  ctx: Context,
  deps: OperationDeps,
): Promise<FoundLeaving> {
  let { spec, cluster } = await lookedAt(ref, words, ctx, deps)
  try {
    const gone = goneContainers(spec, cluster.world, words)
    if (gone.length > 0) {
      await cluster[Symbol.asyncDispose]()
      spec = withNodes(spec, gone)
      cluster = await observeCluster(spec, {}, ctx, deps)
    }
    let found = select(spec, cluster.world, words)
    if (found.unknown.length > 0) {
      const named = found.unknown.flatMap(({ word, role }) => hostsOf(word, role))
      await cluster[Symbol.asyncDispose]()
      const asked = withNodes(spec, named)
      cluster = await observeCluster(asked, {}, ctx, deps)
      requireOfCluster(asked, cluster.world, named)
      spec = asked
      found = select(spec, cluster.world, words)
    }
    throwProblems(found.problems)
    const { world, strangers, masters, nodes } = found
    return { cluster, spec: found.spec, world, strangers, masters, nodes }
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
}

/**
 * Nodes whose containers somebody removed. An engine tells for certain that they are gone: they leave like any other, and what
 * is left to clean are their volumes. So do those that the cluster does not have any more, where they are named: a delete
 * was killed before it had removed their volumes.
 */
function goneContainers({ name: cluster }: ClusterSpec, world: World, words: NodeWords): NodeSpec[] {
  if (!world.engine) return []
  const known = new Set(world.machines.map((machine) => machine.name))
  const nodes = world.machines.find(({ installed }) => installed.apiReady)?.installed.nodes ?? []
  const named = new Set([...words.masters, ...words.nodes])
  const gone = new Map<string, Role>()
  for (const { name, role } of nodes) if (name.startsWith(`airlift-${cluster}-`)) gone.set(name, role)
  for (const volume of world.engine.volumes) {
    const node = nodeOfVolume(cluster, volume.name)
    if (node && named.has(node.name)) gone.set(node.name, node.role)
  }
  return [...gone]
    .filter(([name]) => !known.has(name))
    .map(([name, role]): NodeSpec => {
      return { target: { kind: 'container', text: name, host: name }, role, labels: {}, taints: [] }
    })
}

function withNodes(spec: ClusterSpec, more: readonly NodeSpec[]): ClusterSpec {
  const of = (role: Role): NodeSpec[] => more.filter((node) => node.role === role)
  return { ...spec, masters: [...spec.masters, ...of('master')], nodes: [...spec.nodes, ...of('worker')] }
}

/**
 * From the flags or the record as ever. Without either, a host that is to leave tells where its cluster is, and from there on
 * only what the masters say counts: what was named may not be of it.
 */
async function lookedAt(
  ref: ClusterRef,
  words: NodeWords,
  ctx: Context,
  deps: OperationDeps,
): ReturnType<typeof observeKnownCluster> {
  if (ref.masters.length + ref.nodes.length > 0 || (await readRecord(ref.name, ctx.env)))
    return observeKnownCluster(await resolveCluster(ref, ctx, deps), ctx, deps)
  const contained = await resolveContainers({ name: ref.name, ssh: ref.ssh, required: false }, ctx, deps)
  if (contained) return observeKnownCluster(contained, ctx, deps)
  const masters = words.masters.flatMap((word) => hostsOf(word, 'master'))
  const nodes = words.nodes.flatMap((word) => hostsOf(word, 'worker'))
  if (masters.length + nodes.length === 0) throw unknownCluster(ref.name)
  const guess = await resolveCluster({ ...ref, masters, nodes }, ctx, deps)
  const guessed = await observeKnownCluster(guess, ctx, deps, { guess: true })
  const own = guessed.cluster.world.machines.filter(
    ({ installed }) => installed.cluster === ref.name && installed.role === 'master',
  )
  if (own.length === 0) return guessed
  await guessed.cluster[Symbol.asyncDispose]()
  const certain = own.map(({ node }): NodeSpec => ({ ...node, role: 'master' }))
  return observeKnownCluster({ ...guess, masters: certain, nodes: [] }, ctx, deps)
}

/** `--masters` does not name the cluster here, it names what is to leave. */
function unknownCluster(name: string): AirliftError {
  return new AirliftError('E_NO_CLUSTER', `no cluster "${name}" is known on this computer`, {
    hint: 'see airlift list for what is known here; elsewhere name the hosts that are to leave, which lead to their cluster',
  })
}

interface Selected extends Omit<FoundLeaving, 'cluster'> {
  readonly unknown: readonly { readonly word: string; readonly role: Role }[]
  readonly problems: readonly SpecProblem[]
}

function select(known: ClusterSpec, observed: World, words: NodeWords): Selected {
  const { spec, world, strangers } = withStrangers(known, observed)
  const all = [...spec.masters, ...spec.nodes]
  const filterable = filterableNodes(spec, world)
  const problems: SpecProblem[] = []
  const masters = selectOfRole(words.masters, 'master', filterable, problems)
  const nodes = selectOfRole(words.nodes, 'worker', filterable, problems)
  const unknown: { word: string; role: Role }[] = []
  for (const [role, list] of [
    ['master', masters],
    ['worker', nodes],
  ] as const) {
    // Removing a master takes more thought than removing a worker.
    for (const { word } of list.elsewhere) problems.push(otherRoleProblem(word, role, 'E_REMOVE_REFUSED'))
    for (const word of list.unknown) {
      if (hostsOf(word, role).length > 0) unknown.push({ word, role })
      else problems.push(notThere(word, role, spec, filterable))
    }
  }
  const specOf = (place: number): readonly NodeSpec[] => all.slice(place, place + 1)
  return {
    spec,
    world,
    strangers,
    masters: masters.places.flatMap(specOf),
    nodes: nodes.places.flatMap(specOf),
    unknown,
    problems,
  }
}

function notThere(word: string, role: Role, spec: ClusterSpec, nodes: readonly Filterable[]): SpecProblem {
  const names = nodes.filter((node) => node.role === role).map((node) => node.names[0])
  return {
    code: 'E_HOST_INVALID',
    path: flagOf(role),
    message: `"${word}" is no ${role} of the cluster "${spec.name}"`,
    hint: `it has ${names.slice(0, 8).join(', ') || 'none'}${names.length > 8 ? ', …' : ''}; one that was deleted already is not there any more: see airlift status --name ${spec.name}`,
  }
}

/** Nodes that the cluster knows and that no machine of the spec accounts for; they can leave, though not be cleaned. */
function withStrangers(spec: ClusterSpec, world: World): Pick<FoundLeaving, 'spec' | 'world' | 'strangers'> {
  const status =
    world.machines.find(({ installed }) => installed.apiReady && installed.nodes)?.installed.nodes ?? []
  const names = new Set(world.machines.map((machine) => machine.facts.hostname.toLowerCase()))
  const hosts = new Set(world.unreachable.map(({ node }) => node.target.host.toLowerCase()))
  const open = status.filter(
    (node) => !names.has(node.name) && !hosts.has(node.address) && !hosts.has(node.name),
  )
  // A host that was named by an alias cannot be told from such a node.
  const strangers = world.unreachable.length > 0 ? [] : open
  const added = strangers.map((node: NodeStatus) => {
    const target = { kind: 'ssh' as const, text: node.name, host: node.address || node.name }
    return { target, role: node.role, labels: {}, taints: [] } satisfies NodeSpec
  })
  return {
    spec: withNodes(spec, added),
    world: {
      ...world,
      unreachable: [
        ...world.unreachable,
        ...added.map((node) => ({
          node,
          id: node.target.text,
          error: new AirliftError(
            'E_SSH_UNREACHABLE',
            `it is not known on which machine the node ${node.target.text} is`,
          ),
        })),
      ],
    },
    strangers: added,
  }
}

/** Hosts that the cluster's records do not name must say themselves that they are of it. */
function requireOfCluster(spec: ClusterSpec, world: World, named: readonly NodeSpec[]): void {
  const problems = named.flatMap((node): SpecProblem[] => {
    const flag = flagOf(node.role)
    const machine = world.machines.find((entry) => entry.node === node)
    const cluster = machine?.installed.cluster
    if (cluster === spec.name) return []
    if (cluster !== undefined) {
      const message = `${node.target.text} belongs to the cluster "${cluster}", not to "${spec.name}"`
      return [{ code: 'E_REMOVE_REFUSED', path: flag, message, hint: `use --name ${cluster}` }]
    }
    const known = [...spec.masters, ...spec.nodes]
      .filter((entry) => !named.some((other) => machineKey(other.target) === machineKey(entry.target)))
      .map((entry) => entry.target.text)
    return [
      {
        code: 'E_HOST_INVALID',
        path: flag,
        message: `${node.target.text} is no machine of the cluster "${spec.name}"`,
        hint: `it has ${known.slice(0, 8).join(', ')}${known.length > 8 ? ', …' : ''}; one that was deleted already is not there any more: see airlift status --name ${spec.name}`,
      },
    ]
  })
  throwProblems(problems)
}
