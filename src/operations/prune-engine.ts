import { LABELS } from '../cluster/container-labels.js'
import type { Context } from '../core/context.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import { clustersOf } from './engine-clusters.js'
import type { Kept, Leftover } from './leftover.js'
import { mayBeMaking } from './maker.js'
import { findInLiving, isEmpty, type OwnedByCluster } from './prune-living.js'
import type { OperationDeps } from './session.js'

type Labels = Readonly<Record<string, string>>

/** How long a container that only helps for a moment, and does not say whom, may run before it is taken for left behind. Milliseconds. */
const HELPER_MS = 10 * 60_000

/**
 * What dead runs left on a container engine: all that belongs to a cluster without a master container, or of which no master was
 * ever started; helpers whose command is gone; and of other clusters the volumes of nodes that have left them.
 */
export async function findOnEngine(
  engine: Engine,
  ctx: Context,
  deps: OperationDeps,
): Promise<{ readonly found: readonly Leftover[]; readonly kept: readonly Kept[] }> {
  const [labelled, helpers, networks, volumes, images] = await Promise.all([
    engine.containers([LABELS.cluster]),
    engine.containers([LABELS.temporary]),
    engine.networks(),
    engine.volumes([LABELS.cluster]),
    engine.images([LABELS.temporary]),
  ])
  const isOf =
    (name: string) =>
    ({ labels }: { readonly labels: Labels }): boolean =>
      labels[LABELS.cluster] === name
  const withMaster = clustersOf(labelled)
    .filter(({ masters }) => masters.length > 0)
    .map(({ name, masters }): OwnedByCluster => {
      const containers = labelled.filter(isOf(name)).filter(({ labels }) => !labels[LABELS.temporary])
      return { name, masters, containers, volumes: volumes.filter(isOf(name)) }
    })
  const empty = new Set(withMaster.filter(isEmpty).map(({ name }) => name))
  const living = new Set(withMaster.map(({ name }) => name).filter((name) => !empty.has(name)))
  const busy = helpers.filter((helper) => mayBeUsed(helper, ctx))
  // Whoever makes a network or fills a volume right now is about to make the cluster's containers.
  const making = new Set(
    [
      ...busy,
      ...[...labelled, ...networks, ...volumes].filter(({ labels }) => mayBeMaking(labels, ctx)),
    ].flatMap(({ labels }) => labels[LABELS.cluster] ?? []),
  )
  const dead = (cluster: string | undefined): cluster is string =>
    cluster !== undefined && !living.has(cluster) && !making.has(cluster)
  const found: Leftover[] = []
  const why = (cluster: string): string =>
    empty.has(cluster)
      ? 'the command that made its cluster is gone, and no master was ever started'
      : 'its cluster has no master container'
  for (const { name, labels } of labelled) {
    const cluster = labels[LABELS.cluster]
    if (labels[LABELS.temporary] === undefined && dead(cluster))
      found.push({ kind: 'container', name, cluster, reason: why(cluster) })
  }
  for (const helper of helpers) {
    if (busy.includes(helper)) continue
    const cluster = helper.labels[LABELS.cluster] ?? null
    found.push({
      kind: 'container',
      name: helper.name,
      cluster,
      reason: 'the command that it helped is gone',
    })
  }
  for (const { name, labels } of networks) {
    const cluster = labels[LABELS.cluster]
    if (dead(cluster)) found.push({ kind: 'network', name, cluster, reason: why(cluster) })
  }
  for (const { name, labels } of volumes) {
    const cluster = labels[LABELS.cluster]
    if (dead(cluster)) found.push({ kind: 'volume', name, cluster, reason: why(cluster) })
  }
  if (busy.length === 0) {
    for (const { id, tags } of images)
      found.push({
        kind: 'image',
        name: tags[0] ?? id,
        cluster: null,
        reason: 'the command that it helped is gone',
      })
  }
  const spared = (kind: Kept['kind'], items: readonly { name: string; labels: Labels }[]): Kept[] =>
    items
      .filter(({ labels }) => isSpared(labels[LABELS.cluster]))
      .map(({ name }) => ({ kind, name, reason: 'a command is still making its cluster' }))
  const isSpared = (cluster: string | undefined): boolean =>
    cluster !== undefined && making.has(cluster) && !living.has(cluster)
  const within = await Promise.all(
    withMaster
      .filter(({ name }) => living.has(name) && !making.has(name))
      .map((own) => findInLiving(own, engine, ctx, deps)),
  )
  found.push(...within.flatMap((one) => one.found))
  const kept = [
    ...within.flatMap((one) => one.kept),
    ...busy.map(({ name }): Kept => ({ kind: 'container', name, reason: 'a command may still be using it' })),
    ...spared(
      'container',
      labelled.filter((one) => !busy.some(({ name }) => name === one.name)),
    ),
    ...spared('network', networks),
    ...spared('volume', volumes),
  ]
  return { found, kept }
}

/** A helper belongs to the command that made it. Where it does not say which, it may be in use for ten minutes. */
function mayBeUsed(helper: EngineContainer, ctx: Context): boolean {
  return helper.labels[LABELS.maker] === undefined ? isYoung(helper, ctx) : mayBeMaking(helper.labels, ctx)
}

/** Whether a helper is there for less than ten minutes, be it started yet or not. */
function isYoung({ labels, startedAt, raw }: EngineContainer, ctx: Context): boolean {
  const made = (raw as { Created?: unknown } | undefined)?.Created
  const times = [labels[LABELS.created], startedAt, made]
    .map((time) => (typeof time === 'number' ? time * 1000 : Date.parse(String(time))))
    // Docker says year 1 of what was never started.
    .filter((time) => time > 0)
  return times.length > 0 && ctx.clock.now() - Math.max(...times) < HELPER_MS
}

/** Removes one thing from an engine. What is gone already is no error. */
export async function removeFromEngine(engine: Engine, { kind, name }: Leftover): Promise<void> {
  if (kind === 'container') await engine.removeContainer(name, { force: true })
  else if (kind === 'network') await engine.removeNetwork(name)
  else if (kind === 'volume') await engine.removeVolume(name)
  else if (kind === 'image') await engine.removeImage(name)
}
