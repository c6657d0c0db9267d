import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Secret } from '../../src/core/secret.js'
import { createLocalMachine } from '../../src/machine/local/local-machine.js'
import type { Machine, PutRequest } from '../../src/machine/machine.js'
import { labMissing } from '../lab/lab.js'
import { cleanEngine, containerHere, type EngineUnderTest, prepareEngine } from './engines.js'
import type { OwnSshd } from './own-sshd.js'
import { startOwnSshd } from './own-sshd.js'
import { reachOwn, testContext } from './reach.js'

const root = process.getuid?.() === 0
let sshd: OwnSshd | undefined
let dir = ''
let engine: EngineUnderTest | undefined

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'machine-'))
  if (root) sshd = await startOwnSshd()
})
afterAll(async () => {
  await sshd?.stop()
  if (engine) await cleanEngine(engine.engine)
  rmSync(dir, { recursive: true, force: true })
})

function own(): OwnSshd {
  if (!sshd) throw new Error('these tests start an sshd and need root')
  return sshd
}

const kinds: readonly (readonly [string, () => Promise<Machine>])[] = [
  ['local', async () => createLocalMachine({ mode: 'auto' }, testContext({}))],
  ['ssh', () => reachOwn(own(), { flags: { transport: 'ssh' } })],
  ['openssh', () => reachOwn(own(), { flags: { transport: 'openssh' } })],
  // An array of one or none: without an engine there is nothing to run it on.
  ...(labMissing() ? [] : [['docker', reachContainer] as const]),
]
const remote = kinds.filter(([kind]) => kind.endsWith('ssh'))

async function reachContainer(): Promise<Machine> {
  engine = await prepareEngine('real')
  return containerHere(engine.engine, dir, testContext({}))
}

function idOf(kind: string, machine: Machine): string {
  if (kind === 'local') return 'local://'
  return kind === 'docker' ? `docker://${machine.name}` : `ssh://root@127.0.0.1:${own().port}`
}

function request(name: string, content: Buffer, over: Partial<PutRequest> = {}): PutRequest {
  return {
    path: join(dir, name),
    open: () => Readable.from(slices(content)),
    sizeBytes: content.length,
    sha256: createHash('sha256').update(content).digest('hex'),
    mode: '0640',
    ...over,
  }
}

function* slices(content: Buffer): Generator<Buffer> {
  for (let at = 0; at < content.length; at += 1 << 20) yield content.subarray(at, at + (1 << 20))
}

/** Whether a process with that text in its arguments runs. */
function runs(text: string): boolean {
  return execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
    .split('\n')
    .some((line) => line.includes(text))
}

describe.runIf(root).each(kinds)('a %s machine', (kind, connect) => {
  let machine: Machine

  beforeAll(async () => {
    machine = await connect()
  })
  afterAll(() => machine.close())

  it('says what it is', () => {
    expect(machine.kind).toBe(kind)
    expect(machine.id).toBe(idOf(kind, machine))
  })

  it('gives stdout, stderr and the exit code apart', async () => {
    const result = await machine.run('echo out; echo err >&2; exit 42')
    expect(result).toEqual({ exitCode: 42, stdout: 'out\n', stderr: 'err\n' })
  })

  it('runs as root, in the C locale, with sbin in PATH', async () => {
    const { stdout } = await machine.run('id -u; echo "$LC_ALL"; command -v sysctl >/dev/null && echo found')
    expect(stdout).toBe('0\nC\nfound\n')
  })

  it('keeps a script out of every process listing', async () => {
    const word = `secret-${randomBytes(8).toString('hex')}`
    const { stdout } = await machine.run(
      `x=${word}; ps -eo args; cat /proc/$$/cmdline /proc/$$/environ | tr '\\0' '\\n'`,
      {
        secrets: [new Secret(word)],
      },
    )
    expect(stdout).toContain('ps -eo args')
    expect(stdout).not.toContain(word)
  })

  it('tells an unknown command, a syntax error and a signal by the exit code', async () => {
    expect((await machine.run('no-such-command-here')).exitCode).toBe(127)
    expect((await machine.run('if then fi')).exitCode).not.toBe(0)
    const killed = await machine.run('kill -TERM $$; sleep 1')
    // OpenSSH's client has no way to tell signals and says 255.
    expect(killed.exitCode).toBe(kind === 'openssh' ? 255 : 143)
  })

  it('tells exit code 255 from a lost connection', async () => {
    expect((await machine.run('exit 255')).exitCode).toBe(255)
  })

  it('hands data over byte for byte, after the script', async () => {
    const data = randomBytes(3 << 20)
    const result = await machine.run('head -c 10 >/dev/null; sha256sum', {
      stdin: Readable.from(slices(data)),
    })
    expect(result.stdout.slice(0, 64)).toBe(createHash('sha256').update(data.subarray(10)).digest('hex'))
  })

  it('does not hang on data that the script does not read', async () => {
    const result = await machine.run('exit 5', { stdin: Readable.from(slices(Buffer.alloc(8 << 20))) })
    expect(result.exitCode).toBe(5)
  })

  it('gives output of several MiB, and refuses more than it was told', async () => {
    const large = 'head -c 5000000 /dev/zero | tr "\\0" x'
    expect((await machine.run(large)).stdout).toHaveLength(5_000_000)
    await expect(machine.run(large, { maxOutputBytes: 1 << 20 })).rejects.toMatchObject({ code: 'E_COMMAND' })
    await expect(machine.run('yes', { maxOutputBytes: 1 << 20 })).rejects.toMatchObject({ code: 'E_COMMAND' })
  })

  it('reports lines as they come', async () => {
    const seen: [string, number][] = []
    const start = Date.now()
    await machine.run('echo one; sleep 1; printf two', {
      onLine: (line) => seen.push([line, Date.now() - start]),
    })
    expect(seen.map(([line]) => line)).toEqual(['one', 'two'])
    expect((seen[1]?.[1] ?? 0) - (seen[0]?.[1] ?? 0)).toBeGreaterThan(500)
  })

  // OpenSSH's client waits for the output's end, as on the command line.
  it.skipIf(kind === 'openssh')('does not wait for what a script leaves running', async () => {
    const start = Date.now()
    const result = await machine.run('sleep 20 & echo $!')
    expect(Date.now() - start).toBeLessThan(18_000)
    await machine.run(`kill ${Number(result.stdout)}`)
  })

  it('ends the script and its children at the deadline', async () => {
    const mark = `9${Date.now() % 1_000_000}.25`
    const error = machine.run(`timeout 500 sleep ${mark} & sleep ${mark}`, { timeoutMs: 1_500 })
    await expect(error).rejects.toMatchObject({ code: 'E_TIMEOUT', machine: machine.name })
    expect(runs(`sleep ${mark}`)).toBe(false)
  })

  it('ends the script when the caller gives up', async () => {
    const mark = `8${Date.now() % 1_000_000}.25`
    const giveUp = new AbortController()
    const run = machine.run(`sleep ${mark}`, { signal: giveUp.signal, timeoutMs: 0 })
    setTimeout(() => giveUp.abort(), 1_000)
    await expect(run).rejects.toMatchObject({ code: 'E_INTERRUPTED' })
    expect(runs(`sleep ${mark}`)).toBe(false)
    await expect(machine.run('true', { signal: giveUp.signal })).rejects.toMatchObject({
      code: 'E_INTERRUPTED',
    })
  })

  it('runs twenty scripts at once, eight at a time', async () => {
    const marks = await Promise.all(
      Array.from({ length: 20 }, async (_, i) =>
        (await machine.run(`date +%s%N; sleep 0.3; date +%s%N; echo ${i}`)).stdout
          .trim()
          .split('\n')
          .map(Number),
      ),
    )
    expect(marks.map((each) => each[2])).toEqual(Array.from({ length: 20 }, (_, i) => i))
    const together = marks.map(
      ([start = 0]) => marks.filter(([from = 0, to = 0]) => from <= start && start < to).length,
    )
    expect(Math.max(...together)).toBeLessThanOrEqual(8)
    expect(Math.max(...together)).toBeGreaterThan(1)
  })

  it('counts round trips and bytes', async () => {
    const before = machine.stats
    await machine.run('cat >/dev/null', { stdin: 'twelve bytes' })
    await machine.put(request('counted', Buffer.from('12345')))
    expect(machine.stats.roundTrips - before.roundTrips).toBe(2)
    expect(machine.stats.bytesSent - before.bytesSent).toBe(17)
  })

  describe('put', () => {
    it.each([0, 5, 3_000_001, 10 << 20])('puts %i bytes in place, with their mode', async (size) => {
      const content = randomBytes(size)
      const sent: number[] = []
      const wanted = request(`put-${kind}-${size}`, content, { onProgress: (bytes) => sent.push(bytes) })
      await machine.put(wanted)
      expect(readFileSync(wanted.path).equals(content)).toBe(true)
      expect(statSync(wanted.path).mode & 0o777).toBe(0o640)
      expect(sent.at(-1) ?? 0).toBe(size)
    })

    it('replaces a file at once, and leaves it alone when the digest is wrong', async () => {
      const wanted = request(`replace-${kind}`, Buffer.from('old'))
      await machine.put(wanted)
      await expect(
        machine.put({ ...wanted, open: () => Readable.from([Buffer.from('new')]) }),
      ).rejects.toMatchObject({
        code: 'E_DIGEST_MISMATCH',
        message: expect.stringContaining(wanted.sha256),
      })
      expect(readFileSync(wanted.path, 'utf8')).toBe('old')
    })

    it('says that a file system is read-only', async () => {
      const wanted = request('x', Buffer.from('x'), { path: '/proc/sys/kernel/airlift' })
      await expect(machine.put(wanted)).rejects.toMatchObject({
        code: expect.stringMatching(/E_READ_ONLY|E_COMMAND/),
        machine: machine.name,
      })
    })

    it('passes on what the source throws, and leaves nothing behind', async () => {
      const broken = (): Readable =>
        Readable.from(
          (async function* () {
            yield Buffer.alloc(1 << 20)
            throw new Error('the source broke')
          })(),
        )
      await expect(
        machine.put(request(`broken-${kind}`, Buffer.alloc(2 << 20), { open: broken })),
      ).rejects.toThrow('the source broke')
      await sleep(300)
    })

    it('stops when the caller gives up, and leaves nothing behind', async () => {
      const giveUp = new AbortController()
      const slow = (): Readable =>
        Readable.from(
          (async function* () {
            for (;;) {
              yield Buffer.alloc(1 << 16)
              await sleep(20)
            }
          })(),
        )
      setTimeout(() => giveUp.abort(), 1_000)
      const put = machine.put(
        request(`endless-${kind}`, Buffer.alloc(1 << 20), { open: slow, signal: giveUp.signal }),
      )
      await expect(put).rejects.toMatchObject({ code: 'E_INTERRUPTED' })
    })

    it('left no temporary file in all of this', () => {
      expect(readdirSync(dir).filter((name) => name.includes('.airlift-'))).toEqual([])
      expect(existsSync(join(dir, `broken-${kind}`))).toBe(false)
      expect(existsSync(join(dir, `endless-${kind}`))).toBe(false)
    })
  })
})

describe.runIf(root).each(remote)('a %s machine that loses its connection', (_kind, connect) => {
  it('repeats an upload that was cut, and leaves nothing half-written', async () => {
    const machine = await connect()
    const content = randomBytes(24 << 20)
    let opened = 0
    let cut = false
    const wanted = request(`cut-${machine.kind}`, content, {
      open: () => {
        opened++
        return Readable.from(slices(content))
      },
      onProgress: (sent) => {
        if (cut || sent < 4 << 20) return
        cut = true
        void own().killConnections()
      },
    })
    await machine.put(wanted)
    expect(opened).toBe(2)
    expect(readFileSync(wanted.path).equals(content)).toBe(true)
    await sleep(500)
    expect(readdirSync(dir).filter((name) => name.includes('.airlift-'))).toEqual([])
    await machine.close()
  })

  it('repeats a script only when that does no harm', async () => {
    const machine = await connect()
    const log = join(dir, `log-${machine.kind}`)
    // The first time it runs it waits, and the connection is cut; the second time it goes through.
    const script = `echo ran >>${log}; [ -e ${log}.2 ] || { : >${log}.2; echo started; sleep 20; }; echo done`
    const cut = { onLine: (line: string) => line === 'started' && void own().killConnections() }
    await expect(machine.run(script, cut)).rejects.toMatchObject({ code: 'E_SSH_LOST', machine: 'web1' })
    rmSync(`${log}.2`, { force: true })
    rmSync(log, { force: true })
    const result = await machine.run(script, { ...cut, idempotent: true })
    expect(result.stdout).toBe('done\n')
    expect(readFileSync(log, 'utf8')).toBe('ran\nran\n')
    await machine.close()
  })

  it('connects again for the next script', async () => {
    const machine = await connect()
    await own().killConnections()
    await sleep(300)
    expect((await machine.run('echo back')).stdout).toBe('back\n')
    await machine.close()
  })
})
