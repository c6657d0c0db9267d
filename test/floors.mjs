// The floors of ARCHITECTURE.md as a rule: an import goes down the list, never up and never in a circle, and the heavy packages
// have one room each. Beside it, rules that are like it: how long a file may be, and that each lab has one user.
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'

const FLOORS = [
  'cli',
  'operations',
  'runtime',
  'rootfs',
  'registry',
  'kubeconfig',
  'plan',
  'machine',
  'cluster',
  'core',
]
/** Package → the only folder that may import it. */
const ROOMS = { ssh2: 'src/machine/ssh', dockerode: 'src/machine/docker', commander: 'src/cli' }
/** A file may use what is lower than its own floor; runtimes may not use each other, but k3d is k3s in containers. */
const SIDEWAYS = { 'src/runtime/k3d': ['src/runtime/k3s'] }
const MAX_LINES = 350
/** The only file that spells where airlift keeps its state; tests spell it too, and so would see a change of it. */
const STATE = { path: '/var/lib/airlift', file: 'src/cluster/state-dir.ts' }

const root = resolve(import.meta.dirname, '..')
const problems = []
/** File → the files that it imports, types too. */
const imports = new Map()

function* sources(dir) {
  for (const name of readdirSync(dir)) {
    const path = join(dir, name)
    if (statSync(path).isDirectory()) yield* sources(path)
    else if (path.endsWith('.ts')) yield path
  }
}

const runtimeOf = (path) => /^src\/runtime\/(k3s|k3d|k0s)\//.exec(path)?.[0].slice(0, -1)

for (const file of sources(join(root, 'src'))) {
  const path = relative(root, file)
  const text = readFileSync(file, 'utf8')
  const lines = text.split('\n').length - 1
  if (lines > MAX_LINES) problems.push(`${path}: ${lines} lines, at most ${MAX_LINES}`)
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*/gm, '')
  const tests = /\.(test|fixture)\.ts$/.test(path)
  if (code.includes(STATE.path) && path !== STATE.file && !tests)
    problems.push(`${path}: takes ${STATE.path} from ${STATE.file}`)
  const floor = FLOORS.indexOf(path.split('/')[1])
  imports.set(path, [])
  // src/index.ts is the library's door and may name anything below the command line.
  const from = Math.max(floor, 0)
  for (const [, name] of text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
    if (!name.startsWith('.')) {
      const pkg = name.split('/')[0]
      const room = ROOMS[pkg]
      if (room && !path.startsWith(`${room}/`)) problems.push(`${path}: only ${room} may import ${pkg}`)
      continue
    }
    const target = relative(root, resolve(dirname(file), name))
    imports.get(path).push(target.replace(/\.js$/, '.ts'))
    const to = FLOORS.indexOf(target.split('/')[1])
    if (to >= 0 && to < from)
      problems.push(`${path}: imports up, from ${FLOORS[from]} to ${FLOORS[to]} (${name})`)
    const [mine, other] = [runtimeOf(path), runtimeOf(target)]
    if (mine && other && mine !== other && !(SIDEWAYS[mine] ?? []).includes(other)) {
      problems.push(`${path}: ${mine} may not import ${other}`)
    }
    // What tests of the floors above build their worlds with is no part of the product.
    const inTest = tests && /\.fixture\.js$/.test(name)
    if (other && !mine && !inTest && path !== 'src/runtime/new-runtime.ts') {
      problems.push(`${path}: only new-runtime.ts may name a runtime (${name})`)
    }
  }
}

/** Goes down from a file, and reports the way back to one that it came by. */
const done = new Set()
function descend(path, way) {
  if (way.includes(path)) {
    problems.push(`${path}: imports itself, by ${[...way.slice(way.indexOf(path) + 1), path].join(' > ')}`)
    return
  }
  if (done.has(path)) return
  for (const next of imports.get(path) ?? []) descend(next, [...way, path])
  done.add(path)
}
for (const path of imports.keys()) descend(path, [])

/** Name of a lab → the file that has it: files run at the same time, and two would share the hosts of one. */
const labs = new Map()
for (const file of sources(join(root, 'test'))) {
  const path = relative(root, file)
  const code = readFileSync(file, 'utf8')
  for (const [, name] of code.matchAll(/\b(?:startScenario\(|labUp\(|const NAME = )'([^']+)'/g)) {
    if (labs.has(name)) problems.push(`${path}: the lab ${name} is that of ${labs.get(name)}`)
    labs.set(name, path)
  }
}

for (const problem of problems) console.error(problem)
console.error(problems.length === 0 ? 'floors: ok' : `floors: ${problems.length} problems`)
process.exitCode = problems.length === 0 ? 0 : 1
