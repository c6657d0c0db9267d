import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { LOCK_FUNCTIONS, type LockOwner, type LockTerms, lockScript } from './lock-script.js'
import { LOCK, STATE_DIR } from './state-paths.js'

const shells = [['/usr/bin/dash'], ['/bin/bash', '--posix'], ['/bin/busybox', 'sh']].filter(([path]) =>
  existsSync(path ?? ''),
)
const ann: LockOwner = { id: 'a1', who: "ann's@laptop", operation: 'run', since: '2026-01-01T00:00:00Z' }
const bob: LockOwner = { id: 'b2', who: 'bob@desk', operation: 'reset', since: '2026-01-01T00:01:00Z' }

let dir = ''
/** Stands for the connection of an operator. */
let connection: ChildProcess

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lock-'))
  connection = spawn('sleep', ['60'])
})
afterEach(() => {
  connection.kill('SIGKILL')
  rmSync(dir, { recursive: true, force: true })
})

const here = (script: string): string => script.replaceAll(STATE_DIR, dir)
const file = (): string => here(LOCK)
async function hangUp(): Promise<void> {
  const gone = new Promise((resolve) => connection.once('exit', resolve))
  connection.kill('SIGKILL')
  await gone
}

describe.each(shells)('the lock of a machine under %s', (...shell) => {
  const [program = '', ...args] = shell
  /** What the script after the lock printed: `goes on`, or the refusal. */
  const take = (
    owner: LockOwner,
    seen?: string,
    pid: number | undefined = connection.pid,
    more: LockTerms = {},
  ): string => {
    const terms = { ...(seen === undefined ? {} : { seen }), ...(pid === undefined ? {} : { pid }), ...more }
    // A wait of three seconds in each case of a held lock would be long.
    const script = here(lockScript(owner, terms)).replace('sleep 0.3', 'sleep 0')
    const result = spawnSync(program, [...args, '-c', `set -u\n${script}\necho goes on`], {
      encoding: 'utf8',
    })
    expect(result.stderr).toBe('')
    expect(result.status).toBe(result.stdout === 'goes on\n' ? 0 : 1)
    return result.stdout
  }
  const look = (): string => {
    const script = `set -u\n${here(LOCK_FUNCTIONS)}\nlock_read\nif lock_alive; then echo "held by $lock_who"; else echo "free, was $lock_id"; fi`
    return execFileSync(program, [...args, '-c', script], { encoding: 'utf8' })
  }

  it('is taken, and kept by the same operation', () => {
    expect(take(ann)).toBe('goes on\n')
    const text = readFileSync(file(), 'utf8')
    expect(text.split('\n')).toEqual([
      'a1',
      expect.stringMatching(new RegExp(`^${connection.pid} \\d+ [0-9a-f-]{36}$`)),
      "ann's@laptop",
      '2026-01-01T00:00:00Z',
      'run',
      '',
    ])
    expect(take(ann)).toBe('goes on\n')
    expect(readFileSync(file(), 'utf8')).toBe(text)
    expect(look()).toBe("held by ann's@laptop\n")
  })

  it('refuses another operation while its connection lives, and says who holds it', () => {
    take(ann)
    const before = readFileSync(file(), 'utf8')
    const said = take(bob, 'a1')
    expect(said).toContain(
      "@@fail E_LOCKED ann's@laptop is working on this machine: airlift run, since 2026-01-01",
    )
    expect(said).toContain('@@hint wait until it is done')
    expect(readFileSync(file(), 'utf8')).toBe(before)
  })

  it('is free as soon as the connection is gone', async () => {
    take(ann)
    await hangUp()
    expect(look()).toBe('free, was a1\n')
    expect(take(bob, 'a1', process.pid)).toBe('goes on\n')
    expect(look()).toBe('held by bob@desk\n')
  })

  it('refuses what was planned before somebody else worked on the machine', async () => {
    take(ann)
    await hangUp()
    expect(take(bob, undefined, process.pid)).toContain(
      "@@fail E_LOCKED ann's@laptop has changed this machine since this command looked at it: airlift run",
    )
    rmSync(file())
    expect(take(bob, 'a1', process.pid)).toContain(
      'somebody has changed this machine since this command looked',
    )
  })

  it('takes one that nobody could see before, unless it is held', async () => {
    take(ann)
    expect(take(bob, undefined, process.pid, { unseen: true })).toContain('is working on this machine')
    await hangUp()
    expect(take(bob, undefined, process.pid, { unseen: true })).toBe('goes on\n')
    expect(look()).toBe('held by bob@desk\n')
  })

  it('follows the operation to a new connection', async () => {
    take(ann)
    await hangUp()
    expect(take(ann, undefined, process.pid)).toBe('goes on\n')
    expect(look()).toBe("held by ann's@laptop\n")
  })

  it('is not held by a process that has the same number, nor by one of before the last boot', () => {
    take(ann)
    const [id, place = '', ...rest] = readFileSync(file(), 'utf8').split('\n')
    const [pid, started, boot] = place.split(' ')
    for (const other of [
      `${pid} ${Number(started) - 1} ${boot}`,
      `${pid} ${started} ${'0'.repeat(36)}`,
      '0',
      '',
    ]) {
      writeFileSync(file(), [id, other, ...rest].join('\n'))
      expect(look()).toBe('free, was a1\n')
    }
  })

  it('holds nobody back where no server of a known kind is found', () => {
    // Nothing here was started by sshd, or it is somebody's login: then that process would do.
    const shown = execFileSync(program, [...args, '-c', `${LOCK_FUNCTIONS}\nlock_anchor`], {
      encoding: 'utf8',
    })
    expect(shown).toMatch(/^\d+\n$/)
  })
})

describe('many at the same moment', () => {
  it('one gets the lock', async () => {
    const owners = Array.from({ length: 8 }, (_, i): LockOwner => ({ ...ann, id: `id${i}` }))
    const ends = await Promise.all(
      owners.map(
        (owner) =>
          new Promise<string>((resolve) => {
            const script = here(lockScript(owner, { pid: process.pid })).replace('sleep 0.3', 'sleep 0')
            const child = spawn('/bin/sh', ['-c', `${script}\necho goes on`])
            let text = ''
            child.stdout.on('data', (chunk: Buffer) => {
              text += chunk
            })
            child.on('close', () => resolve(text))
          }),
      ),
    )
    expect(ends.filter((text) => text === 'goes on\n')).toHaveLength(1)
    expect(ends.filter((text) => text.includes('E_LOCKED'))).toHaveLength(7)
  })
})
