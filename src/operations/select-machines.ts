import { selectNodes } from '../cluster/filters.js'
import { findHostConflicts } from '../cluster/host-conflicts.js'
import { parseHostList } from '../cluster/host-list.js'
import {
  expandNodeWord,
  isFilter,
  type NodeWords,
  numberProblem,
  otherRoleProblem,
  selectOfRole,
} from '../cluster/node-words.js'
import { type SpecProblem, throwProblems } from '../cluster/problems.js'
import { readRecord } from '../cluster/record.js'
import { flagOf } from '../cluster/role-flag.js'
import type { ClusterSpec, NodeSpec, Role } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { didYouMean } from '../core/did-you-mean.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import {
  type Candidate,
  type Candidates,
  connectCluster,
  connectHosts,
  type SelectedMachine,
} from './connect-machines.js'
import { isCertainlyHost, type NamedWord, namedHosts } from './named-hosts.js'
import { type ClusterRef, resolveCluster } from './resolve-cluster.js'
import type { OperationDeps } from './session.js'

export type { SelectedMachine } from './connect-machines.js'

/** Which machines of a cluster a command is for. */
export interface MachineSelection {
  /** With machines in it, exactly those are meant; else all of the cluster that it names. */
  readonly cluster: ClusterRef
  /** Words of --masters and --nodes: nodes of the cluster by name, number or host, and hosts that are none of it. */
  readonly named?: NodeWords
  /** Keeps the machines of these roles; empty keeps all. */
  readonly roles: readonly Role[]
  /** Keeps the machines that these words name: names, hosts, ranges, filters. Empty keeps all. */
  readonly on: readonly string[]
}

/** Connected machines. Disposing closes every connection. */
export interface SelectedMachines extends AsyncDisposable {
  readonly name: string
  readonly machines: readonly SelectedMachine[]
}

/**
 * Connects to the machines that a command is for. Those that cannot be reached are in the list, with the reason.
 * @throws AirliftError E_NO_CLUSTER, E_HOST_INVALID when a name is not of the cluster, E_USAGE when nothing is left
 */
export async function selectMachines(
  selection: MachineSelection,
  ctx: Context,
  deps: OperationDeps,
): Promise<SelectedMachines> {
  const { cluster, roles, on } = selection
  const found = await connect(selection, ctx, deps)
  try {
    const ofRole = found.all.filter(({ role }) => roles.length === 0 || roles.includes(role))
    const machines = keepNamed(ofRole, on)
    if (machines.length === 0) {
      throw new AirliftError('E_USAGE', `the cluster "${cluster.name}" has no ${roles.join(' or ')}`, {
        hint: 'see airlift status',
      })
    }
    return { name: cluster.name, machines, [Symbol.asyncDispose]: () => found[Symbol.asyncDispose]() }
  } catch (error) {
    await found[Symbol.asyncDispose]()
    throw error
  }
}

function connect(
  { cluster, named = { masters: [], nodes: [] } }: MachineSelection,
  ctx: Context,
  deps: OperationDeps,
): Promise<Candidates> {
  const hosts = [...cluster.masters, ...cluster.nodes]
  if (hosts.length > 0) return connectHosts(hosts, cluster.ssh, ctx, deps)
  if (named.masters.length + named.nodes.length > 0) return connectNamed(named, cluster, ctx, deps)
  return connectCluster(cluster, ctx, deps)
}

/**
 * The machines that words name: of the cluster where it is known, in the way in which it is reached; a word that is none of its
 * nodes is a host, known cluster or not.
 */
async function connectNamed(
  named: NodeWords,
  cluster: ClusterRef,
  ctx: Context,
  deps: OperationDeps,
): Promise<Candidates> {
  const words = [
    ...named.masters.map((word): NamedWord => ({ word, role: 'master' })),
    ...named.nodes.map((word): NamedWord => ({ word, role: 'worker' })),
  ].flatMap(({ word, role }) => expandNodeWord(word).map((one) => ({ word: one, role })))
  throwProblems(words.flatMap(({ word, role }) => numberProblem(word, role) ?? []))
  const known = await knownCluster(cluster, words, ctx, deps)
  if (!known) return connectHosts(await hostsFor(words), cluster.ssh, ctx, deps)
  const hosts = known.containers ? undefined : namedHosts(words, known)
  if (hosts) {
    if (hosts.own.length === 0) return connectHosts(hosts.others, cluster.ssh, ctx, deps)
    const own = await connectHosts(hosts.own, known.ssh, ctx, deps)
    return withHosts(own, hosts.others, cluster, ctx, deps)
  }
  const whole = await connectCluster(cluster, ctx, deps)
  const others = await (async () => {
    const { chosen, unknown } = choose(words, whole.all)
    const strange = unknown.find(({ word }) => word.startsWith(`airlift-${cluster.name}-`))
    if (strange) throw notOfCluster(strange.word, whole.all)
    return { chosen, hosts: await hostsFor(unknown) }
  })().catch(async (error: unknown) => {
    await whole[Symbol.asyncDispose]()
    throw error
  })
  return withHosts({ ...whole, all: others.chosen }, others.hosts, cluster, ctx, deps)
}

/** What is known here of the cluster, where words may be about it: to hosts a command goes without asking an engine. */
async function knownCluster(
  cluster: ClusterRef,
  words: readonly NamedWord[],
  ctx: Context,
  deps: OperationDeps,
): Promise<ClusterSpec | undefined> {
  const record = await readRecord(cluster.name, ctx.env)
  const contained = record ? record.runtime === 'k3d' : true
  const about = ({ word }: NamedWord): boolean =>
    isFilter(word) || (record ? !isCertainlyHost(word) : word.startsWith(`airlift-${cluster.name}-`))
  if (contained && !words.some(about)) return undefined
  try {
    return await resolveCluster(cluster, ctx, deps)
  } catch (error) {
    if (isAirliftError(error) && error.code === 'E_NO_CLUSTER' && !words.some(({ word }) => isFilter(word)))
      return undefined
    throw error
  }
}

/** A host is taken under either flag; what it is tells the cluster. @throws AirliftError E_HOST_INVALID */
function choose(
  words: readonly NamedWord[],
  all: readonly Candidate[],
): { readonly chosen: readonly Candidate[]; readonly unknown: readonly NamedWord[] } {
  const problems: SpecProblem[] = []
  const places = new Set<number>()
  const unknown: NamedWord[] = []
  for (const { word, role } of words) {
    const found = selectOfRole([word], role, all, problems)
    for (const place of found.places) places.add(place)
    for (const other of found.elsewhere) {
      if (isFilter(word)) problems.push(otherRoleProblem(word, role, 'E_HOST_INVALID'))
      else for (const place of other.places) places.add(place)
    }
    unknown.push(...found.unknown.map((one) => ({ word: one, role })))
  }
  throwProblems(problems)
  return { chosen: all.filter((_, place) => places.has(place)), unknown }
}

/** Words as hosts. @throws AirliftError E_HOST_INVALID */
async function hostsFor(words: readonly NamedWord[]): Promise<NodeSpec[]> {
  const of = async (role: Role): Promise<NodeSpec[]> => {
    const texts = words.filter((entry) => entry.role === role).map(({ word }) => word)
    if (texts.length === 0) return []
    const flag = flagOf(role)
    // Files were read before; one cannot name another.
    const { targets } = await parseHostList(texts.join(','), { flag }, () => Promise.reject(new Error(flag)))
    return targets.map((target) => ({ target, role, labels: {}, taints: [] }))
  }
  const [masters, workers] = [await of('master'), await of('worker')]
  throwProblems(
    findHostConflicts(
      masters.map(({ target }) => target),
      workers.map(({ target }) => target),
    ),
  )
  return [...masters, ...workers]
}

/** The machines of a cluster and hosts that are none of it, which are reached as the command says. */
async function withHosts(
  first: Candidates,
  hosts: readonly NodeSpec[],
  { ssh }: ClusterRef,
  ctx: Context,
  deps: OperationDeps,
): Promise<Candidates> {
  if (hosts.length === 0) return first
  try {
    const second = await connectHosts(hosts, ssh, ctx, deps)
    return {
      all: [...first.all, ...second.all],
      [Symbol.asyncDispose]: async () => {
        await first[Symbol.asyncDispose]()
        await second[Symbol.asyncDispose]()
      },
    }
  } catch (error) {
    await first[Symbol.asyncDispose]()
    throw error
  }
}

/** The machines that --on names. */
function keepNamed(candidates: readonly Candidate[], on: readonly string[]): SelectedMachine[] {
  const places = new Set<number>()
  for (const word of on.flatMap(expandNodeWord)) {
    const found = selectNodes(word, candidates)
    if (found.ok) for (const place of found.indexes) places.add(place)
    else if (isFilter(word))
      throw new AirliftError('E_HOST_INVALID', `--on: ${found.message}`, { hint: found.hint })
    else throw notOfCluster(word, candidates)
  }
  return candidates.filter((_, place) => on.length === 0 || places.has(place)).map(({ entry }) => entry)
}

function notOfCluster(word: string, candidates: readonly Candidate[]): AirliftError {
  const known = candidates.map(({ names }) => names[0] ?? '')
  const near = didYouMean(word, known)
  return new AirliftError('E_HOST_INVALID', `"${word}" is not a machine of the cluster`, {
    hint: near
      ? `did you mean ${near}?`
      : `it has ${known.slice(0, 8).join(', ')}${known.length > 8 ? ', …' : ''}`,
  })
}
