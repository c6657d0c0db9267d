import { LABELS } from '../cluster/container-labels.js'
import { nodeOfVolume } from '../cluster/container-spec.js'
import { readRecord } from '../cluster/record.js'
import type { SshOptions } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { toAirliftError } from '../core/errors.js'
import type { Engine, EngineContainer, EngineVolume } from '../machine/docker/engine.js'
import { wasStarted } from '../machine/docker/was-started.js'
import { KEPT_INITIALIZED } from '../machine/state-paths.js'
import type { World } from '../runtime/runtime.js'
import type { Kept, Leftover } from './leftover.js'
import { observeKnownCluster } from './resolve-cluster.js'
import { specOfContainers } from './resolve-containers.js'
import type { OperationDeps } from './session.js'

/** Containers are reached through their engine. */
const NO_SSH: SshOptions = {
  identities: [],
  hostKeys: 'strict',
  askPass: false,
  askSudoPass: false,
  sudo: 'auto',
  transport: 'auto',
}

/** What an engine has of one cluster. */
export interface OwnedByCluster {
  readonly name: string
  readonly masters: readonly EngineContainer[]
  /** Its containers, those that only help left out. */
  readonly containers: readonly EngineContainer[]
  readonly volumes: readonly EngineVolume[]
}

/**
 * Whether a cluster can hold anything: no master of one that was killed in the middle of being created was ever started, and its
 * volumes are of the same command. Older volumes have the data of containers that somebody removed. Pure.
 */
export function isEmpty({ masters, volumes, name }: OwnedByCluster): boolean {
  const makers = new Set(
    [...masters, ...volumes.filter((volume) => nodeOfVolume(name, volume.name))].map(
      ({ labels }) => labels[LABELS.maker],
    ),
  )
  return !masters.some(wasStarted) && makers.size === 1 && !makers.has(undefined)
}

/**
 * What a command that died left of a cluster that has masters: volumes of nodes that have left it. Whether one has, only the
 * cluster can tell: of a container that somebody removed the same volumes are left, and `run` makes it again with its data.
 * A cluster that nobody has ever seen ready is named, with what finishes or removes it.
 */
export async function findInLiving(
  own: OwnedByCluster,
  engine: Engine,
  ctx: Context,
  deps: OperationDeps,
): Promise<{ readonly found: readonly Leftover[]; readonly kept: readonly Kept[] }> {
  const left = abandonedVolumes(own)
  const seenReady = await wasSeenReady(own, engine)
  if (left.length === 0 && seenReady) return { found: [], kept: [] }
  const world = await look(own, ctx, deps)
  const known = world?.machines.find(({ installed }) => installed.apiReady && installed.nodes)?.installed
    .nodes
  const busy = world?.machines.some(({ facts }) => facts.managed.lock?.held) ?? false
  const found: Leftover[] = []
  const kept: Kept[] = []
  for (const { volume, node } of left) {
    const keep = (reason: string): unknown => kept.push({ kind: 'volume', name: volume, reason })
    if (busy) keep('a command is working on its cluster')
    else if (!known) keep(`its cluster does not tell whether ${node} is still a node of it: start it first`)
    else if (known.some(({ name }) => name === node))
      keep(`the cluster still has the node ${node}: the same airlift run makes its container again`)
    else
      found.push({
        kind: 'volume',
        name: volume,
        cluster: own.name,
        reason: `the node ${node} has left its cluster`,
      })
  }
  const isWhole = known !== undefined && own.containers.every(({ state }) => state === 'running')
  if (!seenReady && !busy && !(isWhole && (await readRecord(own.name, ctx.env))))
    kept.push({
      kind: 'container',
      name: own.masters[0]?.name ?? '',
      reason: `its cluster was begun and never seen ready: the same airlift run finishes it, airlift reset --name ${own.name} removes it`,
    })
  return { found, kept }
}

/** Volumes of nodes that have no container, and that no container has mounted. */
function abandonedVolumes({ name, containers, volumes }: OwnedByCluster): { volume: string; node: string }[] {
  const there = new Set(containers.map((container) => container.name))
  const mounted = new Set(containers.flatMap(({ mounts }) => mounts.map(({ source }) => source)))
  return volumes.flatMap((volume) => {
    const node = nodeOfVolume(name, volume.name)
    return node && !there.has(node.name) && !mounted.has(volume.name)
      ? [{ volume: volume.name, node: node.name }]
      : []
  })
}

async function wasSeenReady({ masters }: OwnedByCluster, engine: Engine): Promise<boolean> {
  const marks = await Promise.all(
    masters.map(({ name }) => engine.hasPath(name, KEPT_INITIALIZED).catch(() => false)),
  )
  return marks.includes(true)
}

/** Undefined where it cannot be looked at. */
async function look(own: OwnedByCluster, ctx: Context, deps: OperationDeps): Promise<World | undefined> {
  try {
    const spec = specOfContainers(own.name, NO_SSH, own.containers)
    await using cluster = (await observeKnownCluster(spec, ctx, deps)).cluster
    return cluster.world
  } catch (error) {
    if (ctx.signal.aborted) throw error
    const message = `the cluster ${own.name} was not looked at: ${toAirliftError(error).message}`
    ctx.events.emit({ level: 'debug', code: 'prune.unseen', message })
    return undefined
  }
}
