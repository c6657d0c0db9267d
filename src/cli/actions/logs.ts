import { formatBytes } from '../../core/bytes.js'
import { type LogsResult, logs } from '../../operations/logs/logs.js'
import { endOf } from '../finish-machines.js'
import type { ActionIo } from '../io.js'
import { clusterRef, operationDeps } from '../operation-io.js'
import { packageVersion } from '../package-version.js'
import { count } from '../render/quantity.js'

/** `airlift logs`: exit 0, 3 when some machines could not be asked, 1 when none could. */
export async function logsCommand(io: ActionIo, flags: Readonly<Record<string, unknown>>): Promise<number> {
  const ref = await clusterRef(flags)
  const time = new Date(io.ctx.clock.now()).toISOString().replace(/[-:]|\.\d+/g, '')
  const output = typeof flags.file === 'string' ? flags.file : `airlift-logs-${ref.name}-${time}`
  const result = await logs({ ref, output, version: packageVersion() }, io.ctx, operationDeps(io))
  const { exit, error: failure } = endOf(result.machines)
  if (io.json) io.printJson({ ...result, ...(failure ? { error: failure } : {}) })
  else io.print(summary(result))
  for (const { node, outcome, error } of result.machines)
    if (error) {
      const what = outcome === 'stopped' ? 'is there only in part' : 'is missing'
      io.warn(`${io.style.err.red('error')}: ${node} ${what}: ${error.message} [${error.code}]`)
      if (error.hint) io.warn(`hint: ${error.hint}`)
    }
  // What a stopped machine has left is there.
  return result.outcome === 'partial' ? 3 : exit
}

function summary(result: LogsResult): string {
  const good = result.machines.filter((machine) => machine.outcome === 'collected').length
  const cut = result.machines.flatMap((machine) => machine.cut).length
  return [
    `${result.path}: ${good} of ${count(result.machines.length, 'machine')}, ${formatBytes(result.bytes)}`,
    ...(cut > 0 ? [`  ${count(cut, 'file')} cut to the newest part; README names them`] : []),
  ].join('\n')
}
