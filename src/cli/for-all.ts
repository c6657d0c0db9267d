import { AirliftError, isAirliftError } from '../core/errors.js'
import { type ListedCluster, list } from '../operations/list.js'
import { errorJson } from './finish.js'
import { type ActionIo, UsageError } from './io.js'
import { operationDeps } from './operation-io.js'
import { renderError } from './render/error.js'

type Flags = Readonly<Record<string, unknown>>

/** What is done with all clusters. */
export interface ForAll {
  readonly operation: string
  /** Asked once, before anything is done. */
  readonly question?: string
  readonly verb: (io: ActionIo, flags: Flags) => Promise<number>
  /** Tests give their own. */
  readonly known?: () => Promise<readonly ListedCluster[]>
}

/**
 * `--all`: does a verb for each cluster in containers that the engine has, one after the other, and goes on where one fails.
 * Hosts are left out: who means them names them. With JSON the documents of all clusters are one.
 */
export async function forAll(
  io: ActionIo,
  flags: Flags,
  { operation, question, verb, known = () => list(io.ctx, operationDeps(io)) }: ForAll,
): Promise<number> {
  const named = ['masters', 'nodes'].find((flag) => flags[flag] !== undefined)
  if (named !== undefined || flags.name !== undefined)
    throw new UsageError(`--all and --${named ?? 'name'} name two things`)
  const all = await known()
  const names = all.flatMap(({ name, runtime }) => (runtime === 'k3d' ? [name] : []))
  const onHosts = new Set(all.flatMap(({ name, runtime }) => (runtime === 'k3d' ? [] : [name])))
  if (question !== undefined && names.length > 0 && flags.yes !== true) {
    if ((await io.confirm(`${question}: ${names.join(', ')}?`)) === false)
      throw new AirliftError('E_DECLINED', 'not confirmed; nothing was changed')
  }
  const documents: unknown[] = []
  const codes: number[] = []
  const each: ActionIo = { ...io, printJson: (value) => documents.push(value) }
  for (const name of names) {
    io.ctx.signal.throwIfAborted()
    try {
      if (onHosts.has(name)) throw alsoHosts(name)
      codes.push(await verb(each, { ...flags, all: false, name, yes: true }))
    } catch (error) {
      if (!isAirliftError(error) || io.ctx.signal.aborted) throw error
      codes.push(error.exit)
      documents.push({ operation, name, outcome: 'failed', error: errorJson(error) })
      io.warn(`${name}: ${renderError(error, io).trimEnd()}`)
    }
  }
  if (io.json) io.printJson({ operation, clusters: documents })
  else if (names.length === 0) io.print('there are no clusters in containers')
  const failed = codes.filter((code) => code !== 0)
  return failed.length === 0 ? 0 : failed.length < codes.length ? 3 : (failed[0] ?? 1)
}

/** By its name alone the hosts would be meant, which --all never does. */
function alsoHosts(name: string): AirliftError {
  return new AirliftError('E_REFUSED', `"${name}" is also the name of a cluster on hosts`, {
    hint: `remove that one first, if it is not needed: airlift reset --name ${name}`,
  })
}
