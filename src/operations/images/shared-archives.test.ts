import { describe, expect, it } from 'vitest'
import { heldClock } from '../../core/held-clock.fixture.js'
import { HOLD_MS, SharedArchives } from './shared-archives.js'

const NEVER = new AbortController().signal
const put = (path: string) => async () => path
/** Whether it has come, once everything has run that can. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false
  void promise.then(() => {
    settled = true
  })
  await new Promise((resolve) => setImmediate(resolve))
  return settled
}

describe('SharedArchives', () => {
  it('lets the first that asks put it, and gives the others the same', async () => {
    const shared = new SharedArchives(heldClock())
    const [a, b, other] = [shared.join('x'), shared.join('x'), shared.join('y')]
    expect(await b.take(put('/b'))).toBe('/b')
    expect(await a.take(put('/a'))).toBe('/b')
    expect(await other.take(put('/other'))).toBe('/other')
    expect([a.leads, b.leads, other.leads]).toEqual([false, true, true])
  })

  it('releases it at once where all have it open, without a timer', async () => {
    const clock = heldClock()
    const shared = new SharedArchives(clock)
    const [a, b] = [shared.join('x'), shared.join('x')]
    shared.join('y')
    await a.take(put('/a'))
    for (const share of [a, b]) share.leave()
    expect(await isSettled(a.released(NEVER))).toBe(true)
    expect(clock.sleeps).toEqual([])
  })

  it.each(['leave', 'end'] as const)('releases it with the last that waits, by %s', async (how) => {
    const clock = heldClock()
    const shared = new SharedArchives(clock)
    const [a, b, c] = [shared.join('x'), shared.join('x'), shared.join('x')]
    await a.take(put('/a'))
    for (const share of [a, b, b]) share.leave()
    const released = a.released(NEVER)
    expect(await isSettled(released)).toBe(false)
    c[how]()
    expect(await isSettled(released)).toBe(true)
    // The timer does not go on by itself.
    expect(clock.sleeps.map(({ signal }) => signal?.aborted)).toEqual([true])
  })

  it('releases it after a while where one does not come, which puts it anew then', async () => {
    const clock = heldClock()
    const shared = new SharedArchives(clock)
    const [a, late] = [shared.join('x'), shared.join('x')]
    await a.take(put('/a'))
    a.leave()
    const released = a.released(NEVER)
    expect(await isSettled(released)).toBe(false)
    expect(clock.sleeps.map(({ ms }) => ms)).toEqual([HOLD_MS])
    clock.sleeps[0]?.pass()
    expect(await isSettled(released)).toBe(true)
    expect(await late.take(put('/late'))).toBe('/late')
    // Of what another has put by then its end takes nothing away.
    a.end()
    expect(await shared.join('x').take(put('/next'))).toBe('/late')
  })

  it('releases it with the signal', async () => {
    const shared = new SharedArchives(heldClock())
    const [a] = [shared.join('x'), shared.join('x')]
    await a.take(put('/a'))
    const aborter = new AbortController()
    const released = a.released(aborter.signal)
    expect(await isSettled(released)).toBe(false)
    aborter.abort()
    expect(await isSettled(released)).toBe(true)
    expect(await isSettled(a.released(aborter.signal))).toBe(true)
  })

  it('lets another put it where the node has ended that it was put for', async () => {
    const shared = new SharedArchives(heldClock())
    const [a, b] = [shared.join('x'), shared.join('x')]
    await a.take(async () => undefined)
    expect(await b.take(put('/b'))).toBeUndefined()
    a.end()
    expect(await b.take(put('/b'))).toBe('/b')
  })
})
