import { basename, join } from 'node:path'
import { isMap, isScalar, LineCounter, parseAllDocuments } from 'yaml'
import type { SpecProblem } from './problems.js'
import type { ManifestSpec } from './spec.js'
import { readForFlag, type SpecIo } from './spec-io.js'

const MANIFEST = /\.(ya?ml|json)$/

/** Names that k3s' own packaged components have in the same directory. */
const PACKAGED = new Set(
  ['ccm', 'coredns', 'local-storage', 'rolebindings', 'runtimes', 'traefik', 'metrics-server'].map(
    (name) => `${name}.yaml`,
  ),
)

/**
 * Reads the manifests of `--manifests`: files, or every .yaml, .yml and .json of a directory (not of those below it).
 * Each document must parse and have apiVersion and kind, since k3s only logs what it cannot apply.
 */
export async function readManifests(
  paths: readonly string[],
  io: Pick<SpecIo, 'readFile' | 'listDirectory'>,
  problems: SpecProblem[],
): Promise<ManifestSpec[]> {
  const found = new Map<string, { from: string; content: string }>()
  for (const path of paths) {
    const names = await io.listDirectory(path)
    const files =
      names === undefined
        ? [path]
        : names.filter((name) => MANIFEST.test(name)).map((name) => join(path, name))
    if (files.length === 0) {
      problems.push(
        refuse('--manifests', `"${path}" holds no .yaml, .yml or .json`, 'put the manifests into it'),
      )
    }
    for (const file of files) {
      const name = basename(file)
      const content = (await readForFlag(io, '--manifests', file, problems))?.toString('utf8')
      if (content === undefined) continue
      const before = found.get(name)
      if (before)
        problems.push(
          refuse(
            '--manifests',
            `"${before.from}" and "${file}" have the same name`,
            'rename one: they go into one directory',
          ),
        )
      else if (!MANIFEST.test(name))
        problems.push(refuse('--manifests', `"${file}" is no manifest`, 'name a .yaml, .yml or .json file'))
      else if (PACKAGED.has(name))
        problems.push(
          refuse('--manifests', `"${name}" is the name of one of k3s' own manifests`, 'rename it'),
        )
      else checkDocuments(file, content, problems)
      if (!before) found.set(name, { from: file, content })
    }
  }
  return [...found].map(([name, { content }]) => ({ name, content }))
}

function checkDocuments(path: string, content: string, problems: SpecProblem[]): void {
  const lines = new LineCounter()
  const parsed = parseAllDocuments(content, { lineCounter: lines, prettyErrors: false })
  let objects = 0
  for (const document of Array.isArray(parsed) ? parsed : []) {
    const [error] = document.errors
    if (error) {
      const message = `not YAML: ${error.message.split('\n')[0]}`
      problems.push({ ...refuse(path, message, 'repair the manifest'), ...lines.linePos(error.pos[0]) })
      return
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.value === null))
      continue
    objects++
    const at = lines.linePos(document.contents.range?.[0] ?? 0)
    const missing = isMap(document.contents)
      ? ['apiVersion', 'kind'].filter((key) => typeof document.get(key) !== 'string')
      : ['apiVersion', 'kind']
    if (missing.length > 0) {
      problems.push({
        ...refuse(
          path,
          `a document has no ${missing.join(' and no ')}`,
          'every document is a Kubernetes object',
        ),
        ...at,
      })
    }
  }
  if (objects === 0 && problems.every((problem) => problem.path !== path)) {
    problems.push(refuse(path, 'the manifest is empty', 'every document is a Kubernetes object'))
  }
}

function refuse(path: string, message: string, hint: string): SpecProblem {
  return { code: 'E_SPEC_INVALID', path, message, hint }
}
