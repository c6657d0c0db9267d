import { removeRecord } from '../cluster/record.js'
import type { Context } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import type { Engine } from '../machine/docker/engine.js'
import { findEngine } from './engine-clusters.js'
import type { Kept, Leftover } from './leftover.js'
import { findOnEngine, removeFromEngine } from './prune-engine.js'
import { findFiles, removeFile } from './prune-files.js'
import { findRecords } from './prune-records.js'
import type { OperationDeps } from './session.js'

/** What `prune` found and did; its JSON. */
export interface PruneResult {
  readonly operation: 'prune'
  /** `found`: nothing was removed yet. */
  readonly outcome: 'found' | 'done' | 'unchanged' | 'partial' | 'failed'
  readonly found: readonly Leftover[]
  readonly removed: readonly Leftover[]
  readonly kept: readonly Kept[]
  readonly failed: readonly (Leftover & {
    readonly error: { readonly code: string; readonly message: string; readonly hint: string | null }
  })[]
  /** Why nothing was looked for on a container engine that the environment names; null where it was, or none is named. */
  readonly unasked: string | null
}

/** What was found, and the way to remove it. Disposing ends the connection to the engine. */
export interface Pruning extends AsyncDisposable {
  readonly result: PruneResult
  /** Removes what was found: containers before their networks and volumes. */
  remove(): Promise<PruneResult>
}

const ORDER: readonly Leftover['kind'][] = ['container', 'network', 'volume', 'image', 'record', 'file']

/**
 * Looks for what dead runs left: records of clusters that are gone, unfinished files, and on the container engine what
 * belongs to no living cluster, or to a node that has left one. Removes nothing yet, and never looks at the data of hosts.
 */
export async function findLeftovers(ctx: Context, deps: OperationDeps): Promise<Pruning> {
  const asked = await findEngine(ctx, deps)
  const { engine } = asked
  try {
    const [contained, records, files] = await Promise.all([
      engine ? findOnEngine(engine, ctx, deps) : { found: [], kept: [] },
      findRecords(engine, ctx, deps),
      findFiles(ctx),
    ])
    const found = [...contained.found, ...records.found, ...files]
    const result: PruneResult = {
      operation: 'prune',
      outcome: found.length === 0 ? 'unchanged' : 'found',
      found,
      removed: [],
      kept: [...contained.kept, ...records.kept],
      failed: [],
      unasked: !asked.engine && asked.named !== undefined ? `${asked.named}: ${asked.message}` : null,
    }
    return {
      result,
      remove: () => removeAll(result, engine, ctx, deps),
      [Symbol.asyncDispose]: async () => engine?.close(),
    }
  } catch (error) {
    await engine?.close()
    throw error
  }
}

const isOnEngine = ({ kind }: Leftover): boolean => kind !== 'record' && kind !== 'file'

async function removeAll(
  result: PruneResult,
  engine: Engine | undefined,
  ctx: Context,
  deps: OperationDeps,
): Promise<PruneResult> {
  // Somebody may have begun to make a cluster of it while the question was open.
  const now = engine && result.found.some(isOnEngine) ? (await findOnEngine(engine, ctx, deps)).found : []
  const isStill = (item: Leftover): boolean =>
    !isOnEngine(item) || now.some(({ kind, name }) => kind === item.kind && name === item.name)
  const removed: Leftover[] = []
  const failed: PruneResult['failed'][number][] = []
  for (const kind of ORDER) {
    ctx.signal.throwIfAborted()
    await Promise.all(
      result.found
        .filter((item) => item.kind === kind && isStill(item))
        .map(async (item) => {
          try {
            await removeOne(item, engine, ctx)
            removed.push(item)
          } catch (thrown) {
            const { code, message, hint = null } = toAirliftError(thrown, 'E_LOCAL_FILE')
            failed.push({ ...item, error: { code, message, hint } })
          }
        }),
    )
  }
  const outcome =
    failed.length === 0
      ? removed.length > 0
        ? 'done'
        : 'unchanged'
      : removed.length > 0
        ? 'partial'
        : 'failed'
  return { ...result, outcome, removed, failed }
}

async function removeOne(item: Leftover, engine: Engine | undefined, ctx: Context): Promise<void> {
  if (item.kind === 'file') return removeFile(item, ctx)
  if (item.kind === 'record') return removeRecord(item.name, ctx.env)
  if (!engine) throw new AirliftError('E_INTERNAL', `no engine is there to remove ${item.name}`)
  return removeFromEngine(engine, item)
}
