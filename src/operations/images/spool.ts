import { createWriteStream } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Context } from '../../core/context.js'
import { AirliftError, isAirliftError } from '../../core/errors.js'

/** A directory that is removed when it is disposed. */
export interface SpoolDir extends AsyncDisposable {
  readonly path: string
}

/** Makes a directory for what can be read only once. TMPDIR says where. @throws AirliftError E_LOCAL_FILE */
export async function openSpool(ctx: Context): Promise<SpoolDir> {
  const parent = ctx.env.TMPDIR || tmpdir()
  const path = await mkdtemp(join(parent, 'airlift-images-')).catch((cause: Error) => {
    throw new AirliftError('E_LOCAL_FILE', `cannot make a directory in ${parent}: ${cause.message}`, {
      cause,
      hint: 'let TMPDIR name a directory that exists and can be written',
    })
  })
  return { path, [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }) }
}

/**
 * Writes a stream to a file, so that every node can read it at its own pace.
 * @throws AirliftError E_DISK_FULL, and what the stream throws
 */
export async function spool(
  source: Readable,
  path: string,
  what: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await pipeline(source, createWriteStream(path, { mode: 0o600, highWaterMark: 1 << 20 }), { signal })
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    if (isAirliftError(cause)) throw cause
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new AirliftError('E_DISK_FULL', `no space left to keep ${what} in ${path}`, {
        cause,
        hint: 'free some space, or let TMPDIR name a directory that has it',
      })
    }
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${what}: ${(cause as Error).message}`, {
      cause,
      hint: 'save the images to a file, and import that',
    })
  }
}
