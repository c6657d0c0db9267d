import { copy } from '../../operations/copy.js'
import { machineSelection } from '../machine-selection.js'
import { operationDeps } from '../operation-io.js'
import { count, formatBytes } from '../render/quantity.js'
import { renderTable } from '../render/table.js'
import type { ActionIo } from '../shared.js'
import { exitOf } from './exit-of.js'

/** `airlift copy`: exit 0 when it is everywhere, 3 on some machines, 1 on none. */
export async function copyCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  [source = '', target = '']: readonly string[],
): Promise<number> {
  const selection = await machineSelection(flags)
  const result = await copy({ selection, source, target }, io.ctx, operationDeps(io))
  const { machines, bytesSent, outcome } = result
  if (io.json) io.printJson(result)
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
  return exitOf(outcome)
}
