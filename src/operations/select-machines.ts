import type { NodeSpec, Role } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { didYouMean } from '../core/did-you-mean.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import { type ClusterRef, observeKnownCluster, resolveCluster } from './resolve-cluster.js'
import { idOfLost, type OperationDeps, openSession, type Session } from './session.js'

/** Which machines of a cluster a command is for. */
export interface MachineSelection {
  /** With machines in it, exactly those are meant; else all of the cluster that it names. */
  readonly cluster: ClusterRef
  /** Keeps the machines of these roles; empty keeps all. */
  readonly roles: readonly Role[]
  /** Keeps the machines with these names: of the node, of the host, or as they were typed. Empty keeps all. */
  readonly on: readonly string[]
}

/** A machine that was selected. */
export interface SelectedMachine {
  readonly id: string
  /** The node's name; what was typed, where the machine cannot be reached. */
  readonly node: string
  readonly role: Role
  /** Either the connected machine or why there is none. */
  readonly machine: Machine | undefined
  readonly error?: AirliftError
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
  const named = [...cluster.masters, ...cluster.nodes]
  const found =
    named.length > 0 ? await connectNamed(named, cluster, ctx, deps) : await connectKnown(cluster, ctx, deps)
  try {
    const ofRole = found.all.filter(({ entry }) => roles.length === 0 || roles.includes(entry.role))
    const machines = keepNamed(ofRole, on)
    if (machines.length === 0) {
      throw new AirliftError('E_USAGE', `the cluster "${cluster.name}" has no ${roles.join(' or ')}`, {
        hint: 'see airlift status',
      })
    }
    return {
      name: cluster.name,
      machines,
      [Symbol.asyncDispose]: () => found.session[Symbol.asyncDispose](),
    }
  } catch (error) {
    await found.session[Symbol.asyncDispose]()
    throw error
  }
}

interface Candidate {
  readonly entry: SelectedMachine
  /** What --on may call it. */
  readonly names: readonly string[]
}

interface Found {
  readonly all: readonly Candidate[]
  readonly session: AsyncDisposable
}

/** The machines that the command names, whatever they belong to. */
async function connectNamed(
  nodes: readonly NodeSpec[],
  cluster: ClusterRef,
  ctx: Context,
  deps: OperationDeps,
): Promise<Found> {
  const session = await openSession(nodes, cluster.ssh, ctx, deps)
  const reached = await Promise.all(
    session.machines.map(async ({ machine, node }) => {
      try {
        const result = await machine.run('uname -n', { root: false, signal: ctx.signal, idempotent: true })
        return candidate(node, machine, result.stdout.trim().toLowerCase())
      } catch (error) {
        return lost(node, machine.id, toAirliftError(error))
      }
    }),
  )
  return { all: [...reached, ...failures(session)], session }
}

/** All machines of a cluster, also those that only its masters know. */
async function connectKnown(ref: ClusterRef, ctx: Context, deps: OperationDeps): Promise<Found> {
  const spec = await resolveCluster(ref, ctx, deps)
  // The labels of containers say all that is needed here.
  const { cluster } = await observeKnownCluster(spec, ctx, deps, { inside: false })
  const { world, session } = cluster
  const reached = world.machines.map((found) =>
    world.engine && !found.installed.active
      ? lost(found.node, found.id, notRunning(found.name, spec.name))
      : candidate(found.node, session.byId.get(found.id), found.facts.hostname.toLowerCase(), found.id),
  )
  const failed = failures(session)
  const known = new Set(failed.map(({ entry }) => entry.node))
  const unseen = world.unreachable
    .filter(({ node }) => !known.has(node.target.text))
    .map(({ node, id, error }) => lost(node, id, error))
  return { all: [...reached, ...failed, ...unseen], session: cluster }
}

function candidate(
  node: NodeSpec,
  machine: Machine | undefined,
  hostname: string,
  id = machine?.id,
): Candidate {
  return {
    entry: { id: id ?? node.target.text, node: hostname || node.target.text, role: node.role, machine },
    names: [hostname, node.target.text, node.target.host, id ?? ''],
  }
}

function lost(node: NodeSpec, id: string, error: AirliftError): Candidate {
  return {
    entry: { id, node: node.target.text, role: node.role, machine: undefined, error },
    names: [node.target.text, node.target.host, id],
  }
}

function notRunning(name: string, cluster: string): AirliftError {
  return new AirliftError('E_ENGINE_NOT_FOUND', `the container ${name} does not run`, {
    machine: name,
    hint: `start it: airlift start --name ${cluster}`,
  })
}

function failures(session: Session): Candidate[] {
  return session.failures.map(({ node, error }) => lost(node, idOfLost(node, error), error))
}

/** The machines that --on names. */
function keepNamed(candidates: readonly Candidate[], on: readonly string[]): SelectedMachine[] {
  if (on.length === 0) return candidates.map(({ entry }) => entry)
  for (const word of on) {
    if (candidates.some(({ names }) => names.includes(word))) continue
    const known = candidates.map(({ names }) => names[0] ?? '')
    const near = didYouMean(word, known)
    throw new AirliftError('E_HOST_INVALID', `"${word}" is not a machine of the cluster`, {
      hint: near
        ? `did you mean ${near}?`
        : `it has ${known.slice(0, 8).join(', ')}${known.length > 8 ? ', …' : ''}`,
    })
  }
  return candidates.filter(({ names }) => on.some((word) => names.includes(word))).map(({ entry }) => entry)
}
