import { createHash } from 'node:crypto'
import { createReadStream, type Stats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { basename, join, resolve } from 'node:path'
import { Readable } from 'node:stream'
import { AirliftError } from '../core/errors.js'
import type { PutRequest } from '../machine/machine.js'

/** What is copied, ready to be sent to any number of machines: read as a stream each time, never held in memory. */
export interface CopySource {
  readonly kind: 'file' | 'directory'
  /** Its own name, without the directories above. */
  readonly name: string
  /** The bytes (of a directory: its tar archive), their digest, and the mode of the file or directory. */
  readonly put: Pick<PutRequest, 'open' | 'sizeBytes' | 'sha256' | 'mode'>
}

/** Reads a file or directory once for its size and digest. @throws AirliftError E_LOCAL_FILE */
export async function openCopySource(path: string): Promise<CopySource> {
  const full = resolve(path)
  try {
    const info = await stat(full)
    if (!info.isFile() && !info.isDirectory()) {
      throw new AirliftError('E_LOCAL_FILE', `"${path}" is neither a file nor a directory`, {
        hint: 'name a regular file or a directory',
      })
    }
    const special: string[] = []
    const open = info.isFile() ? () => createReadStream(full) : await archiveOf(full, special)
    const mode = (info.mode & 0o7777).toString(8).padStart(4, '0')
    const measured = await measure(open)
    const first = special[0]
    if (first !== undefined) throw notCopied(join(path, first), special.length - 1)
    return {
      kind: info.isFile() ? 'file' : 'directory',
      name: basename(full),
      put: { open, mode, ...measured },
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'ENOTDIR') throw error
    throw new AirliftError(
      'E_LOCAL_FILE',
      `cannot read "${path}": ${code === 'EACCES' ? 'permission denied' : 'no such file'}`,
      {
        hint: 'name a file or directory on this computer that you may read',
        cause: error,
      },
    )
  }
}

function notCopied(path: string, others: number): AirliftError {
  const more = others === 0 ? '' : `, as ${others === 1 ? 'another one is' : `${others} others are`}`
  return new AirliftError('E_LOCAL_FILE', `"${path}" is a socket, a pipe or a device${more}`, {
    hint: 'only files, directories and symbolic links can be copied: take it out of the directory',
  })
}

/**
 * Packing the same directory twice must give the same bytes, so the times at which it was last read stay out. What `tar`
 * cannot pack (sockets, pipes, devices) is left out and its path goes into `special`: a pack that meets one never ends.
 */
async function archiveOf(directory: string, special: string[]): Promise<() => Readable> {
  const { create } = await import('tar')
  return () => {
    const pack = create(
      {
        cwd: directory,
        filter: (path, info) => {
          const plain = isPlain(info as Stats)
          if (!plain) special.push(path)
          return plain
        },
        // Not `portable`: that changes modes.
        onWriteEntry: ({ stat: info }) => {
          if (!info) return
          info.atime = info.mtime
          info.ctime = info.mtime
        },
      },
      ['.'],
    )
    return Readable.from(pack as unknown as AsyncIterable<Buffer>)
  }
}

function isPlain(info: Stats): boolean {
  return info.isFile() || info.isDirectory() || info.isSymbolicLink()
}

async function measure(open: () => Readable): Promise<{ sizeBytes: number; sha256: string }> {
  const hash = createHash('sha256')
  let sizeBytes = 0
  for await (const chunk of open()) {
    hash.update(chunk as Buffer)
    sizeBytes += (chunk as Buffer).length
  }
  return { sizeBytes, sha256: hash.digest('hex') }
}
