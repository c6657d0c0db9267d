import { link, open, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import type { Context } from '../../core/context.js'

/** A lock that was not touched for so long is dead, whatever runs under its process id now. */
const STALE_MS = 60_000

/** Runs with a lock file held, so that two programs do not download one file at once; waits while another one has it. */
export async function withFileLock<T>(
  path: string,
  ctx: Context,
  onWait: () => void,
  work: () => Promise<T>,
): Promise<T> {
  let told = false
  while (!(await tryLock(path))) {
    if (!told) onWait()
    told = true
    await ctx.clock.sleep(250, ctx.signal)
  }
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, 5_000)
  beat.unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    await rm(path, { force: true })
  }
}

async function tryLock(path: string): Promise<boolean> {
  try {
    const file = await open(path, 'wx')
    await file.writeFile(`${process.pid}\n`)
    await file.close()
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  const content = await readFile(path, 'utf8').catch(() => undefined)
  const info = await stat(path).catch(() => undefined)
  if (content === undefined || !info) return false
  const fresh = Date.now() - info.mtimeMs < STALE_MS
  if (fresh && (content.trim() === '' || isAlive(Number(content)))) return false
  // Take the dead lock away under a name of ours; when it is another one by now, put it back.
  const aside = `${path}.${process.pid}`
  try {
    await rename(path, aside)
    if ((await readFile(aside, 'utf8')) !== content) await link(aside, path).catch(() => {})
    await rm(aside, { force: true })
  } catch {
    // Someone else was quicker.
  }
  return false
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
