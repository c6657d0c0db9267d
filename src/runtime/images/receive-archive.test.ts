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
import { hostname, tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { ARRIVED, changeScript, NOT_SHARED, PUT_MARK } from './scripts.js'

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
  /** Where the other nodes see it. */
  readonly common: string | undefined
  readonly ended: Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }>
}

/** Starts the script and waits until it says where the archive is to be put. */
async function receive(shell: readonly string[], sharing = false): Promise<Receiver> {
  const [program = 'sh', ...args] = shell
  const script = changeScript({ tags: [], archive: 'file', ids: [ID] })
  const text = script
    .replaceAll('/usr/local/bin/k3s', join(dir, 'program'))
    .replaceAll('/var/lib/rancher', dir)
    .replaceAll('/var/lib/airlift', sharing ? join(dir, 'shared') : '/dev/null')
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
  const [path = '', common] = line.slice(PUT_MARK.length).split(' ')
  return { child, path, common, ended }
}
const arrived = ({ child }: Receiver, path: string): void => void child.stdin?.write(`${ARRIVED}${path}\n`)
const archives = (): string[] => readdirSync(join(dir, 'k3s/airlift')).filter((name) => name.endsWith('.tar'))

describe.each(SHELLS)('an archive that is put beside, under %s', (...shell) => {
  it('is imported once it is there, and has no name any more by then', async () => {
    k3s()
    const receiver = await receive(shell)
    const { path, ended } = receiver
    writeFileSync(path, 'the archive')
    arrived(receiver, path)
    const { code, stdout } = await ended
    expect([code, stdout.includes('@@failed')]).toEqual([0, false])
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
    expect(readFileSync(join(dir, 'names'), 'utf8')).toBe('')
    expect(readFileSync(join(dir, 'threads'), 'utf8')).toBe('1\n')
    expect(archives()).toEqual([])
  })

  it('is imported whole by a ctr that knows no --local', async () => {
    k3s(`echo 'flag provided but not defined: -local' >&2; exit 1;;\n*'images import -') cat >${dir}/got`)
    const receiver = await receive(shell)
    const { path, ended } = receiver
    writeFileSync(path, 'the archive')
    arrived(receiver, path)
    expect((await ended).stdout).not.toContain('@@failed')
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
  })

  it('is gone when containerd refuses it', async () => {
    k3s(`echo 'ctr: no space left on device' >&2; exit 1`)
    const receiver = await receive(shell)
    const { path, ended } = receiver
    writeFileSync(path, 'the archive')
    arrived(receiver, path)
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
    const receiver = await receive(shell)
    const { ended } = receiver
    arrived(receiver, receiver.path)
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
    arrived(running, running.path)
    await running.ended
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('of the living')
    next.child.stdin?.end()
    await next.ended
    expect(archives()).toEqual([])
  })

  it('is taken by another node that sees it, and has a name until the import that it was put for has ended', async () => {
    k3s(`cat >>${dir}/got; while [ ! -e ${dir}/go ]; do sleep 0.05; done`)
    mkdirSync(join(dir, 'shared/images'), { recursive: true })
    const [first, second] = [await receive(shell, true), await receive(shell, true)]
    const common = first.common ?? ''
    expect(common).toContain(join(dir, 'shared/images/import/'))
    writeFileSync(common, 'the archive')
    expect(second.common).not.toBe(common)
    arrived(first, common)
    arrived(second, common)
    await expect
      .poll(() => existsSync(join(dir, 'got')) && readFileSync(join(dir, 'got'), 'utf8'))
      .toBe('the archive'.repeat(2))
    expect(readdirSync(join(dir, 'shared/images/import'))).toEqual([basename(common)])
    writeFileSync(join(dir, 'go'), '')
    for (const { ended } of [first, second]) expect((await ended).code).toBe(0)
    expect(readdirSync(join(dir, 'shared/images/import'))).toEqual([])
    expect(archives()).toEqual([])
  })

  it('is read to its end by the others when the import that it was put for fails', async () => {
    // The second waits before it reads on; the first is refused meanwhile.
    k3s(`if mkdir ${dir}/first 2>/dev/null; then while [ ! -e ${dir}/refuse ]; do sleep 0.05; done; echo 'ctr: refused' >&2; exit 1
else touch ${dir}/second; while [ ! -e ${dir}/go ]; do sleep 0.05; done; cat >${dir}/got; fi`)
    mkdirSync(join(dir, 'shared/images'), { recursive: true })
    const [first, second] = [await receive(shell, true), await receive(shell, true)]
    const common = first.common ?? ''
    writeFileSync(common, 'the archive')
    arrived(first, common)
    await expect.poll(() => existsSync(join(dir, 'first'))).toBe(true)
    arrived(second, common)
    await expect.poll(() => existsSync(join(dir, 'second'))).toBe(true)
    writeFileSync(join(dir, 'refuse'), '')
    expect((await first.ended).stdout).toContain('@@failed import')
    expect(existsSync(common)).toBe(false)
    writeFileSync(join(dir, 'go'), '')
    await second.ended
    expect(readFileSync(join(dir, 'got'), 'utf8')).toBe('the archive')
  })

  it.each(['that of another node', 'its own'])('says that it does not see %s there', async (whose) => {
    k3s()
    mkdirSync(join(dir, 'shared/images'), { recursive: true })
    const receiver = await receive(shell, true)
    const other = join(dir, 'shared/images/import/gone@1.import-1-1.tar')
    arrived(receiver, whose === 'its own' ? (receiver.common ?? '') : other)
    expect((await receiver.ended).code).toBe(NOT_SHARED)
    expect(readdirSync(join(dir, 'shared/images/import'))).toEqual([])
  })

  it('that came in part for all goes with the operator, and what was killed with the next import', async () => {
    k3s()
    const shelf = join(dir, 'shared/images/import')
    mkdirSync(shelf, { recursive: true })
    const receiver = await receive(shell, true)
    writeFileSync(receiver.common ?? '', 'the arch')
    receiver.child.stdin?.end()
    expect((await receiver.ended).code).toBe(72)
    expect(readdirSync(shelf)).toEqual([])
    const dead = await receive(shell, true)
    writeFileSync(dead.common ?? '', 'of the dead')
    dead.child.kill('SIGKILL')
    await dead.ended
    const living = await receive(shell, true)
    writeFileSync(living.common ?? '', 'of the living')
    const next = await receive(shell, true)
    expect(readdirSync(shelf)).toEqual([basename(living.common ?? '')])
    for (const { child } of [living, next]) child.stdin?.end()
    for (const { ended } of [living, next]) await ended
    expect(readdirSync(shelf)).toEqual([])
  })

  it('that a node left on the shared volume goes with the next import there, or after an hour', async () => {
    k3s()
    const shelf = join(dir, 'shared/images/import')
    mkdirSync(shelf, { recursive: true })
    const now = Math.floor(Date.now() / 1000)
    const stale = [`${hostname()}@${now}.import-${process.pid}-1.tar`, `gone@${now - 4000}.import-1-1.tar`]
    const kept = `other@${now - 100}.import-1-1.tar`
    for (const name of [...stale, kept]) writeFileSync(join(shelf, name), 'left')
    const receiver = await receive(shell, true)
    receiver.child.stdin?.end()
    await receiver.ended
    expect(readdirSync(shelf)).toEqual([kept])
  })
})
