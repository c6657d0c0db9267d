import type { MountSpec } from '../container-spec.js'
import type { LocalFacts } from '../spec-io.js'
import { splitFilteredText } from './filter.js'
import type { OptionProblem } from './option-problem.js'
import { isOptionProblem } from './option-problem.js'
import { containerPath } from './paths.js'

/** A mount with its filter. */
export interface VolumeRequest {
  /** The source is empty for a volume that each container is to have for itself: see {@link ownVolume}. */
  readonly mount: MountSpec
  readonly filter?: string
}

const HINT = 'write [SOURCE:]TARGET[:OPTIONS][@FILTER], such as /srv/data:/data:ro@workers:*'
// docker's volume names; one letter is a Windows drive.
const VOLUME = /^[A-Za-z0-9][\w.-]{1,200}$/
const PROPAGATION = /^r?(?:shared|slave|private)$/
// Nodes are privileged, so that SELinux asks for no label of theirs, and consistency is for old versions of Docker Desktop.
const WITHOUT_EFFECT = /^(?:z|Z|cached|delegated|consistent)$/

/**
 * Reads `--volume [SRC:]DEST[:OPTIONS][@FILTER]`. SRC is a path, which must exist where the engine is on this computer, or the
 * name of a volume. DEST alone gives each container a volume of its own. A colon or @ in a path cannot be written, as in docker.
 */
export async function parseVolume(
  text: string,
  cluster: string,
  local: LocalFacts,
): Promise<VolumeRequest | OptionProblem> {
  const refuse = (message: string, hint = HINT): OptionProblem => ({ message, hint })
  const { body, filter } = splitFilteredText(text)
  const parts = body.split(':')
  if (parts.length > 3 || parts.some((part) => part === '')) return refuse(`"${text}" is not a volume`)
  const alone = parts.length === 1
  const [from = '', to = from, optionText] = parts
  const target = containerPath(to)
  if (isOptionProblem(target)) {
    // "/data:ro" is a target with options to docker, since "ro" is no path.
    const meant =
      parts.length === 2 && to.split(',').every(isOption) ? `, so give the source of "${from}" too` : ''
    return refuse(`${target.message}${meant}`, target.hint)
  }
  const words = optionText === undefined ? [] : optionText.split(',')
  const wrong = words.find((word) => !isOption(word))
  if (wrong !== undefined) return refuse(`"${wrong}" is not an option of a volume, in "${text}"`)
  if (words.includes('ro') && words.includes('rw')) return refuse(`"${text}" is both ro and rw`)
  const propagation = words.filter((word) => PROPAGATION.test(word))
  if (propagation.length > 1) return refuse(`"${text}" is both ${propagation.join(' and ')}`)
  const source = alone ? { source: '', kind: 'volume' as const } : await readSource(from, cluster, local)
  if (isOptionProblem(source)) return source
  if (propagation.length > 0 && source.kind === 'volume') {
    return refuse(`"${propagation[0]}" is for paths, and "${from}" is a volume`)
  }
  const mount: MountSpec = {
    ...source,
    target: target.path,
    readOnly: words.includes('ro'),
    options: propagation,
  }
  return { mount, ...(filter === undefined ? {} : { filter }) }
}

function isOption(word: string): boolean {
  return word === 'ro' || word === 'rw' || PROPAGATION.test(word) || WITHOUT_EFFECT.test(word)
}

/** The mount of one container where the user named no source: a volume after the container and the path, which outlives it. */
export function ownVolume(mount: MountSpec, container: string): MountSpec {
  if (mount.source !== '') return mount
  const path = mount.target.replace(/[^A-Za-z0-9]+/g, '-').replace(/^-|-$/g, '')
  return { ...mount, source: `${container}-mount-${path}` }
}

async function readSource(
  from: string,
  cluster: string,
  local: LocalFacts,
): Promise<Pick<MountSpec, 'source' | 'kind'> | OptionProblem> {
  if (!/^(?:[/.~])/.test(from)) {
    if (!VOLUME.test(from)) {
      return {
        message: `"${from}" is neither a path nor the name of a volume`,
        hint: 'begin a path with / or ./',
      }
    }
    if (new RegExp(`^airlift-${cluster}-(?:images|(?:master|worker)-\\d+(?:-.*)?)$`).test(from)) {
      return { message: `the volume "${from}" is airlift's own`, hint: 'choose another name' }
    }
    return { source: from, kind: 'volume' }
  }
  if (!(await local.engineIsLocal())) {
    if (from.startsWith('/')) return { source: from, kind: 'bind' }
    return {
      message: `"${from}" is on the engine's computer, which is another one`,
      hint: 'write an absolute path',
    }
  }
  const source = local.absolutePath(from)
  if ((await local.pathKind(source)) === undefined) {
    return {
      code: 'E_LOCAL_FILE',
      message: `there is no "${source}" to mount`,
      hint: 'make it first, or name a volume, which is made as it is needed',
    }
  }
  return { source, kind: 'bind' }
}
