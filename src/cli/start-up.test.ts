import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, expect, it } from 'vitest'

const home = mkdtempSync(join(tmpdir(), 'airlift-imports-'))
afterAll(() => rmSync(home, { recursive: true, force: true }))

/** Runs the command line in a process of its own and gives every module that it loaded, as the loader resolved it. */
function modulesOf(...argv: string[]): string[] {
  const log = join(home, `modules-${argv.join('')}`)
  const hook = `import { appendFileSync } from 'node:fs'
export async function resolve(specifier, context, next) {
  const result = await next(specifier, context)
  appendFileSync(${JSON.stringify(log)}, result.url + '\\n')
  return result
}`
  const data = (source: string): string => `data:text/javascript,${encodeURIComponent(source)}`
  const entry = pathToFileURL(join(import.meta.dirname, 'main.ts')).href
  const register = `import { register } from 'node:module'; register(${JSON.stringify(data(hook))})`
  execFileSync(process.execPath, [
    '--import',
    'tsx',
    '--import',
    data(register),
    '--input-type=module',
    '--eval',
    `const { main } = await import(${JSON.stringify(entry)}); process.exitCode = await main(${JSON.stringify(argv)})`,
  ])
  return [...new Set(readFileSync(log, 'utf8').split('\n').filter(Boolean))]
}

/** Packages and rooms of src that were loaded. */
function summary(urls: readonly string[]): { packages: string[]; rooms: string[] } {
  const matches = (pattern: RegExp): string[] => [
    ...new Set(urls.flatMap((url) => pattern.exec(url)?.[1] ?? [])),
  ]
  return {
    packages: matches(/\/node_modules\/((?:@[^/]+\/)?[^/]+)\//).sort(),
    rooms: matches(/\/src\/([^/]+)\//).sort(),
  }
}

it.each(['--help', '--version'])('%s loads commander and light modules only', (flag) => {
  const urls = modulesOf(flag)
  expect(summary(urls)).toEqual({ packages: ['commander'], rooms: ['cli', 'core'] })
  // No action and no renderer: what they need would follow them.
  expect(urls.filter((url) => /\/cli\/(actions|render)\//.test(url))).toEqual([])
  // The hook sees what a command loads: a test that could not fail would see nothing here either.
  expect(summary(modulesOf('list', '-o', 'json')).rooms).toContain('operations')
})
