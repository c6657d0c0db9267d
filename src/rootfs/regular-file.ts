import type { Stats } from 'node:fs'
import { AirliftError } from '../core/errors.js'

/**
 * Refuses what is no file on a disk. Archives are read at their offsets, which a pipe has not, and to open a pipe that
 * nobody writes to would wait for ever, where no signal reaches it.
 * @throws AirliftError E_LOCAL_FILE
 */
export function requireRegularFile(info: Stats, path: string): void {
  if (info.isFile()) return
  const what = info.isDirectory() ? 'a directory' : 'a pipe, a socket or a device'
  throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: it is ${what}, not a file`, {
    hint: 'write the content into a file first, and name that',
  })
}
