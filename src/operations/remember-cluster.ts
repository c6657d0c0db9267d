import { recordOf, writeRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { World } from '../runtime/runtime.js'
import type { OperationDeps } from './session.js'
import { findTakenName } from './taken-name.js'

/**
 * Writes the record of a cluster that was changed. Where this computer remembers another one of the same name, as when the
 * command was led here through a host that it named, that stays what is remembered, with a warning.
 */
export async function rememberCluster(
  spec: ClusterSpec,
  version: string,
  { machines }: Pick<World, 'machines'>,
  ctx: Context,
  deps: OperationDeps,
): Promise<void> {
  const [taken] = await findTakenName(spec, machines, ctx, deps)
  if (!taken) return writeRecord(recordOf(spec, version, new Date(ctx.clock.now())), ctx.env)
  const message = `this cluster is not remembered here: ${taken.message}`
  ctx.events.emit({ level: 'warn', code: 'record.kept', message })
}
