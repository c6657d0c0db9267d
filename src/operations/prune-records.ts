import { LABELS } from '../cluster/container-labels.js'
import { type ClusterRecord, readRecords } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { toAirliftError } from '../core/errors.js'
import type { Engine } from '../machine/docker/engine.js'
import type { Kept, Leftover } from './leftover.js'
import { observeCluster } from './observe-cluster.js'
import { nodesOf } from './recorded-nodes.js'
import type { OperationDeps } from './session.js'

/**
 * Records of clusters that are gone: every machine answers, and none belongs to it. One that cannot be asked may belong to
 * it, so that the record is kept, and named.
 */
export async function findRecords(
  engine: Engine | undefined,
  ctx: Context,
  deps: OperationDeps,
): Promise<{ readonly found: readonly Leftover[]; readonly kept: readonly Kept[] }> {
  const records = await readRecords(ctx.env)
  const judged = await Promise.all(
    records.map(async (record) => ({
      record,
      verdict:
        record.runtime === 'k3d'
          ? await judgeContainers(record, engine)
          : await judgeHosts(record, ctx, deps),
    })),
  )
  const found = judged.flatMap(({ record, verdict }): Leftover[] =>
    verdict.state === 'gone'
      ? [{ kind: 'record', name: record.name, cluster: record.name, reason: verdict.reason }]
      : [],
  )
  const kept = judged.flatMap(({ record, verdict }): Kept[] =>
    verdict.state === 'unknown' ? [{ kind: 'record', name: record.name, reason: verdict.reason }] : [],
  )
  return { found, kept }
}

type Verdict = { readonly state: 'alive' } | { readonly state: 'gone' | 'unknown'; readonly reason: string }

async function judgeHosts(record: ClusterRecord, ctx: Context, deps: OperationDeps): Promise<Verdict> {
  try {
    const spec = await specOf(record)
    await using cluster = await observeCluster(spec, {}, ctx, deps)
    const { machines, unreachable } = cluster.world
    const belongs = machines.some(
      ({ installed, facts }) =>
        installed.cluster === record.name || facts.managed.record?.name === record.name,
    )
    if (belongs) return { state: 'alive' }
    const [lost] = unreachable
    if (lost) {
      const reason = `${lost.node.target.text} cannot be asked: ${lost.error.message}`
      return { state: 'unknown', reason }
    }
    const count = machines.length === 1 ? 'its machine' : `all ${machines.length} machines`
    return { state: 'gone', reason: `${count} answered that they do not belong to it` }
  } catch (error) {
    if (ctx.signal.aborted) throw error
    return { state: 'unknown', reason: toAirliftError(error).message }
  }
}

async function specOf({ name, runtime, masters, nodes, ssh }: ClusterRecord): Promise<ClusterSpec> {
  return {
    name,
    runtime,
    masters: await nodesOf(masters, 'master'),
    nodes: await nodesOf(nodes, 'worker'),
    ssh,
    config: {},
    manifests: [],
    ignore: [],
    wait: 'none',
    timeoutMs: 60_000,
  }
}

async function judgeContainers(record: ClusterRecord, engine: Engine | undefined): Promise<Verdict> {
  if (!engine) return { state: 'unknown', reason: 'no container engine answers' }
  const containers = await engine.containers([`${LABELS.cluster}=${record.name}`])
  const masters = containers.filter(({ labels }) => labels[LABELS.role] === 'master')
  return masters.length > 0
    ? { state: 'alive' }
    : { state: 'gone', reason: 'the container engine has no master container of it' }
}
