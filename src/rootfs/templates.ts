import { readdir, readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import type { RuntimeName } from '../cluster/spec.js'

/** The packaged tree beside src/ and dist/, which bundles are built from. */
export function templateDir(runtime: RuntimeName): string {
  return fileURLToPath(new URL(`../../rootfs/${runtime}/templates/`, import.meta.url))
}

/** Reads all templates of a runtime, as `templates/NAME` to text. */
export async function loadTemplates(
  runtime: RuntimeName,
  dir: string = templateDir(runtime),
): Promise<Record<string, string>> {
  const templates: Record<string, string> = {}
  for (const name of (await readdir(dir)).sort()) {
    templates[`templates/${name}`] = await readFile(`${dir}/${name}`, 'utf8')
  }
  return templates
}

/** Scripts that run inside containers, as `templates/entry.sh` and `templates/lb.sh` to text. They are airlift's own in every case. */
export async function loadContainerScripts(): Promise<Record<string, string>> {
  const dir = fileURLToPath(new URL('../../rootfs/k3d/', import.meta.url))
  const names = ['entry.sh', 'lb.sh']
  const texts = await Promise.all(names.map((name) => readFile(`${dir}/${name}`, 'utf8')))
  return Object.fromEntries(names.map((name, i) => [`templates/${name}`, texts[i] ?? '']))
}
