import { randomBytes } from 'node:crypto'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { AirliftError } from '../core/errors.js'

/** How long a lock is waited for, and when one that nobody owns is taken for left behind. Milliseconds. */
export interface LockTimes {
  /** Default 15000. */
  readonly waitMs: number
  /** kubectl holds its lock for milliseconds and writes nothing into it, so age is all there is. Default 60000. */
  readonly staleMs: number
}

/** The defaults of {@link LockTimes}. */
export const LOCK_TIMES: LockTimes = { waitMs: 15_000, staleMs: 60_000 }

/** A lock that is held. */
export interface FileLock {
  readonly path: string
  /** Gives the lock back, unless another program has taken it over. */
  release(): Promise<void>
}

/**
 * Takes `FILE.lock`, the lock that kubectl takes too. A lock whose process is gone from this computer, or which is older
 * than `staleMs`, is taken over: a killed program must not block every later one (kind's issue 3781).
 *
 * @throws AirliftError E_LOCKED when another program holds it for `waitMs`
 */
export async function lockFile(file: string, times: LockTimes = LOCK_TIMES): Promise<FileLock> {
  const path = `${file}.lock`
  const mark = `airlift ${process.pid} ${hostname()} ${randomBytes(8).toString('hex')}\n`
  const deadline = Date.now() + times.waitMs
  while (!(await create(path, mark))) {
    if (await removeStale(path, times.staleMs)) continue
    if (Date.now() > deadline) {
      throw new AirliftError('E_LOCKED', `another program holds the lock ${path}`, {
        hint: `when no kubectl or airlift is running, delete it: rm ${path}`,
      })
    }
    // Uneven, so that waiting programs do not stay in step.
    await new Promise((done) => setTimeout(done, 10 + Math.random() * 40))
  }
  return {
    path,
    async release() {
      if ((await read(path)) === mark) await rm(path, { force: true })
    },
  }
}

async function create(path: string, mark: string): Promise<boolean> {
  // Written first and linked into place, so that no other program sees a lock without its owner.
  const temporary = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`
  const handle = await open(temporary, 'wx', 0o600)
  try {
    await handle.writeFile(mark)
    await handle.close()
    await link(temporary, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    await rm(temporary, { force: true })
  }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    // kubectl's lock has no permissions at all; only root can read it.
    return undefined
  }
}

/** Removes a lock that was left behind; tells whether it is worth trying again at once. */
async function removeStale(path: string, staleMs: number): Promise<boolean> {
  const before = await stat(path).catch(() => undefined)
  if (before === undefined) return true
  const owner = /^airlift (\d+) (\S+) /.exec((await read(path)) ?? '')
  const dead = owner !== null && owner[2] === hostname() && !isAlive(Number(owner[1]))
  if (!dead && Date.now() - before.mtimeMs < staleMs) return false
  // Moved away first: had another program taken it over meanwhile, this would be its lock, which goes back.
  const aside = `${path}.${process.pid}.${randomBytes(6).toString('hex')}`
  try {
    await rename(path, aside)
  } catch {
    return true
  }
  const moved = await stat(aside).catch(() => undefined)
  if (moved && (moved.ino !== before.ino || moved.mtimeMs !== before.mtimeMs))
    await link(aside, path).catch(() => {})
  await rm(aside, { force: true })
  return true
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH'
  }
}
