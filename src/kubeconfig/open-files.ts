import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { FileLock } from '../cluster/lock-file.js'
import { isAirliftError } from '../core/errors.js'
import { KubeconfigDocument } from './document.js'
import { fileError, type KubeconfigText, readKubeconfigFile, writeKubeconfigFile } from './kubeconfig-file.js'
import { LOCK_TIMES, type LockTimes, lockFile } from './lock.js'

/** A kubeconfig file that is being changed. */
export interface OpenFile extends KubeconfigText {
  readonly document: KubeconfigDocument
}

/**
 * Locks and reads the files of a kubeconfig, hands them to `change`, and writes those whose text became another.
 * Nothing is written when any of them is malformed. Gives the paths that were written.
 */
export async function changeFiles(
  paths: readonly string[],
  create: boolean,
  change: (files: readonly OpenFile[]) => void,
  times: LockTimes = LOCK_TIMES,
): Promise<string[]> {
  const found = await Promise.all(paths.map((path) => readKubeconfigFile(path)))
  const existing = found.filter((file) => file.text !== undefined)
  // As kubectl: where no file of the list exists yet, the last one is made.
  const wanted = existing.length === 0 && create ? found.slice(-1) : existing
  const locks = await lockAll(wanted, times)
  try {
    const files = await Promise.all(wanted.map(({ path }) => open(path)))
    const before = files.map((file) => file.document.toString())
    change(files)
    const written: string[] = []
    for (const [index, file] of files.entries()) {
      const text = file.document.toString()
      if (file.text !== undefined && text === before[index]) continue
      const failure = locks.failed.get(file.path) ?? locks.failed.get(file.target)
      if (failure !== undefined) throw fileError(file.path, 'lock', failure)
      await writeKubeconfigFile(file, text)
      written.push(file.path)
    }
    return written
  } finally {
    await release(locks.held)
  }
}

/** The locks that could be taken, and why others could not. */
interface Locks {
  readonly held: FileLock[]
  readonly failed: Map<string, unknown>
}

async function lockAll(files: readonly KubeconfigText[], times: LockTimes): Promise<Locks> {
  const locks: Locks = { held: [], failed: new Map() }
  // Both names of a linked file, since others may know it by either; in one order, so that no two programs wait in a ring.
  for (const path of [...new Set(files.flatMap((file) => [file.path, file.target]))].sort()) {
    try {
      await mkdir(dirname(path), { recursive: true, mode: 0o700 })
      locks.held.push(await lockFile(path, times))
    } catch (error) {
      if (isAirliftError(error)) {
        await release(locks.held)
        throw error
      }
      // A file in a place that is only read needs no lock; writing it fails later.
      locks.failed.set(path, error)
    }
  }
  return locks
}

async function release(held: readonly FileLock[]): Promise<void> {
  for (const lock of [...held].reverse()) await lock.release()
}

async function open(path: string): Promise<OpenFile> {
  const file = await readKubeconfigFile(path)
  return { ...file, document: new KubeconfigDocument(path, file.text) }
}
