import { LABELS } from '../cluster/container-labels.js'
import { readRecords } from '../cluster/record.js'
import type { Context } from '../core/context.js'
import { toAirliftError } from '../core/errors.js'
import { clustersOf, engineIfAny } from './engine-clusters.js'
import type { OperationDeps } from './session.js'

/** One cluster that is known here; an entry of `airlift list -o json`. */
export interface ListedCluster {
  readonly name: string
  readonly runtime: string
  readonly version: string
  readonly masters: number
  readonly workers: number
}

/**
 * All clusters that are known here, by name: those of containers by the labels of the engine, the others by what this
 * computer remembers. No host is asked. An engine that does not answer is no error: it may never have been there.
 */
export async function list(ctx: Context, deps: OperationDeps): Promise<ListedCluster[]> {
  const [records, contained] = await Promise.all([readRecords(ctx.env), listContainers(ctx, deps)])
  // The engine knows its clusters better than a record does.
  const seen = new Set(contained.map((cluster) => cluster.name))
  const remembered = records
    .filter((record) => record.runtime !== 'k3d' || !seen.has(record.name))
    .map(({ name, runtime, version, masters, nodes }) => ({
      name,
      runtime,
      version,
      masters: masters.length,
      workers: nodes.length,
    }))
  return [...remembered, ...contained].sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0))
}

async function listContainers(ctx: Context, deps: OperationDeps): Promise<ListedCluster[]> {
  const engine = await engineIfAny(ctx, deps)
  if (!engine) return []
  try {
    return clustersOf(await engine.containers([LABELS.cluster]))
      .filter((cluster) => cluster.masters.length > 0)
      .map(({ name, version, masters, workers }) => ({
        name,
        runtime: 'k3d',
        version,
        masters: masters.length,
        workers: workers.length,
      }))
  } catch (error) {
    if (ctx.signal.aborted) throw error
    const { message } = toAirliftError(error)
    ctx.events.emit({
      level: 'warn',
      code: 'engine.failed',
      message: `containers are not listed: ${message}`,
    })
    return []
  } finally {
    await engine.close()
  }
}
