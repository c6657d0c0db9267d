import { randomBytes } from 'node:crypto'
import { link, mkdir, open, readFile, stat, unlink, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { AirliftError } from '../../core/errors.js'
import { keyType } from './key-blob.js'
import type { KnownHostsEntry } from './known-hosts.js'
import { hashHostName, judgeKey, parseKnownHosts } from './known-hosts.js'

const LOCK_WAIT_MS = 5_000
/** A lock that is older was left by a process that died: an append takes milliseconds. */
const LOCK_STALE_MS = 10_000

/** The entries of several files, in their order; a file that does not exist has none. @throws AirliftError E_SSH_HOST_KEY */
export async function readKnownHosts(files: readonly string[]): Promise<readonly KnownHostsEntry[]> {
  const all: KnownHostsEntry[] = []
  for (const file of files) {
    try {
      all.push(...parseKnownHosts(await readFile(file, 'utf8'), file))
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT' || code === 'ENOTDIR') continue
      throw new AirliftError('E_SSH_HOST_KEY', `cannot read known hosts from ${file}: ${code}`, {
        hint: 'make the file readable, or name another with --known-hosts',
        cause,
      })
    }
  }
  return all
}

/**
 * Adds a key, unless somebody else has added it meanwhile. The line is appended in one write under a lock file, the
 * file is created 0600 and its directory 0700.
 * @throws AirliftError E_SSH_HOST_KEY when the file cannot be written
 */
export async function addKnownHost(file: string, name: string, blob: Buffer, hashed: boolean): Promise<void> {
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 })
    await underLock(`${file}.airlift-lock`, async () => {
      const text = await readFile(file, 'utf8').catch(() => '')
      if (judgeKey(parseKnownHosts(text, file), [name], blob).kind === 'match') return
      // A file whose last line was written without its newline must not swallow ours.
      const gap = text === '' || text.endsWith('\n') ? '' : '\n'
      const host = hashed ? hashHostName(name) : name
      const handle = await open(file, 'a', 0o600)
      try {
        await handle.write(`${gap}${host} ${keyType(blob)} ${blob.toString('base64')}\n`)
      } finally {
        await handle.close()
      }
    })
  } catch (cause) {
    if (cause instanceof AirliftError) throw cause
    throw new AirliftError(
      'E_SSH_HOST_KEY',
      `cannot add the key of ${name} to ${file}: ${(cause as Error).message}`,
      {
        hint: 'make the file writable, or name another with --known-hosts',
        cause,
      },
    )
  }
}

async function underLock(lock: string, action: () => Promise<void>): Promise<void> {
  const until = Date.now() + LOCK_WAIT_MS
  const mine = `${lock}.${process.pid}.${randomBytes(4).toString('hex')}`
  await writeFile(mine, '', { mode: 0o600 })
  try {
    // A hard link is made by one process only, on NFS too.
    while (!(await tryLink(mine, lock))) {
      const age = await stat(lock).then(
        (stats) => Date.now() - stats.mtimeMs,
        () => 0,
      )
      if (age > LOCK_STALE_MS) await unlink(lock).catch(() => {})
      else if (Date.now() > until) {
        throw new AirliftError('E_SSH_HOST_KEY', `the known hosts are locked by ${lock}`, {
          hint: 'remove that file if no other airlift runs',
        })
      } else await sleep(20)
    }
    try {
      await action()
    } finally {
      await unlink(lock).catch(() => {})
    }
  } finally {
    await unlink(mine).catch(() => {})
  }
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}
