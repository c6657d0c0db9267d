import { readRecords } from '../cluster/record.js'
import type { Context } from '../core/context.js'
import type { Engine } from '../machine/docker/engine.js'
import { judgeContainers, judgeHosts } from './judge-record.js'
import type { Kept, Leftover } from './leftover.js'
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
          ? await judgeContainers(record.name, engine, ctx)
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
