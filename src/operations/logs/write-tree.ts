import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { type NotedPath, noteTemp } from '../../cluster/temp-paths.js'
import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'

/** Where collected files go: a directory, or one that becomes a tar. It appears whole, under its name, or not at all. */
export interface Tree extends AsyncDisposable {
  /** Writes a file that only its owner may read. Gives its size in bytes. */
  write(path: string, content: string): Promise<number>
  /** Puts it into its place. Gives path and size of what is there now. */
  finish(): Promise<{ readonly path: string; readonly bytes: number }>
}

/**
 * Begins a tree. `output` ends in `.tar`, `.tar.gz` or `.tgz` for an archive; else it is a directory, which must not exist
 * or be empty.
 * @throws AirliftError E_LOCAL_FILE
 */
export async function beginTree(output: string, ctx: Context): Promise<Tree> {
  const target = resolve(output)
  const archive = /\.(tar|tar\.gz|tgz)$/.test(target)
  await requireFree(target, archive)
  const temp = join(dirname(target), `.airlift-logs-${randomBytes(6).toString('hex')}`)
  const noted = await noteTemp(temp, ctx.env)
  const root = join(temp, basename(target).replace(/\.(tar|tar\.gz|tgz)$/, ''))
  let bytes = 0
  try {
    await mkdir(root, { recursive: true, mode: 0o700 })
  } catch (cause) {
    await noted.forget()
    throw cannotWrite(target, cause)
  }
  const place = async (path: string): Promise<string> => {
    const full = join(root, path)
    await mkdir(dirname(full), { recursive: true, mode: 0o700 })
    return full
  }
  return {
    async write(path, content) {
      const data = Buffer.from(content)
      await writeFile(await place(path), data, { mode: 0o600 }).catch((cause) => {
        throw cannotWrite(target, cause)
      })
      bytes += data.length
      return data.length
    },
    async finish() {
      if (archive) {
        const { create } = await import('tar')
        const file = join(temp, basename(target))
        await create({ file, cwd: temp, gzip: !target.endsWith('.tar'), portable: true }, [basename(root)])
        await rename(file, target)
        return { path: target, bytes: (await stat(target)).size }
      }
      await rename(root, target)
      return { path: target, bytes }
    },
    [Symbol.asyncDispose]: () => clean(temp, noted),
  }
}

async function clean(temp: string, noted: NotedPath): Promise<void> {
  await rm(temp, { recursive: true, force: true })
  await noted.forget()
}

async function requireFree(target: string, archive: boolean): Promise<void> {
  const there = await stat(target).catch(() => undefined)
  if (!there || (archive && there.isFile())) return
  if (!archive && there.isDirectory() && (await readdir(target)).length === 0) return
  throw new AirliftError(
    'E_LOCAL_FILE',
    `${target} exists${there.isDirectory() ? ' and is not empty' : ''}`,
    {
      hint: 'give --output a directory that does not exist yet, or a name that ends in .tar.gz',
    },
  )
}

function cannotWrite(target: string, cause: unknown): AirliftError {
  const code = (cause as NodeJS.ErrnoException).code ?? String(cause)
  return new AirliftError(
    code === 'ENOSPC' ? 'E_DISK_FULL' : 'E_LOCAL_FILE',
    `cannot write ${target}: ${code}`,
    {
      cause,
      hint: 'choose another --output',
    },
  )
}
