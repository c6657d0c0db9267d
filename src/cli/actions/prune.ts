import { AirliftError } from '../../core/errors.js'
import { findLeftovers, type PruneResult } from '../../operations/prune.js'
import type { ActionIo } from '../io.js'
import { operationDeps } from '../operation-io.js'
import { count } from '../render/quantity.js'
import { renderTable } from '../render/table.js'

/** `airlift prune`: exit 0 when nothing is left, 3 when some could not be removed, 1 when none could. */
export async function pruneCommand(io: ActionIo, flags: Readonly<Record<string, unknown>>): Promise<number> {
  await using pruning = await findLeftovers(io.ctx, operationDeps(io))
  const { result } = pruning
  for (const { kind, name, reason } of result.kept) io.note(`kept: ${kind} ${name}: ${reason}`)
  if (flags.dryRun === true || result.found.length === 0) {
    show(io, result)
    return 0
  }
  if (flags.yes !== true) {
    io.note(table(result))
    const answer = await io.confirm(`remove ${count(result.found.length, 'thing')}?`)
    if (answer === false) throw new AirliftError('E_DECLINED', 'not confirmed; nothing was removed')
  }
  const done = await pruning.remove()
  for (const { kind, name, error } of done.failed)
    io.warn(`${io.style.err.red('error')}: ${kind} ${name} stays: ${error.message} [${error.code}]`)
  show(io, done, failureOf(done))
  return done.outcome === 'partial' ? 3 : done.outcome === 'failed' ? 1 : 0
}

/** What the JSON holds besides where something stays. */
function failureOf({ failed, outcome }: PruneResult): Readonly<Record<string, unknown>> {
  const [first] = failed
  if (!first) return {}
  const { code, message, hint } = first.error
  const error =
    outcome === 'partial'
      ? { code: 'E_PARTIAL', message: `${count(failed.length, 'thing')} could not be removed`, hint }
      : { code, message: `${first.kind} ${first.name} stays: ${message}`, hint }
  return { error: { ...error, machine: null } }
}

function show(io: ActionIo, result: PruneResult, more: Readonly<Record<string, unknown>> = {}): void {
  if (io.json) io.printJson({ ...result, ...more })
  else if (result.outcome === 'unchanged')
    io.note(
      result.unasked !== null
        ? 'no record and no file is left behind; containers were not looked for'
        : result.kept.length === 0
          ? 'nothing is left behind'
          : 'nothing that can be removed for certain',
    )
  else if (result.outcome === 'found') io.print(table(result))
  else io.print(`${count(result.removed.length, 'thing')} removed`)
}

function table(result: PruneResult): string {
  return renderTable(
    ['kind', 'name', 'cluster', 'why'],
    result.found.map(({ kind, name, cluster, reason }) => [kind, name, cluster ?? '-', reason]),
  )
}
