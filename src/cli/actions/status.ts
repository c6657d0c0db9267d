import { status } from '../../operations/status.js'
import type { ActionIo } from '../io.js'
import { clusterRef, operationDeps } from '../operation-io.js'
import { renderStatus } from '../render/status.js'

/** `airlift status`. */
export async function statusCommand(io: ActionIo, flags: Readonly<Record<string, unknown>>): Promise<number> {
  const result = await status(await clusterRef(flags), io.ctx, operationDeps(io))
  if (io.json) io.printJson(result)
  else io.print(renderStatus(result, io.style.out))
  return result.health === 'ready' ? 0 : 1
}
