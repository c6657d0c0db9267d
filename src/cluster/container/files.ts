import { posix } from 'node:path'
import type { ContainerFileSpec } from '../container-spec.js'
import { reasonOf, type SpecIo } from '../spec-io.js'
import { splitFilteredText } from './filter.js'
import { isOptionProblem, type OptionProblem } from './option-problem.js'
import { containerPath } from './paths.js'

/** A file with its filter. */
export interface FileRequest {
  readonly file: ContainerFileSpec
  readonly filter?: string
}

/** Every start sends it; what is larger belongs into a volume. */
const MAX_BYTES = 16 * 1024 ** 2
const HINT = 'write FILE:PATH[@FILTER], such as ./audit.yaml:/etc/rancher/k3s/audit.yaml@masters:*'

/**
 * Reads `--file SRC:DST[@FILTER]` and the file itself. SRC is relative to the working directory; DST may be one of k3d's words
 * such as `k3s-manifests`, and with a slash at its end it is the directory to put the file into. The mode is 0644, as in k3d.
 */
export async function parseFile(
  text: string,
  io: Pick<SpecIo, 'readFile'>,
): Promise<FileRequest | OptionProblem> {
  const { body, filter } = splitFilteredText(text)
  const colon = body.lastIndexOf(':')
  if (colon < 1 || colon === body.length - 1)
    return { message: `"${text}" is not a file with its place`, hint: HINT }
  const from = body.slice(0, colon)
  const to = body.slice(colon + 1)
  const place = containerPath(to.endsWith('/') ? `${to}${posix.basename(from)}` : to)
  if (isOptionProblem(place)) return place
  try {
    const content = await io.readFile(from)
    if (content.length > MAX_BYTES) {
      const message = `"${from}" has ${content.length} bytes, and a file may have ${MAX_BYTES}`
      return { message, hint: 'mount it with --volume' }
    }
    return { file: { path: place.path, content, mode: '0644' }, ...(filter === undefined ? {} : { filter }) }
  } catch (error) {
    const reason = reasonOf(error)
    const hint =
      reason === 'it is a directory'
        ? 'mount it with --volume'
        : 'name a file on this computer that you may read'
    return { code: 'E_LOCAL_FILE', message: `cannot read "${from}": ${reason}`, hint }
  }
}
