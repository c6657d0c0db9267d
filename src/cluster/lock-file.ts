import { randomBytes } from 'node:crypto'
import { readlinkSync } from 'node:fs'
import { link, open, readFile, rename, rm, stat } from 'node:fs/promises'
import { hostname } from 'node:os'
import { isAlive } from './is-alive.js'

/** A lock that is held. */
export interface FileLock {
  readonly path: string
  /** Gives the lock back, unless another program has taken it over. */
  release(): Promise<void>
}

/** What an airlift writes into its locks. */
interface Owner {
  readonly pid: number
  /** Of this one lock, and of no other. */
  readonly id: string
  /** Whether its process ran where this one does, and runs no more. */
  readonly dead: boolean
}

/**
 * Takes a lock file, without waiting; undefined while another program holds it. A lock whose process is gone from this
 * computer is taken over, and so is any that nobody has touched for `staleMs` milliseconds.
 *
 * @throws what the file system says, where no file can be made
 */
export async function takeLock(path: string, staleMs: number): Promise<FileLock | undefined> {
  const mark = `airlift ${process.pid} ${place()} ${randomBytes(8).toString('hex')}\n`
  while (!(await create(path, mark))) {
    if (!(await removeStale(path, staleMs))) return undefined
  }
  return {
    path,
    async release() {
      if ((await read(path)) === mark) await rm(path, { force: true })
    },
  }
}

/**
 * Removes a lock whose process is gone from this computer; false when it has none that is. Of programs that find the same
 * dead lock at the same time one removes it: a slower one would remove the lock of whoever came after it.
 */
export async function removeDeadLock(path: string): Promise<boolean> {
  const mark = await read(path)
  const owner = ownerOf(mark)
  // Read before its process is asked for: that may have given the lock back and ended since. So it is read again below.
  if (!owner?.dead) return false
  const right = `${path}.${owner.pid}.${owner.id}.dead`
  try {
    await (await open(right, 'wx', 0o600)).close()
  } catch {
    // Another program is removing it. Had that been killed here, the lock's age would decide.
    return false
  }
  try {
    if ((await read(path)) === mark) await rm(path, { force: true })
    return true
  } finally {
    await rm(right, { force: true })
  }
}

/** Whether the file at a path is a lock whose process is gone from this computer. */
export async function isDeadLock(path: string): Promise<boolean> {
  return ownerOf(await read(path))?.dead === true
}

async function create(path: string, mark: string): Promise<boolean> {
  // Written first and linked into place, so that no other program sees a lock without its owner.
  const temporary = besides(path)
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

/** Removes a lock that was left behind; tells whether it is worth trying again at once. */
async function removeStale(path: string, staleMs: number): Promise<boolean> {
  const before = await stat(path).catch(() => undefined)
  if (before === undefined || (await removeDeadLock(path))) return true
  if (Date.now() - before.mtimeMs < staleMs) return false
  // Moved away first: had its program ended at this moment and another taken it, this would be that lock, which goes back.
  const aside = besides(path)
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

/** A name beside a lock that no other program uses; what a killed one left under it is known by the process id. */
const besides = (path: string): string => `${path}.${process.pid}.${randomBytes(6).toString('hex')}`

function ownerOf(mark: string | undefined): Owner | undefined {
  const [, pid, where, id] = /^airlift (\d+) (\S+) (\w+)\n$/.exec(mark ?? '') ?? []
  if (pid === undefined || id === undefined) return undefined
  return { pid: Number(pid), id, dead: where === place() && !isAlive(Number(pid)) }
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8')
  } catch {
    // kubectl's lock has no permissions at all; only root can read it.
    return undefined
  }
}

/**
 * Where process ids mean the same: a container that has the name of its host has processes of its own, and so all those of
 * the host would look dead from inside.
 */
function place(): string {
  try {
    return `${hostname()}/${readlinkSync('/proc/self/ns/pid')}`
  } catch {
    // Not on Linux: one computer has one set of processes.
    return hostname()
  }
}
