import { copy } from '../../operations/copy.js'
import { endOf } from '../finish-machines.js'
import { type ActionIo, UsageError } from '../io.js'
import { machineSelection } from '../machine-selection.js'
import { operationDeps } from '../operation-io.js'
import { count, formatBytes } from '../render/quantity.js'
import { renderTable } from '../render/table.js'

/** `airlift copy`: exit 0 when it is everywhere, 3 on some machines, 1 on none. */
export async function copyCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  words: readonly string[],
): Promise<number> {
  const { source, target, flags: rest } = copyPaths(flags, words)
  const selection = await machineSelection(rest)
  const result = await copy({ selection, source, target }, io.ctx, operationDeps(io))
  const { machines, bytesSent } = result
  const { exit, error: failure } = endOf(machines)
  if (io.json) io.printJson({ ...result, ...(failure ? { error: failure } : {}) })
  else {
    const good = machines.filter((machine) => machine.error === null)
    const rows = good.map(({ node, path }) => [node, path])
    if (rows.length > 0) io.print(renderTable(['node', 'path'], rows))
    io.note(`${good.length} of ${count(machines.length, 'machine')}, ${formatBytes(bytesSent)} sent`)
  }
  for (const { node, error } of machines) {
    if (!error) continue
    io.warn(`${io.style.err.red('error')}: ${node}: ${error.message} [${error.code}]`)
    if (error.hint) io.warn(`hint: ${error.hint}`)
  }
  return exit
}

/**
 * The two paths of a copy. In `copy --nodes ./models /x` the flag, whose hosts may be left out, has taken the first path;
 * as two paths there must be, it is given back where it cannot be mistaken.
 * @throws UsageError when a path is missing
 */
export function copyPaths(
  flags: Readonly<Record<string, unknown>>,
  words: readonly string[],
): { source: string; target: string; flags: Readonly<Record<string, unknown>> } {
  const [source = '', target] = words
  if (target !== undefined) return { source, target, flags }
  const took = (['masters', 'nodes'] as const).filter((name) => typeof flags[name] === 'string')
  const [name] = took
  if (name === undefined || took.length > 1) throw new UsageError("missing required argument 'target'")
  const word = String(flags[name])
  const rest = { ...flags, [name]: true }
  if (source.startsWith('/') && !word.startsWith('/')) return { source: word, target: source, flags: rest }
  if (word.startsWith('/') && !source.startsWith('/')) return { source, target: word, flags: rest }
  throw new UsageError(
    `--${name} took "${word}" for hosts; write the flag last: copy SOURCE TARGET --${name}`,
  )
}
