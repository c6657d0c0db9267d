import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'
import { type Context, createContext } from '../core/context.js'
import { toAirliftError } from '../core/errors.js'
import type { World } from '../runtime/runtime.js'
import { planDelete } from './delete.js'
import { type ObservedCluster, observeCluster } from './observe-cluster.js'
import { type RollbackResult, undo } from './rollback.js'
import type { OperationDeps } from './session.js'
import type { Undone } from './undone.js'

/** How long the pods of a node that has only just come may take to leave it. Milliseconds. */
const DRAIN_MS = 20_000
/** Longest wait for one thing: somebody waits for the terminal. Milliseconds. */
const WAIT_MS = 60_000

/** The nodes that an `add` makes: those whose containers were not there when it looked. None on hosts. */
export function unmadeNodes(adding: readonly NodeSpec[], world: World): readonly NodeSpec[] {
  const { engine } = world
  if (!engine) return []
  const there = new Set(engine.containers.map(({ name }) => name))
  return adding.filter((node) => !there.has(node.target.host))
}

/**
 * Takes back what an `add` of containers made that failed or was interrupted: what it made leaves as with `delete`, so that a
 * node that had joined is out of Kubernetes, and a master out of etcd, before its container and volumes go. Over connections
 * and with a signal of its own. Where that would cost the quorum, or no master answers, nothing is removed.
 */
export async function rollBackAdd(
  spec: ClusterSpec,
  made: readonly NodeSpec[],
  ctx: Context,
  deps: OperationDeps,
): Promise<RollbackResult> {
  const own = createContext({ ...ctx, signal: new AbortController().signal })
  own.events.emit({ level: 'info', code: 'rollback.start', message: 'removing what this add made' })
  try {
    const wanted = { ...spec, timeoutMs: Math.min(spec.timeoutMs, WAIT_MS) }
    await using cluster = await observeCluster(wanted, {}, own, deps)
    const world = await allSeen(cluster, own)
    const of = (role: NodeSpec['role']): NodeSpec[] => made.filter((node) => node.role === role)
    const plan = planDelete(
      cluster.runtime,
      { spec: wanted, world, strangers: [], masters: of('master'), nodes: of('worker') },
      { force: true, drainTimeoutMs: DRAIN_MS },
    )
    return await undo(plan, cluster, world, own)
  } catch (error) {
    return { error: toAirliftError(error, 'E_ENGINE') }
  }
}

/** A container that nobody can look into, since its process ends again and again, can still be removed. */
async function allSeen(cluster: ObservedCluster, ctx: Context): Promise<World> {
  const { world } = cluster
  if (world.unreachable.length === 0) return world
  const outside = await cluster.lookFromOutside(ctx)
  const lost = new Set(world.unreachable.map(({ node }) => node))
  const machines = [...world.machines, ...outside.machines.filter(({ node }) => lost.has(node))]
  return { ...world, machines, unreachable: [] }
}

/** What the user is told of it. */
export function undoneAdd(
  { error }: RollbackResult,
  { name }: ClusterSpec,
  made: readonly NodeSpec[],
): Undone {
  if (!error)
    return { removed: true, told: 'what this add made was removed; --keep leaves it, to be looked at' }
  const of = (role: NodeSpec['role']): string =>
    made.flatMap((node) => (node.role === role ? [node.target.host] : [])).join(',')
  const flags = [
    ...(of('master') ? [`--masters ${of('master')}`] : []),
    ...(of('worker') ? [`--nodes ${of('worker')}`] : []),
  ]
  const told = `not everything that this add made could be removed (${error.message}): the same command finishes it, airlift delete --name ${name} ${flags.join(' ')} removes it`
  return { removed: false, told }
}
