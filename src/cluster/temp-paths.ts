import { randomBytes } from 'node:crypto'
import { rmSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { isAlive } from './is-alive.js'
import { recordDir } from './record.js'

type Env = Readonly<Record<string, string | undefined>>

/** Something that a process of airlift is making, noted so that it can be found when that process was killed. */
export interface TempNote {
  /** File of the note itself. */
  readonly note: string
  /** What is to be removed. */
  readonly path: string
  /** Whether the process that noted it is gone from this computer. */
  readonly dead: boolean
}

/** A path that is noted. */
export interface NotedPath {
  /** The path is finished or removed: nothing is left to clean. */
  forget(): Promise<void>
}

/** Names that airlift gives to what it has not finished. Nothing else is ever removed because of a note. */
const OURS = /^(airlift-build-.+|\.airlift-logs-.+|\..+\.[0-9a-f]{12}\.tmp)$/

/** `temp` beside the records. */
export function tempDir(env: Env): string {
  return join(dirname(recordDir(env)), 'temp')
}

/**
 * Notes a file or directory before it is made. It is removed when this process exits without having forgotten it (a second
 * Ctrl-C), and found by `airlift prune` when the process was killed. A note that cannot be written is done without.
 */
export async function noteTemp(path: string, env: Env): Promise<NotedPath> {
  const dir = tempDir(env)
  const note = join(dir, `${process.pid}-${randomBytes(6).toString('hex')}.json`)
  await mkdir(dir, { recursive: true, mode: 0o700 })
    .then(() =>
      writeFile(note, `${JSON.stringify({ path, pid: process.pid, host: hostname() })}\n`, { mode: 0o600 }),
    )
    .catch(() => {})
  const clean = (): void => {
    rmSync(path, { recursive: true, force: true })
    rmSync(note, { force: true })
  }
  process.once('exit', clean)
  return {
    async forget() {
      process.off('exit', clean)
      await rm(note, { force: true })
    },
  }
}

/** All notes of this computer; those of others, whose home is shared, are not told. */
export async function readTempNotes(env: Env): Promise<TempNote[]> {
  const dir = tempDir(env)
  const names = await readdir(dir).catch(() => [])
  const notes = await Promise.all(
    names
      .filter((name) => name.endsWith('.json'))
      .map(async (name): Promise<TempNote | undefined> => {
        const note = join(dir, name)
        try {
          const value = JSON.parse(await readFile(note, 'utf8')) as Record<string, unknown>
          const { path, pid, host } = value
          if (typeof path !== 'string' || typeof pid !== 'number' || host !== hostname()) return undefined
          return isAbsolute(path) && OURS.test(basename(path))
            ? { note, path, dead: !isAlive(pid) }
            : undefined
        } catch {
          return undefined
        }
      }),
  )
  return notes.filter((note) => note !== undefined)
}
