import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, expect } from 'vitest'
import { ARRIVED, changeScript, PUT_MARK } from './scripts.js'

const ID = `sha256:${'c'.repeat(64)}`

/** A script that runs, and has said where it wants its archive. */
export interface Receiver {
  readonly child: ChildProcess
  readonly path: string
  /** Where the other nodes see it; empty: nowhere. */
  readonly common: string
  /** The marks that it has printed since. */
  marks(): string[]
  /** Tells it where the archive is. */
  arrived(path: string): void
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

/** Nodes that are given archives, in a directory for each test. */
export interface ReceiverLab {
  /** The path of a file of the test. */
  at(name: string): string
  /** Its content; undefined where it is not there. */
  read(name: string): string | undefined
  /**
   * Makes the program k3s, whose ctr imports as the shell text says. Without one it keeps what it is given, and notes whether
   * the archive still has a name then.
   */
  k3s(importing?: string): void
  /** Starts the script. `sharing`: on a volume that nodes have together. */
  receive(shell: readonly string[], sharing?: 'sharing'): Promise<Receiver>
  /** Archives that lie where one node has them. */
  archives(): string[]
  /** Those that lie where all nodes see them. */
  shelf(): string[]
}

/** Gives the tests of a file their nodes; those that still run after a test are killed. */
export function receiverLab(): ReceiverLab {
  let dir: string
  const children: ChildProcess[] = []
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'airlift-receive-'))
    for (const name of ['k3s/airlift', 'shared/images']) mkdirSync(join(dir, name), { recursive: true })
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
  })
  const at = (name: string): string => join(dir, name)
  const list = (name: string): string[] =>
    existsSync(at(name)) ? readdirSync(at(name)).filter((file) => file.endsWith('.tar')) : []
  return {
    at,
    read: (name) => (existsSync(at(name)) ? readFileSync(at(name), 'utf8') : undefined),
    k3s(
      importing = `ls ${dir}/k3s/airlift >${dir}/names; echo $GOMAXPROCS >${dir}/threads; cat >${dir}/got`,
    ) {
      const cases = `*'images import --local -') ${importing};;\n*'images check') echo '${ID} ';;`
      writeFileSync(at('program'), `#!/bin/sh\ncase "$*" in\n${cases}\nesac\n`)
      chmodSync(at('program'), 0o755)
    },
    receive(shell, sharing) {
      const script = changeScript({ tags: [], archive: 'file', ids: [ID] })
        .replaceAll('/usr/local/bin/k3s', at('program'))
        .replaceAll('/var/lib/rancher', dir)
        .replaceAll('/var/lib/airlift', sharing ? at('shared') : '/dev/null')
      const [program = 'sh', ...args] = shell
      const child = spawn(program, [...args, '-c', script], { stdio: 'pipe' })
      children.push(child)
      return listen(child)
    },
    archives: () => list('k3s/airlift'),
    shelf: () => list('shared/images/import'),
  }
}

async function listen(child: ChildProcess): Promise<Receiver> {
  const said: string[] = []
  let stderr = ''
  child.stderr?.on('data', (text) => {
    stderr += text
  })
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  lines.on('line', (line) => said.push(line))
  const ended = once(child, 'close').then(([code]) => ({
    code: code as number | null,
    stdout: said.join('\n'),
    stderr,
  }))
  const [line] = (await once(lines, 'line')) as [string]
  expect(line.startsWith(PUT_MARK)).toBe(true)
  const [path = '', common = ''] = line.slice(PUT_MARK.length).split(' ')
  return {
    child,
    path,
    common,
    marks: () => said.slice(1).filter((text) => /^@@(opened|imported|fail|end)/.test(text)),
    arrived: (there) => void child.stdin?.write(`${ARRIVED}${there}\n`),
    ended,
  }
}
