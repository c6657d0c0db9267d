import { readRecords } from '../cluster/record.js'
import type { Context } from '../core/context.js'

/** One cluster that this computer remembers; an entry of `airlift list -o json`. */
export interface ListedCluster {
  readonly name: string
  readonly runtime: string
  readonly version: string
  readonly masters: number
  readonly workers: number
}

/** All clusters that this computer remembers, by name. Reads records only: no machine is asked. */
export async function list(ctx: Pick<Context, 'env'>): Promise<ListedCluster[]> {
  return (await readRecords(ctx.env)).map(({ name, runtime, version, masters, nodes }) => ({
    name,
    runtime,
    version,
    masters: masters.length,
    workers: nodes.length,
  }))
}
