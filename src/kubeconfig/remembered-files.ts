import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { recordDir } from '../cluster/record.js'

type Env = Readonly<Record<string, string | undefined>>

/**
 * Kubeconfigs that hold the context of a cluster, as far as this computer put it there, so that it can be taken out of each:
 * `--kubeconfig` and KUBECONFIG may say something else by then. Only a cache, as records are: none is no error.
 */
export async function rememberedFiles(cluster: string, env: Env): Promise<string[]> {
  try {
    const value: unknown = JSON.parse(await readFile(fileOf(cluster, env), 'utf8'))
    return Array.isArray(value) ? value.filter((path) => typeof path === 'string') : []
  } catch {
    return []
  }
}

/** Notes one more; `path` is absolute. That it could not be noted is no error, either. */
export async function rememberFile(cluster: string, path: string, env: Env): Promise<void> {
  const known = await rememberedFiles(cluster, env)
  if (!known.includes(path)) await write(cluster, [...known, path], env).catch(() => {})
}

/** Forgets some. */
export async function forgetFiles(cluster: string, paths: readonly string[], env: Env): Promise<void> {
  const known = await rememberedFiles(cluster, env)
  const rest = known.filter((path) => !paths.includes(path))
  if (rest.length === 0) await rm(fileOf(cluster, env), { force: true })
  else if (rest.length < known.length) await write(cluster, rest, env)
}

async function write(cluster: string, paths: readonly string[], env: Env): Promise<void> {
  const file = fileOf(cluster, env)
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const temp = `${file}.${process.pid}.tmp`
  await writeFile(temp, `${JSON.stringify(paths, null, 2)}\n`, { mode: 0o600 })
  await rename(temp, file)
}

function fileOf(cluster: string, env: Env): string {
  return join(dirname(recordDir(env)), 'kubeconfigs', `${cluster}.json`)
}
