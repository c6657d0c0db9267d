import { list } from '../../operations/list.js'
import type { ActionIo } from '../io.js'
import { operationDeps } from '../operation-io.js'
import { renderTable } from '../render/table.js'

/** `airlift list`. */
export async function listCommand(io: ActionIo): Promise<number> {
  const clusters = await list(io.ctx, operationDeps(io))
  if (io.json) io.printJson({ clusters })
  else if (clusters.length === 0) io.note('no cluster is known on this computer; create one with airlift run')
  else {
    io.print(
      renderTable(
        ['name', 'runtime', 'version', 'masters', 'workers'],
        clusters.map(({ name, runtime, version, masters, workers }) => [
          name,
          runtime,
          version,
          String(masters),
          String(workers),
        ]),
      ),
    )
  }
  return 0
}
