import { parseDuration } from '../../cluster/duration.js'
import { importImages } from '../../operations/images/import-images.js'
import { listImages } from '../../operations/images/list-images.js'
import { endOf } from '../finish-machines.js'
import { type ActionIo, UsageError } from '../io.js'
import { machineSelection } from '../machine-selection.js'
import { operationDeps } from '../operation-io.js'
import { renderImageList, renderImport } from '../render/images.js'

type Flags = Readonly<Record<string, unknown>>

const DEFAULT_TIMEOUT_MS = 1_800_000

/** `airlift image import`: exit 0 when every node has them, 3 when some have, 1 when none has (4: no time left). */
export async function importCommand(io: ActionIo, flags: Flags, sources: readonly string[]): Promise<number> {
  refuseSwallowed(flags, sources)
  if (sources.includes('-') && process.stdin.isTTY) {
    throw new UsageError(
      '"-" reads images from standard input, and that is a terminal: docker save … | airlift image import -',
    )
  }
  const given = flags.timeout === undefined ? undefined : String(flags.timeout)
  const timeoutMs = given === undefined ? DEFAULT_TIMEOUT_MS : parseDuration(given)
  if (timeoutMs === undefined)
    throw new UsageError(`--timeout takes a time such as 90s or 10m, not "${given}"`)
  const selection = await machineSelection(flags)
  const result = await importImages({ selection, sources, timeoutMs }, io.ctx, {
    ...operationDeps(io),
    stdin: process.stdin,
  })
  const { exit, error } = endOf(result.machines)
  if (io.json) io.printJson({ ...result, ...(error ? { error } : {}) })
  else io.print(renderImport(result, io.style.out))
  warnOf(io, result.machines)
  return exit
}

/** `airlift image list`: exit 0 when every node answered, 3 when some did, 1 when none did. */
export async function listCommand(io: ActionIo, flags: Flags): Promise<number> {
  const selection = await machineSelection(flags)
  const list = await listImages({ selection }, io.ctx, operationDeps(io))
  const shown = flags.diff === true ? { ...list, images: list.images.filter((image) => !image.same) } : list
  const { exit, error } = endOf(list.machines)
  if (io.json) io.printJson({ ...shown, ...(error ? { error } : {}) })
  else io.print(renderImageList(shown, flags.diff === true))
  warnOf(io, list.machines)
  return exit
}

/** `image import --nodes app.tar`: the flag, whose hosts may be left out, has taken the image. @throws UsageError */
function refuseSwallowed(flags: Flags, sources: readonly string[]): void {
  if (sources.length > 0) return
  const took = (['masters', 'nodes', 'on'] as const).find((name) => typeof flags[name] === 'string')
  if (took === undefined || took === 'on') throw new UsageError("missing required argument 'images'")
  const word = String(flags[took])
  throw new UsageError(
    `--${took} took "${word}" for hosts; write the flag last: airlift image import ${word} --${took}`,
  )
}

interface Failing {
  readonly node: string
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null
}

function warnOf(io: ActionIo, machines: readonly Failing[]): void {
  for (const { node, error } of machines) {
    if (!error) continue
    io.warn(`${io.style.err.red('error')}: ${node}: ${error.message} [${error.code}]`)
    if (error.hint) io.warn(`hint: ${error.hint}`)
  }
}
