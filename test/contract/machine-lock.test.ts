import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { LOCK_FUNCTIONS, lockScript } from '../../src/machine/lock-script.js'
import type { Machine } from '../../src/machine/machine.js'
import { STATE_DIR } from '../../src/machine/state-paths.js'
import { kinds, ownSuite, root } from './own-suite.js'
import { reachOwn } from './reach.js'

const own = ownSuite()

const here = (script: string): string => script.replaceAll(STATE_DIR, own.dir)
const take = async (machine: Machine, id: string, seen?: string): Promise<string> => {
  const owner = { id, who: `${id}@desk`, operation: 'run', since: '2026-01-01T00:00:00Z' }
  const script = here(lockScript(owner, seen === undefined ? {} : { seen }))
  return (await machine.run(`${script}\necho goes on`)).stdout
}
const look = async (machine: Machine): Promise<string> =>
  (await machine.run(`${here(LOCK_FUNCTIONS)}\nlock_read\nif lock_alive; then echo held; else echo free; fi`))
    .stdout

describe.runIf(root).each(kinds)('the lock of a machine over %s', (kind) => {
  const connect = (): Promise<Machine> => reachOwn(own.sshd, { flags: { transport: kind } })

  it('belongs to the connection: it holds others back while that lives, and ends with it', async () => {
    rmSync(join(own.dir, 'lock'), { force: true })
    const ann = await connect()
    const bob = await connect()
    expect(await take(ann, 'ann')).toBe('goes on\n')
    expect(await look(bob)).toBe('held\n')
    expect(await take(bob, 'bob', 'ann')).toMatch(
      /@@fail E_LOCKED ann@desk is working on this machine: airlift run/,
    )
    expect(await take(ann, 'ann')).toBe('goes on\n')
    await ann.close()
    await expect.poll(() => look(bob), { timeout: 3_000 }).toBe('free\n')
    expect(await take(bob, 'bob', 'ann')).toBe('goes on\n')
    await bob.close()
  })

  it('ends when the connection is cut from outside', async () => {
    rmSync(join(own.dir, 'lock'), { force: true })
    const ann = await connect()
    expect(await take(ann, 'ann')).toBe('goes on\n')
    await own.sshd.killConnections()
    const bob = await connect()
    await expect.poll(() => look(bob), { timeout: 3_000 }).toBe('free\n')
    await bob.close()
    await ann.close()
  })
})
