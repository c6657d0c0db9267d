import type { FilesystemFact, ManagedFacts } from './facts.js'
import { linesOf, one, type ProbeOutput } from './probe-output.js'

/** What the probe was asked; the answers refer to it by index. */
export interface Asked {
  readonly files?: readonly string[]
  readonly units?: readonly string[]
}

/** Blobs, files, services, journal, record and fragments. */
export function parseManaged(output: ProbeOutput, asked: Asked): ManagedFacts {
  const record = parseRecord(output.blocks.get('record'))
  return {
    blobs: parseBlobs(linesOf(output, 'blobs')),
    files: parseFiles(output, asked.files ?? []),
    units: output.blocks.has('units')
      ? parseSystemdUnits(output, asked.units ?? [])
      : parseOpenrcUnits(output, asked.units ?? []),
    journal: linesOf(output, 'journal'),
    ...(record ? { record } : {}),
    ...parseLock(linesOf(output, 'lock')),
    fragments: parseFragments(output),
  }
}

/** Id, whether it is held, who, since when, with what. */
function parseLock(lines: readonly string[]): Pick<ManagedFacts, 'lock'> {
  const [id, held, who = '', since = '', operation = ''] = lines
  return id ? { lock: { id, held: held === 'yes', who, since, operation } } : {}
}

/** Lines of `ls -lin`: inode, mode, links, uid, gid, size, date (three words), name. */
function parseBlobs(lines: readonly string[]): ManagedFacts['blobs'] {
  return lines.flatMap((line) => {
    const fields = line.trim().split(/\s+/)
    const sha256 = fields.at(-1) ?? ''
    if (!/^[0-9a-f]{64}$/.test(sha256) || !fields[1]?.startsWith('-')) return []
    return [{ sha256, sizeBytes: Number(fields[5]) }]
  })
}

/** In the order in which they were asked for. What is a blob has its digest as its name; of the others `sha256sum` tells. */
function parseFiles(output: ProbeOutput, asked: readonly string[]): ManagedFacts['files'] {
  const sums = new Map(
    linesOf(output, 'sums').map((line): [string, string] => {
      const [, sum = '', path = ''] = /^([0-9a-f]{64}) [ *](.*)$/.exec(line) ?? []
      return [path, sum]
    }),
  )
  const told = (output.values.get('file') ?? []).toSorted((a, b) => Number(a[0]) - Number(b[0]))
  return told.flatMap(([index, inode, mode = '', size, blob]) => {
    const path = asked[Number(index)]
    if (path === undefined) return []
    const sha256 = blob || sums.get(path)
    return [
      {
        path,
        ...(sha256 ? { sha256 } : {}),
        mode: octalMode(mode),
        sizeBytes: Number(size),
        ...(inode ? { inode: Number(inode) } : {}),
        ...(blob ? { blob } : {}),
      },
    ]
  })
}

/** `-rwsr-xr-x` as `4755`; always four digits. */
export function octalMode(text: string): string {
  const triple = (at: number): number =>
    (text[at] === 'r' ? 4 : 0) + (text[at + 1] === 'w' ? 2 : 0) + (/[xst]/.test(text[at + 2] ?? '') ? 1 : 0)
  const special =
    (/[sS]/.test(text[3] ?? '') ? 4 : 0) +
    (/[sS]/.test(text[6] ?? '') ? 2 : 0) +
    (/[tT]/.test(text[9] ?? '') ? 1 : 0)
  return `${special}${triple(1)}${triple(4)}${triple(7)}`
}

/** `systemctl show` gives one paragraph for each unit, in the order in which they were asked for. */
function parseSystemdUnits(output: ProbeOutput, asked: readonly string[]): ManagedFacts['units'] {
  const paragraphs = (output.blocks.get('units') ?? '').trim().split(/\n\s*\n/)
  return asked.flatMap((unit, index) => {
    const fields = new Map(
      (paragraphs[index] ?? '').split('\n').map((line): [string, string] => {
        const at = line.indexOf('=')
        return [line.slice(0, at), line.slice(at + 1)]
      }),
    )
    if (!fields.has('LoadState')) return []
    const sub = fields.get('SubState')
    const restarts = fields.get('NRestarts')
    return [
      {
        unit,
        loaded: fields.get('LoadState') === 'loaded',
        enabled: fields.get('UnitFileState') === 'enabled',
        active: fields.get('ActiveState') ?? 'unknown',
        ...(sub ? { sub } : {}),
        ...(restarts ? { restarts: Number(restarts) } : {}),
      },
    ]
  })
}

function parseOpenrcUnits(output: ProbeOutput, asked: readonly string[]): ManagedFacts['units'] {
  return (output.values.get('unit') ?? []).flatMap(([, loaded, enabled, active = 'unknown'], index) => {
    const unit = asked[index]
    return unit === undefined ? [] : [{ unit, loaded: loaded === '1', enabled: enabled === '1', active }]
  })
}

function parseRecord(text: string | undefined): Record<string, unknown> | undefined {
  if (text === undefined) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}

function parseFragments(output: ProbeOutput): Record<string, string> {
  return Object.fromEntries(
    [...output.blocks].flatMap(([name, text]) =>
      name.startsWith('fragment.') ? [[name.slice('fragment.'.length), text]] : [],
    ),
  )
}

/** File systems of the paths that were asked for; `df` told of them in the same order. */
export function parseFilesystems(output: ProbeOutput): readonly FilesystemFact[] {
  const mounts = linesOf(output, 'mounts').map((line) => line.split(' '))
  const [spaces, inodes] = [linesOf(output, 'df'), linesOf(output, 'dfi')]
  return (output.values.get('path') ?? []).flatMap(([path = '', , writable], index) => {
    const space = parseDf(spaces[index])
    if (!space) return []
    const left = parseDf(inodes[index])
    const mount = mounts.findLast((fields) => unescapeMount(fields[1] ?? '') === space.mountPoint)
    return [
      {
        path,
        mountPoint: space.mountPoint,
        type: mount?.[2] ?? 'unknown',
        sizeBytes: space.total * 1024,
        freeBytes: space.free * 1024,
        ...(left && left.total > 0 ? { freeInodes: left.free } : {}),
        options: mount?.[3]?.split(',') ?? [],
        writable: writable === '1',
      },
    ]
  })
}

/** Columns of `df -P`. */
function parseDf(line = ''): { total: number; free: number; mountPoint: string } | undefined {
  const match = /\s(\d+)\s+-?\d+\s+(-?\d+)\s+(?:-|\d+%)\s+(\/.*)$/.exec(line)
  if (!match) return undefined
  return { total: Number(match[1]), free: Number(match[2]), mountPoint: match[3] ?? '' }
}

/** /proc/mounts writes a blank as `\040`. */
function unescapeMount(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}

/** Whether a value of the probe says yes, no or nothing. */
export function yesNo(output: ProbeOutput, key: string): boolean | undefined {
  const value = one(output, key)
  if (value === undefined) return undefined
  return /^(y|yes|1|true|enforcing)$/i.test(value)
}
