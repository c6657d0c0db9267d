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
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { ARRIVED, changeScript, PUT_MARK } from './scripts.js'

const ID = `sha256:${'c'.repeat(64)}`

let dir: string
const children: ChildProcess[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-receive-'))
  mkdirSync(join(dir, 'k3s/airlift'), { recursive: true })
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

/** A ctr that keeps what it is given, and notes whether the archive still has a name then. */
function k3s(
  importing = `ls ${dir}/k3s/airlift >${dir}/names; echo $GOMAXPROCS >${dir}/threads; cat >${dir}/got`,
): void {
  const cases = `*'images import --local -') ${importing};;\n*'images check') echo '${ID} ';;`
  writeFileSync(join(dir, 'program'), `#!/bin/sh\ncase "$*" in\n${cases}\nesac\n`)
  chmodSync(join(dir, 'program'), 0o755)
}

interface Receiver {
  readonly child: ChildProcess
  readonly path: string
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

/** Starts the script and waits until it says where the archive is to be put. */
async function receive(shell: readonly string[]): Promise<Receiver> {
  const [program = 'sh', ...args] = shell
  const script = changeScript({ tags: [], archive: 'file', ids: [ID] })
  const text = script
    .replaceAll('/usr/local/bin/k3s', join(dir, 'program'))
    .replaceAll('/var/lib/rancher', dir)
  const child = spawn(program, [...args, '-c', text], { stdio: 'pipe' })
  children.push(child)
  let [stdout, stderr] = ['', '']
  child.stderr.on('data', (text) => {
    stderr += text
  })
  const lines = createInterface({ input: child.stdout })
  lines.on('line', (line) => {
    stdout += `${line}\n`
  })
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, stdout, stderr }))
  const [line] = (await once(lines, 'line')) as [string]
  expect(line.startsWith(PUT_MARK)).toBe(true)
  return { child, path: line.slice(PUT_MARK.length), ended }
}
const archives = (): string[] => readdirSync(join(dir, 'k3s/airlift')).filter((name) => name.endsWith('.tar'))

describe.each(SHELLS)('an archive that is put beside, under %s', (...shell) => {
  it('is imported once it is there, and has no name any more by then', async () => {
    k3s()
    const { child, path, ended } = await receive(shell)
    writeFileSync(path, 'the archive')
    child.stdin?.write(ARRIVED)
    const { code, stdout } = await ended
    expect([code, stdout.includes('@@failed')]).toEqual([0, false])
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
    expect(readFileSync(join(dir, 'names'), 'utf8')).toBe('')
    expect(readFileSync(join(dir, 'threads'), 'utf8')).toBe('1\n')
    expect(archives()).toEqual([])
  })

  it('is imported whole by a ctr that knows no --local', async () => {
    k3s(`echo 'flag provided but not defined: -local' >&2; exit 1;;\n*'images import -') cat >${dir}/got`)
    const { child, path, ended } = await receive(shell)
    writeFileSync(path, 'the archive')
    child.stdin?.write(ARRIVED)
    expect((await ended).stdout).not.toContain('@@failed')
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
  })

  it('is gone when containerd refuses it', async () => {
    k3s(`echo 'ctr: no space left on device' >&2; exit 1`)
    const { child, path, ended } = await receive(shell)
    writeFileSync(path, 'the archive')
    child.stdin?.write(ARRIVED)
    expect(await ended).toMatchObject({
      stdout: expect.stringContaining('@@failed import'),
      stderr: 'ctr: no space left on device\n',
    })
    expect(archives()).toEqual([])
  })

  it.each(['the operator is gone', 'a signal'])(
    'is gone when it was put in part and then comes %s',
    async (how) => {
      k3s()
      const { child, path, ended } = await receive(shell)
      writeFileSync(path, 'the arch')
      if (how === 'a signal') child.kill('SIGTERM')
      // A shell that waits in `read` may hear of a signal only when that returns.
      child.stdin?.end()
      expect((await ended).code).not.toBe(0)
      expect(archives()).toEqual([])
      expect(existsSync(join(dir, 'got'))).toBe(false)
    },
  )

  it('says so when it was put and is not there', async () => {
    k3s()
    const { child, ended } = await receive(shell)
    child.stdin?.write(ARRIVED)
    expect(await ended).toMatchObject({
      code: 73,
      stderr: expect.stringMatching(/the archive was put into the container, and is not at \S+\.tar/),
    })
  })

  it('that a killed import left is removed by the next one, not that of an import that runs', async () => {
    k3s()
    const dead = await receive(shell)
    writeFileSync(dead.path, 'of the dead')
    dead.child.kill('SIGKILL')
    await dead.ended
    // The process id has come round: another process has it.
    const reused = join(dir, `k3s/airlift/import-${process.pid}-1.tar`)
    writeFileSync(reused, 'of an earlier process')
    const running = await receive(shell)
    writeFileSync(running.path, 'of the living')
    expect([existsSync(dead.path), existsSync(reused)]).toEqual([false, false])
    const next = await receive(shell)
    expect(existsSync(running.path)).toBe(true)
    running.child.stdin?.write(ARRIVED)
    await running.ended
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('of the living')
    next.child.stdin?.end()
    await next.ended
    expect(archives()).toEqual([])
  })
})
