import { spawn, spawnSync } from 'node:child_process'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import * as zlib from 'node:zlib'
import { AirliftError } from '../core/errors.js'
import { fileReason } from './file-reason.js'
import { requireRegularFile } from './regular-file.js'
import { sniffFile } from './sniff.js'

/** zstd came to Node in 22.15; the types of Node 20 do not know it. */
const nodeZstd = (zlib as { createZstdDecompress?: () => Transform }).createZstdDecompress

/** Whether zstd can be read here: by Node, or by the program. */
export function canReadZstd(): boolean {
  return nodeZstd !== undefined || spawnSync('zstd', ['--version'], { stdio: 'ignore' }).status === 0
}

/** First bytes of a file, for looking at what it is. */
export async function readStart(path: string, length = 512): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(length), 0, length, 0)
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

/**
 * The path of the archive without compression: the file itself, or a copy in `tempDir` for gzip and zstd. What it is is
 * told by its content, not by its name.
 * @throws AirliftError E_LOCAL_FILE for other compressions, a damaged file, or zstd where nothing can read it
 */
export async function decompressed(path: string, tempDir: string, signal: AbortSignal): Promise<string> {
  const cannotRead = (cause: unknown): never => {
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${fileReason(cause)}`, { cause })
  }
  requireRegularFile(await stat(path).catch(cannotRead), path)
  const start = await readStart(path).catch(cannotRead)
  const hex = start.subarray(0, 4).toString('hex')
  const gzip = hex.startsWith('1f8b')
  const zstd = hex === '28b52ffd'
  if (!gzip && !zstd) {
    const found = sniffFile(start)
    if (!found) return path
    throw new AirliftError('E_LOCAL_FILE', `${path} is ${found.what}, not an archive of images`, {
      hint: found.remedy,
    })
  }
  const target = join(tempDir, `images-${process.hrtime.bigint()}.tar`)
  try {
    if (zstd && !nodeZstd) await spawnZstd(path, target, signal)
    else {
      const unpack = zstd && nodeZstd ? nodeZstd() : zlib.createGunzip()
      await pipeline(createReadStream(path, { highWaterMark: 1 << 20 }), unpack, createWriteStream(target), {
        signal,
      })
    }
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    if ((cause as NodeJS.ErrnoException).code === 'ENOSPC') {
      throw new AirliftError('E_DISK_FULL', `no space left to unpack ${path} in ${tempDir}`, {
        cause,
        hint: 'free some space, or let TMPDIR name a directory that has it',
      })
    }
    if (cause instanceof AirliftError) throw cause
    throw new AirliftError('E_LOCAL_FILE', `${path} cannot be unpacked: ${fileReason(cause)}`, {
      cause,
      hint: 'download or copy the file again: it is damaged or was cut',
    })
  }
  return target
}

/** Unpacks with the zstd program, for Node before 22.15. */
async function spawnZstd(path: string, target: string, signal: AbortSignal): Promise<void> {
  const child = spawn('zstd', ['-dcq', '--long=31', '--', path], {
    stdio: ['ignore', 'pipe', 'pipe'],
    signal,
  })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said += chunk.toString()
  })
  const ended = new Promise<void>((resolve, reject) => {
    child.on('error', (cause: NodeJS.ErrnoException) => {
      reject(
        cause.code === 'ENOENT'
          ? new AirliftError(
              'E_LOCAL_FILE',
              `${path} is compressed with zstd, which Node ${process.versions.node} cannot read`,
              {
                hint: 'install zstd, use Node 22.15 or later, or give the .tar or .tar.gz instead',
              },
            )
          : cause,
      )
    })
    child.on('close', (code) =>
      code === 0 ? resolve() : reject(new Error(said.trim() || `zstd ended with ${code}`)),
    )
  })
  await Promise.all([pipeline(child.stdout, createWriteStream(target)), ended])
}
