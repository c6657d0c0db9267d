import { getEventListeners } from 'node:events'
import { expect, it } from 'vitest'
import { unlessAborted } from './unless-aborted.js'

const interrupted = new Error('interrupted')
const never = new Promise<string>(() => {})

it('gives what the work gives, or throws what it throws', async () => {
  const { signal } = new AbortController()
  expect(await unlessAborted(Promise.resolve('done'), signal)).toBe('done')
  await expect(unlessAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
})

it('waits no longer than until the signal', async () => {
  const controller = new AbortController()
  const waiting = unlessAborted(never, controller.signal)
  controller.abort(interrupted)
  await expect(waiting).rejects.toBe(interrupted)
  await expect(unlessAborted(never, controller.signal)).rejects.toBe(interrupted)
})

it('lets work fail unheard after the signal, whenever that came', async () => {
  const unheard: unknown[] = []
  const listen = (reason: unknown): void => void unheard.push(reason)
  process.on('unhandledRejection', listen)
  try {
    const controller = new AbortController()
    const fails = (): Promise<never> => new Promise((_, reject) => setImmediate(reject, new Error('late')))
    const waiting = unlessAborted(fails(), controller.signal)
    controller.abort(interrupted)
    await expect(waiting).rejects.toBe(interrupted)
    await expect(unlessAborted(fails(), controller.signal)).rejects.toBe(interrupted)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(unheard).toEqual([])
  } finally {
    process.off('unhandledRejection', listen)
  }
})

it('leaves no listener behind: one signal serves a whole command', async () => {
  const { signal } = new AbortController()
  await unlessAborted(Promise.resolve(), signal)
  await unlessAborted(Promise.reject(new Error('no')), signal).catch(() => {})
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
