import { type Filterable, filterIndex } from '../cluster/filters.js'
import type { NodeSpec, Role, SshOptions } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import { filterableNodes, namesOf } from './node-names.js'
import { type ClusterRef, observeKnownCluster, resolveCluster } from './resolve-cluster.js'
import { idOfLost, type OperationDeps, openSession, type Session } from './session.js'

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

/** A machine that may be selected, as words name it. */
export interface Candidate extends Filterable {
  readonly entry: SelectedMachine
}

/** Machines that were connected, or could not be. Disposing closes every connection. */
export interface Candidates extends AsyncDisposable {
  readonly all: readonly Candidate[]
}

/** The machines of these hosts, whatever they belong to. */
export async function connectHosts(
  nodes: readonly NodeSpec[],
  ssh: SshOptions,
  ctx: Context,
  deps: OperationDeps,
): Promise<Candidates> {
  const session = await openSession(nodes, ssh, ctx, deps)
  const as = (node: NodeSpec, entry: SelectedMachine, hostname = ''): Candidate => {
    const place = nodes.filter(({ role }) => role === node.role).indexOf(node)
    return {
      entry,
      role: node.role,
      index: filterIndex(node.target, place),
      names: namesOf(node.target, hostname, entry.id),
    }
  }
  const reached = await Promise.all(
    session.machines.map(async ({ machine, node }) => {
      try {
        const result = await machine.run('uname -n', { root: false, signal: ctx.signal, idempotent: true })
        const hostname = result.stdout.trim().toLowerCase()
        return as(node, connected(node, machine, hostname, machine.id), hostname)
      } catch (error) {
        return as(node, lost(node, machine.id, toAirliftError(error)))
      }
    }),
  )
  const failed = failures(session).map(({ node, entry }) => as(node, entry))
  return { all: [...reached, ...failed], [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() }
}

/** All machines of a cluster, also those that only its masters know. @throws AirliftError E_NO_CLUSTER */
export async function connectCluster(
  ref: ClusterRef,
  ctx: Context,
  deps: OperationDeps,
): Promise<Candidates> {
  // The labels of containers say all that is needed here.
  const options = { inside: false }
  const known = await observeKnownCluster(await resolveCluster(ref, ctx, deps), ctx, deps, options)
  const { world, session } = known.cluster
  const found = world.machines.map((machine) => ({
    node: machine.node,
    entry:
      world.engine && !machine.installed.active
        ? lost(machine.node, machine.id, notRunning(machine.name, ref.name))
        : connected(
            machine.node,
            session.byId.get(machine.id),
            machine.facts.hostname.toLowerCase(),
            machine.id,
          ),
  }))
  const failed = failures(session)
  const unseen = world.unreachable
    .filter(({ node }) => !failed.some((entry) => entry.node === node))
    .map(({ node, id, error }) => ({ node, entry: lost(node, id, error) }))
  const entries = [...found, ...failed, ...unseen]
  const all = filterableNodes(known.spec, world).flatMap(({ node, ...named }): Candidate[] => {
    const entry = entries.find((one) => one.node === node)?.entry
    return entry ? [{ ...named, entry: { ...entry, role: named.role } }] : []
  })
  return { all, [Symbol.asyncDispose]: () => known.cluster[Symbol.asyncDispose]() }
}

function connected(
  { target, role }: NodeSpec,
  machine: Machine | undefined,
  hostname: string,
  id: string,
): SelectedMachine {
  return { id, node: hostname || target.text, role, machine }
}

function lost({ target, role }: NodeSpec, id: string, error: AirliftError): SelectedMachine {
  return { id, node: target.text, role, machine: undefined, error }
}

function notRunning(name: string, cluster: string): AirliftError {
  return new AirliftError('E_ENGINE_NOT_FOUND', `the container ${name} does not run`, {
    machine: name,
    hint: `start it: airlift start --name ${cluster}`,
  })
}

function failures(session: Session): { readonly node: NodeSpec; readonly entry: SelectedMachine }[] {
  return session.failures.map(({ node, error }) => ({
    node,
    entry: lost(node, idOfLost(node, error), error),
  }))
}
