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
