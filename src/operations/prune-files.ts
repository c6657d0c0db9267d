import { readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { isAlive } from '../cluster/is-alive.js'
import { isDeadLock, removeDeadLock } from '../cluster/lock-file.js'
import { recordDir } from '../cluster/record.js'
import { readTempNotes } from '../cluster/temp-paths.js'
import type { Context } from '../core/context.js'
import { kubeconfigPaths } from '../kubeconfig/paths.js'
import { cacheDir } from '../rootfs/download/fetch-release.js'
import type { Leftover } from './leftover.js'

/** A download that nobody has gone on with for so long is given up. Milliseconds. */
const OLD_MS = 24 * 3_600_000

/** Names of airlift's temporary directories: its own, and what mkdtemp makes of a prefix. */
const TEMP_NAMES = /^airlift-((build|engine|images)-)?[A-Za-z0-9]{6,12}$/

/** Files and directories of this computer that dead runs of airlift left. Only names that airlift gives are looked at. */
export async function findFiles(ctx: Context): Promise<Leftover[]> {
  const found = await Promise.all([
    notedFiles(ctx),
    downloads(ctx),
    temporaries(ctx),
    kubeconfigs(ctx),
    records(ctx),
  ])
  const seen = new Set<string>()
  return found.flat().filter(({ name }) => !seen.has(name) && seen.add(name))
}

const leftover = (path: string, reason: string): Leftover => ({
  kind: 'file',
  name: path,
  cluster: null,
  reason,
})

async function notedFiles({ env }: Context): Promise<Leftover[]> {
  const notes = await readTempNotes(env)
  return notes
    .filter((note) => note.dead)
    .flatMap(({ note, path }) => [
      leftover(path, 'the command that made it was killed'),
      leftover(note, 'a note of what a killed command made'),
    ])
}

/** Halves of downloads, their locks, and bundles that were not finished. */
async function downloads(ctx: Context): Promise<Leftover[]> {
  const dir = cacheDir(ctx.env)
  const paths = (await readdir(dir, { recursive: true }).catch(() => [])).map((name) => join(dir, name))
  const unfinished = paths.filter((path) =>
    /\.(part|part\.json|lock)$|\.lock\.\d+\.\w+(\.dead)?$|\.[0-9a-f]{12}\.tmp$/.test(path),
  )
  const old = await Promise.all(unfinished.map((path) => isOld(path, ctx)))
  return unfinished.filter((_, i) => old[i]).map((path) => leftover(path, 'a download that was given up'))
}

/** Directories of a day ago that are this user's: what was made before notes were kept, or by other parts. */
async function temporaries(ctx: Context): Promise<Leftover[]> {
  const dir = ctx.env.TMPDIR || tmpdir()
  const noted = new Set((await readTempNotes(ctx.env)).map((note) => note.path))
  const names = (await readdir(dir).catch(() => [])).filter((name) => TEMP_NAMES.test(name))
  const paths = names.map((name) => join(dir, name)).filter((path) => !noted.has(path))
  const old = await Promise.all(paths.map((path) => isOld(path, ctx)))
  return paths
    .filter((_, i) => old[i])
    .map((path) => leftover(path, 'a temporary directory of more than a day ago'))
}

/** Beside kubeconfigs: halves of writes, and locks, of processes that are gone. */
async function kubeconfigs(ctx: Context): Promise<Leftover[]> {
  const found = await Promise.all(
    kubeconfigPaths({ env: ctx.env }).map(async (path) => {
      const dir = dirname(path)
      const file = basename(path)
      const names: string[] = await readdir(dir).catch(() => [])
      const halves = names.filter((name) => {
        const pid = new RegExp(
          `^(\\.${literal(file)}|${literal(file)}\\.lock)\\.(\\d+)\\.[0-9a-f]{12}$`,
        ).exec(name)?.[2]
        return pid !== undefined && !isAlive(Number(pid))
      })
      const dead = await isDeadLock(`${path}.lock`)
      const rights = names.filter((name) => name.startsWith(`${file}.lock.`) && name.endsWith('.dead'))
      const old = await Promise.all(rights.map((name) => isOld(join(dir, name), ctx)))
      return [...halves, ...(dead ? [`${file}.lock`] : []), ...rights.filter((_, i) => old[i])].map((name) =>
        join(dir, name),
      )
    }),
  )
  return found.flat().map((path) => leftover(path, 'the command that wrote a kubeconfig was killed'))
}

async function records({ env }: Context): Promise<Leftover[]> {
  const dir = recordDir(env)
  const names = await readdir(dir).catch(() => [])
  return names
    .filter((name) => {
      const pid = /\.json\.(\d+)\.tmp$/.exec(name)?.[1]
      return pid !== undefined && !isAlive(Number(pid))
    })
    .map((name) => leftover(join(dir, name), 'the command that wrote a record was killed'))
}

const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

async function isOld(path: string, ctx: Context): Promise<boolean> {
  const info = await stat(path).catch(() => undefined)
  return info !== undefined && info.uid === process.getuid?.() && ctx.clock.now() - info.mtimeMs > OLD_MS
}

/** Removes one of them; not a lock that another command has taken meanwhile. */
export async function removeFile({ name }: Leftover, ctx: Context): Promise<void> {
  if (name.endsWith('.lock') && ((await removeDeadLock(name)) || !(await isOld(name, ctx)))) return
  await rm(name, { recursive: true, force: true })
}
