import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import module, { createRequire } from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { Script } from 'node:vm'

const MAIN = join(import.meta.dirname, '..', 'dist', 'bin', 'main.cjs')

/**
 * Loads the command line. Node compiles it anew at each call, which takes longer than most commands need for all else, so the
 * compiled code is kept: from 22.8 on by node itself, before in a file of the user's cache.
 *
 * @param {string} command - the name of the command that is to run: the first call of each adds its code
 * @returns {{ main: (argv: readonly string[]) => Promise<number>, keep: () => void }} `keep` is called at the end
 */
export function loadMain(command) {
  if (!existsSync(MAIN)) {
    process.stderr.write('airlift: this checkout is not built: run npm ci in it\n')
    process.exit(1)
  }
  if (module.enableCompileCache) {
    module.enableCompileCache()
    return { ...createRequire(import.meta.url)(MAIN), keep: () => {} }
  }
  const base = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  const file = join(base, 'airlift', 'code')
  const { size, mtimeMs } = statSync(MAIN)
  const made = [process.version, process.arch, MAIN, size, mtimeMs].join(' ')
  const kept = readKept(file, made)
  const source = module.wrap(readFileSync(MAIN, 'latin1'))
  const script = new Script(source, { filename: MAIN, ...(kept ? { cachedData: kept.code } : {}) })
  const known = kept && !script.cachedDataRejected ? kept.commands : []
  const own = { exports: {} }
  script.runInThisContext()(own.exports, createRequire(MAIN), own, MAIN, dirname(MAIN))
  return {
    ...own.exports,
    keep: () => {
      if (!known.includes(command))
        writeKept(file, JSON.stringify({ made, commands: [...known, command] }), script)
    },
  }
}

/** What was kept of this very command line, in a file that nobody else could have written: it is code that will run. */
function readKept(file, made) {
  let fd
  try {
    fd = openSync(file, 'r')
    const { uid, mode } = fstatSync(fd)
    if (process.getuid && (uid !== process.getuid() || (mode & 0o022) !== 0)) return undefined
    const data = readFileSync(fd)
    const end = data.indexOf('\n')
    const head = JSON.parse(data.toString('utf8', 0, end))
    return head.made === made ? { commands: head.commands, code: data.subarray(end + 1) } : undefined
  } catch {
    // There is none, or it is not whole: all is compiled.
    return undefined
  } finally {
    if (fd !== undefined) closeSync(fd)
  }
}

/** Replaces what is kept, in one step. */
function writeKept(file, head, script) {
  const temporary = `${file}.${process.pid}`
  try {
    // Not the home directory itself, which may be that of nobody.
    for (const dir of [dirname(dirname(file)), dirname(file)])
      if (!existsSync(dir)) mkdirSync(dir, { mode: 0o700 })
    writeFileSync(temporary, Buffer.concat([Buffer.from(`${head}\n`), script.createCachedData()]), {
      mode: 0o600,
    })
    renameSync(temporary, file)
  } catch {
    // A home directory that is only read must not stop the tool.
  }
}
