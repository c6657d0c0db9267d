import { readdir, readFile, stat } from 'node:fs/promises'
import { dirname, isAbsolute, join } from 'node:path'
import { AirliftError } from '../../core/errors.js'
import type { ConfigLine } from './config-parse.js'
import { configError, parseConfig } from './config-parse.js'
import { expandTokens } from './config-tokens.js'
import type { LocalFacts } from './local-facts.js'

/** A configuration with its includes in place: read once, evaluated for each host. */
export type ConfigNode =
  | { readonly kind: 'line'; readonly line: ConfigLine }
  | { readonly kind: 'include'; readonly files: readonly (readonly ConfigNode[])[] }

const MAX_DEPTH = 16
const SYSTEM_CONFIG = '/etc/ssh/ssh_config'

/**
 * Reads the configuration: the file that was named and no other, or ~/.ssh/config and then /etc/ssh/ssh_config. The file
 * name `none` reads nothing.
 * @throws AirliftError E_SSH_CONFIG for a named file that cannot be read, for a bad line, and for a ~/.ssh/config that others may write
 */
export async function loadConfig(
  named: string | undefined,
  local: LocalFacts,
  systemFile: string = SYSTEM_CONFIG,
): Promise<readonly ConfigNode[]> {
  if (named === 'none') return []
  const userDir = join(local.home, '.ssh')
  if (named !== undefined) {
    const text = await readFile(named, 'utf8').catch((cause: NodeJS.ErrnoException) => {
      throw new AirliftError('E_SSH_CONFIG', `cannot read the SSH configuration ${named}: ${cause.code}`, {
        hint: 'give the path of a readable file',
        cause,
      })
    })
    return build(text, named, { local, base: userDir, depth: 0 })
  }
  const nodes: ConfigNode[] = []
  for (const [file, base] of [
    [join(userDir, 'config'), userDir],
    [systemFile, dirname(systemFile)],
  ] as const) {
    const text = await readFile(file, 'utf8').catch(() => undefined)
    if (text === undefined) continue
    if (file !== systemFile) await checkOwner(file, local)
    // Blocks end with the file, so each file is an include of its own.
    nodes.push({ kind: 'include', files: [await build(text, file, { local, base, depth: 0 })] })
  }
  return nodes
}

async function checkOwner(file: string, local: LocalFacts): Promise<void> {
  const stats = await stat(file)
  const owned = stats.uid === local.uid || stats.uid === 0
  if (owned && (stats.mode & 0o022) === 0) return
  throw new AirliftError('E_SSH_CONFIG', `${file} belongs to another user or may be written by others`, {
    hint: `chown and chmod 600 ${file}`,
  })
}

interface Place {
  readonly local: LocalFacts
  /** What relative includes are relative to: ~/.ssh, or /etc/ssh for the system's file. */
  readonly base: string
  readonly depth: number
}

async function build(text: string, file: string, place: Place): Promise<readonly ConfigNode[]> {
  const nodes: ConfigNode[] = []
  for (const line of parseConfig(text, file)) {
    if (line.key !== 'include') {
      nodes.push({ kind: 'line', line })
      continue
    }
    if (place.depth >= MAX_DEPTH) throw configError(line, 'includes are nested too deeply')
    const files: (readonly ConfigNode[])[] = []
    for (const word of line.words) {
      const path = expandTokens(word, { host: '', originalHost: '', local: place.local })
      const pattern = isAbsolute(path) ? path : join(place.base, path)
      for (const found of await glob(pattern)) {
        // ssh passes over included files that it cannot read.
        const content = await readFile(found, 'utf8').catch(() => undefined)
        if (content !== undefined)
          files.push(await build(content, found, { ...place, depth: place.depth + 1 }))
      }
    }
    nodes.push({ kind: 'include', files })
  }
  return nodes
}

/** Paths that match a pattern of glob(7), sorted; `*` and `?` do not match a leading dot. */
export async function glob(pattern: string): Promise<readonly string[]> {
  let found = ['/']
  for (const segment of pattern.split('/').filter((each) => each !== '')) {
    if (!/[*?[]/.test(segment)) {
      found = found.map((dir) => join(dir, segment))
      continue
    }
    const wanted = segmentPattern(segment)
    const next = await Promise.all(
      found.map(async (dir) => {
        const names = await readdir(dir).catch(() => [])
        const visible = names.filter(
          (name) => wanted.test(name) && (segment.startsWith('.') || !name.startsWith('.')),
        )
        return visible.sort().map((name) => join(dir, name))
      }),
    )
    found = next.flat()
  }
  return found
}

function segmentPattern(segment: string): RegExp {
  const source = segment.replace(/\[!?[^\]]+\]|[*?]|[.+^${}()|[\]\\]/g, (part) => {
    if (part === '*') return '.*'
    if (part === '?') return '.'
    if (part.length > 1) return part.replace('[!', '[^').replaceAll('\\', '\\\\')
    return `\\${part}`
  })
  return new RegExp(`^${source}$`)
}
