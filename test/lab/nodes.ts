import { readFileSync } from 'node:fs'
import { execa } from 'execa'
import { ROOT } from './lab.js'

const DIR = `${ROOT}/test/lab/nodes`

/** Program of node by the major version. */
export type Nodes = Readonly<Record<string, string>>

/** Major versions that package.json promises and test/lab/nodes/package.json pins, with the package for this computer. */
export function promisedNodes(): readonly {
  readonly major: string
  readonly name: string
  readonly version: string
}[] {
  const { optionalDependencies } = JSON.parse(readFileSync(`${DIR}/package.json`, 'utf8')) as {
    optionalDependencies: Record<string, string>
  }
  return Object.entries(optionalDependencies).flatMap(([name, wanted]) => {
    const [, major = '', arch] = name.split('-')
    return arch === process.arch ? [{ major, name, version: wanted.slice(wanted.lastIndexOf('@') + 1) }] : []
  })
}

/**
 * Installs every version of node that is promised; nothing where they are there.
 * @throws when one cannot be had: the registry is out of reach, or there is none for this kind of computer
 */
export async function installNodes(): Promise<Nodes> {
  if (promisedNodes().length === 0 || process.platform !== 'linux')
    throw new Error(`none is pinned for ${process.platform} on ${process.arch}`)
  const found = await programs()
  if (typeof found !== 'string') return found
  const npm = await execa('npm', ['ci', '--prefix', DIR], { reject: false })
  const installed = await programs()
  if (typeof installed !== 'string') return installed
  throw new Error(
    `npm ci --prefix test/lab/nodes brought no ${installed} ${npm.stderr.split('\n')[0]}`.trim(),
  )
}

/** The programs that are installed, or the name of one that is not. */
async function programs(): Promise<Nodes | string> {
  const nodes: Record<string, string> = {}
  for (const { major, name, version } of promisedNodes()) {
    const path = `${DIR}/node_modules/${name}/bin/node`
    const { stdout } = await execa(path, ['--version'], { reject: false })
    if (stdout !== `v${version}`) return `node ${version}`
    nodes[major] = path
  }
  return nodes
}
