import { expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import type { Engine } from '../machine/docker/engine.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import { shareEngine } from './share-engine.js'

const ctx = createContext({})
const dead = () => new AirliftError('E_ENGINE_UNREACHABLE', 'the engine does not answer', {})

interface Attempt {
  readonly resolve: (engine: Engine) => void
  readonly reject: (error: Error) => void
}

/** Shares an engine; how each attempt to connect ends is told by the test. */
function door() {
  const attempts: Attempt[] = []
  const shared = shareEngine(
    () => new Promise<Engine>((resolve, reject) => attempts.push({ resolve, reject })),
  )
  return { shared, attempts }
}

it('connects once for all that ask, and not before the first asks', async () => {
  const { shared, attempts } = door()
  expect(attempts).toHaveLength(0)
  const early = [shared.connect(ctx), shared.connect(ctx)]
  const engine = createFakeEngine({ images: { img: {} } })
  attempts[0]?.resolve(engine)
  const given = [...(await Promise.all(early)), await shared.connect(ctx)]
  expect(attempts).toHaveLength(1)
  for (const one of given) expect(await one.image('img')).toMatchObject({ id: expect.any(String) })
  expect(engine.calls.map(({ method }) => method)).toEqual(['image', 'image', 'image'])
})

it('stays open until the end, whoever closes what it was given, and is then closed', async () => {
  const engine = createFakeEngine({ images: { img: {} } })
  const shared = shareEngine(async () => engine)
  const first = await shared.connect(ctx)
  await first.close()
  expect(engine.closed).toBe(false)
  expect(await (await shared.connect(ctx)).image('img')).toBeDefined()
  await shared.close()
  expect(engine.closed).toBe(true)
})

it('has nothing to close where nobody asked, or the engine was never reached', async () => {
  const { shared, attempts } = door()
  await shared.close()
  expect(attempts).toHaveLength(0)
  const failing = shareEngine(() => Promise.reject(dead()))
  await expect(failing.connect(ctx)).rejects.toMatchObject({ code: 'E_ENGINE_UNREACHABLE' })
  await failing.close()
})

it('closes a connection that is still being made', async () => {
  const { shared, attempts } = door()
  const asked = shared.connect(ctx)
  const ended = shared.close()
  const engine = createFakeEngine()
  attempts[0]?.resolve(engine)
  await asked
  await ended
  expect(engine.closed).toBe(true)
})

it('tells all that ask of a failure, and tries again for the next', async () => {
  const { shared, attempts } = door()
  const asked = Promise.allSettled([shared.connect(ctx), shared.connect(ctx)])
  attempts[0]?.reject(dead())
  expect(await asked).toMatchObject([
    { status: 'rejected', reason: { code: 'E_ENGINE_UNREACHABLE' } },
    { status: 'rejected', reason: { code: 'E_ENGINE_UNREACHABLE' } },
  ])
  expect(attempts).toHaveLength(1)
  const again = shared.connect(ctx)
  attempts[1]?.resolve(createFakeEngine({ images: { img: {} } }))
  expect(await (await again).image('img')).toBeDefined()
})

it('keeps the new connection when an earlier failure is told to others after it was asked for', async () => {
  const { shared, attempts } = door()
  const first = shared.connect(ctx).catch(() => 'told')
  attempts[0]?.reject(dead())
  const again = Promise.resolve().then(() => shared.connect(ctx))
  // Asks while the failure stands, and hears of it when `again` has asked anew.
  const late = shared.connect(ctx).catch(() => 'told')
  expect(await Promise.all([first, late])).toEqual(['told', 'told'])
  const engine = createFakeEngine()
  attempts[1]?.resolve(engine)
  await again
  await shared.connect(ctx)
  expect(attempts).toHaveLength(2)
  await shared.close()
  expect(engine.closed).toBe(true)
})
