import { joiningPlaces, keptPlaces, type Places } from '../cluster/container/container-targets.js'
import { LABELS, nodeOfLabels } from '../cluster/container-labels.js'
import { nodeOfVolume } from '../cluster/container-spec.js'
import type { Role } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import { KEPT_INITIALIZED } from '../machine/state-paths.js'
import { connectToEngine } from './container-session.js'
import { observeKnownCluster } from './resolve-cluster.js'
import { type ContainersWanted, specOfContainers } from './resolve-containers.js'
import type { OperationDeps } from './session.js'

interface Found {
  readonly name: string
  readonly role: Role
  readonly index: number
}

/**
 * Which containers `add` makes: first those that an earlier call began and that never became nodes, so that the same command
 * finishes them, then new ones. Indexes of nodes that have left are not given again while later ones are there, nor while volumes
 * of them are: a new node does not begin on the data of another.
 */
export async function nextPlaces(
  ref: Pick<ContainersWanted, 'name' | 'ssh'>,
  ctx: Context,
  deps: OperationDeps,
): Promise<Record<Role, Places>> {
  const engine = await connectToEngine(ctx, deps)
  try {
    const labels = [`${LABELS.cluster}=${ref.name}`]
    const [containers, volumes] = await Promise.all([engine.containers(labels), engine.volumes(labels)])
    const left = volumes.flatMap((volume) => nodeOfVolume(ref.name, volume.name) ?? [])
    const nodes = nodeContainers(containers)
    const unmarked = await withoutMark(engine, nodes)
    const spec = specOfContainers(ref.name, ref.ssh, containers)
    const begun = unmarked.length > 0 ? await withoutNode(unmarked, spec, ctx, deps) : []
    // A name of which volumes are left is not given to a new node.
    const of = (role: Role): Places =>
      joiningPlaces(indexes(begun, role), Math.max(-1, ...indexes([...nodes, ...left], role)) + 1)
    return { master: of('master'), worker: of('worker') }
  } finally {
    await engine.close()
  }
}

/** The indexes of a cluster's containers for a command that names the whole of it by numbers: none where no engine answers. */
export async function existingPlaces(
  name: string,
  ctx: Context,
  deps: OperationDeps,
): Promise<Record<Role, Places>> {
  // Why an engine cannot be asked is told by what is done next.
  const engine = await connectToEngine(ctx, deps).catch((error: unknown) => {
    if (ctx.signal.aborted) throw error
    return undefined
  })
  try {
    const nodes = nodeContainers((await engine?.containers([`${LABELS.cluster}=${name}`])) ?? [])
    return { master: keptPlaces(indexes(nodes, 'master')), worker: keptPlaces(indexes(nodes, 'worker')) }
  } finally {
    await engine?.close()
  }
}

function nodeContainers(containers: readonly EngineContainer[]): Found[] {
  return containers.flatMap(({ name, labels }): Found[] => {
    const node = labels[LABELS.temporary] === undefined ? nodeOfLabels(labels) : undefined
    return node ? [{ name, ...node }] : []
  })
}

function indexes(nodes: readonly Found[], role: Role): number[] {
  return nodes
    .filter((node) => node.role === role)
    .map(({ index }) => index)
    .sort((a, b) => a - b)
}

/** Those that airlift never saw ready. It is a question for the engine alone, and quick. */
async function withoutMark(engine: Engine, nodes: readonly Found[]): Promise<Found[]> {
  const marks = await Promise.all(
    nodes.map(({ name }) => engine.hasPath(name, KEPT_INITIALIZED).catch(() => false)),
  )
  return nodes.filter((_, i) => !marks[i])
}

/**
 * Those of them that the cluster does not know: a node that joined is one, whether anybody waited for it or not. Where no
 * master answers nothing is certain, and nothing can be added either.
 */
async function withoutNode(
  unmarked: readonly Found[],
  spec: Parameters<typeof observeKnownCluster>[0],
  ctx: Context,
  deps: OperationDeps,
): Promise<Found[]> {
  const known = await observeKnownCluster(spec, ctx, deps, { toJoin: true })
  await using cluster = known.cluster
  const answering = cluster.world.machines.find(({ installed }) => installed.apiReady && installed.nodes)
  const names = answering?.installed.nodes?.map((node) => node.name)
  return names ? unmarked.filter(({ name }) => !names.includes(name)) : []
}
