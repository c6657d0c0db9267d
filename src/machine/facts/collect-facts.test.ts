import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { createContext } from '../../core/context.js'
import { createFakeMachine } from '../fake/fake-machine.js'
import { collectFacts } from './collect-facts.js'

const answer = readFileSync(new URL('./golden/debian-systemd.probe.txt', import.meta.url), 'utf8')

describe('collectFacts', () => {
  it('takes one round trip, as root, and measures the clock against its own', async () => {
    const times = [1_000_000, 1_000_900]
    const ctx = createContext({ clock: { now: () => times.shift() ?? 0, sleep: async () => {} } })
    const machine = createFakeMachine({ on: [{ match: 'probe()', reply: answer }] })
    const facts = await collectFacts(machine, { units: ['ssh'] }, ctx)
    expect(facts.hostname).toBe('facts-2')
    expect(facts.managed.units).toMatchObject([{ unit: 'ssh', active: 'active' }])
    expect(facts.clockSkewMs).toBeGreaterThan(1e12)
    expect(machine.stats.roundTrips).toBe(1)
    expect(machine.calls[0]?.options).toMatchObject({ root: true, idempotent: true })
  })

  it('names the machine when the probe fails, and keeps what it printed to itself', async () => {
    const ctx = createContext({})
    const failing = createFakeMachine({
      name: 'root@a',
      on: [
        { match: 'probe()', reply: { exitCode: 2, stdout: 'K10secret', stderr: 'sh: 3: grep: not found\n' } },
      ],
    })
    const error = await collectFacts(failing, {}, ctx).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'E_COMMAND', machine: 'root@a', log: ['sh: 3: grep: not found'] })
    expect(JSON.stringify(error)).not.toContain('K10secret')
    const cut = createFakeMachine({ name: 'root@a', on: [{ match: 'probe()', reply: 'hostname\tx\n' }] })
    await expect(collectFacts(cut, {}, ctx)).rejects.toMatchObject({ code: 'E_COMMAND', machine: 'root@a' })
  })
})
