import { utimes } from 'node:fs/promises'
import { type FileLock, takeLock } from '../../cluster/lock-file.js'
import type { Context } from '../../core/context.js'

/** A lock that was not touched for so long is dead, whatever runs under its process id now. Milliseconds. */
const STALE_MS = 60_000

/** Runs with a lock file held, so that two programs do not download one file at once; waits while another one has it. */
export async function withFileLock<T>(
  path: string,
  ctx: Context,
  onWait: () => void,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await waitForLock(path, ctx, onWait)
  const beat = setInterval(() => {
    const now = new Date()
    utimes(path, now, now).catch(() => {})
  }, 5_000)
  beat.unref()
  try {
    return await work()
  } finally {
    clearInterval(beat)
    await lock.release()
  }
}

async function waitForLock(path: string, ctx: Context, onWait: () => void): Promise<FileLock> {
  for (let told = false; ; told = true) {
    const lock = await takeLock(path, STALE_MS)
    if (lock) return lock
    if (!told) onWait()
    await ctx.clock.sleep(250, ctx.signal)
  }
}
