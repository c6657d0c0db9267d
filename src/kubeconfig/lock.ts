import { type FileLock, takeLock } from '../cluster/lock-file.js'
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

/**
 * Takes `FILE.lock`, the lock that kubectl takes too. A lock whose process is gone from this computer, or which is older
 * than `staleMs`, is taken over: a killed program must not block every later one (kind's issue 3781).
 *
 * @throws AirliftError E_LOCKED when another program holds it for `waitMs`
 */
export async function lockFile(file: string, times: LockTimes = LOCK_TIMES): Promise<FileLock> {
  const path = `${file}.lock`
  const deadline = Date.now() + times.waitMs
  for (;;) {
    const lock = await takeLock(path, times.staleMs)
    if (lock) return lock
    if (Date.now() > deadline) {
      throw new AirliftError('E_LOCKED', `another program holds the lock ${path}`, {
        hint: `when no kubectl or airlift is running, delete it: rm ${path}`,
      })
    }
    // Uneven, so that waiting programs do not stay in step.
    await new Promise((done) => setTimeout(done, 10 + Math.random() * 40))
  }
}
