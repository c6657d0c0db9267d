import { randomBytes } from 'node:crypto'
import { chown, lstat, open, readFile, readlink, rename, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { AirliftError } from '../core/errors.js'

/** A kubeconfig file as it is on the disk. */
export interface KubeconfigText {
  /** As named; its lock is beside it. */
  readonly path: string
  /** What it is after symbolic links. */
  readonly target: string
  /** Undefined when there is no file. */
  readonly text: string | undefined
}

/** Reads a kubeconfig. @throws AirliftError E_KUBECONFIG when it is there but cannot be read */
export async function readKubeconfigFile(path: string): Promise<KubeconfigText> {
  const target = await followLinks(path)
  try {
    return { path, target, text: await readFile(target, 'utf8') }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { path, target, text: undefined }
    throw fileError(path, 'read', error)
  }
}

/**
 * Replaces a kubeconfig in one step: whoever reads it sees the old or the new one, also when this program is killed.
 * Mode and owner stay; a new file is 0600, since it holds keys.
 */
export async function writeKubeconfigFile(file: KubeconfigText, text: string): Promise<void> {
  const temporary = join(
    dirname(file.target),
    `.${basename(file.target)}.${process.pid}.${randomBytes(6).toString('hex')}`,
  )
  try {
    const before = await stat(file.target).catch(() => undefined)
    const handle = await open(temporary, 'wx', 0o600)
    try {
      await handle.writeFile(text)
      if (before) await handle.chmod(before.mode & 0o777)
      await handle.sync()
    } finally {
      await handle.close()
    }
    // Under sudo the file stays its owner's.
    if (before && before.uid !== process.getuid?.())
      await chown(temporary, before.uid, before.gid).catch(() => {})
    await rename(temporary, file.target)
  } catch (error) {
    await rm(temporary, { force: true })
    throw fileError(file.path, 'write', error)
  }
}

/** Turns a system error into one with the file and a remedy. */
export function fileError(path: string, verb: 'read' | 'write' | 'lock', error: unknown): AirliftError {
  const reason = (error as NodeJS.ErrnoException).code ?? String(error)
  return new AirliftError('E_KUBECONFIG', `cannot ${verb} the kubeconfig "${path}": ${reason}`, {
    hint: 'repair its permissions, or write elsewhere with --kubeconfig PATH; the cluster itself is not affected',
    cause: error,
  })
}

/** The file behind symbolic links, also when it does not exist yet. */
async function followLinks(path: string): Promise<string> {
  let target = path
  for (let hops = 0; hops < 40; hops++) {
    const found = await lstat(target).catch(() => undefined)
    if (!found?.isSymbolicLink()) return target
    target = resolve(dirname(target), await readlink(target))
  }
  throw fileError(path, 'read', Object.assign(new Error('too many links'), { code: 'ELOOP' }))
}
