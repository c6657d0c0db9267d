import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import { createContext } from '../core/context.js'
import { createEvents } from '../core/events.js'
import type { Runtime, World } from '../runtime/runtime.js'
import { decidedWorld } from './decided-world.js'

const spec = {} as ClusterSpec
const world = (): World => ({ machines: [], unreachable: [], secrets: new Map(), templates: {} })

/** Looks `times` times before the runtime knows enough; time passes only in waits. */
async function decide(times: number): Promise<{ looks: number; messages: string[]; seconds: number }> {
  let looks = 0
  let now = 0
  const messages: string[] = []
  const ctx = createContext({
    events: createEvents([(event) => messages.push(event.message)]),
    clock: {
      now: () => now,
      sleep: async (ms) => {
        now += ms
      },
    },
  })
  const runtime = { undecided: () => (looks < times ? 'a word' : undefined) } as unknown as Runtime
  const first = world()
  const observe = async (): Promise<World> => {
    looks++
    return world()
  }
  const found = await decidedWorld(spec, runtime, first, observe, ctx)
  expect(found === first).toBe(looks === 0)
  return { looks, messages, seconds: now / 1000 }
}

describe('decidedWorld', () => {
  it('is the world as it is where the runtime knows enough, or has no such question', async () => {
    expect(await decide(0)).toEqual({ looks: 0, messages: [], seconds: 0 })
    const first = world()
    const never = (): Promise<World> => Promise.reject(new Error('looked'))
    expect(await decidedWorld(spec, {} as Runtime, first, never, createContext())).toBe(first)
  })

  it('looks again until it does, and says once for whom it waits', async () => {
    expect(await decide(3)).toEqual({ looks: 3, messages: ['waiting for a word'], seconds: 6 })
  })

  it('leaves to the plan what does not show within a minute', async () => {
    expect((await decide(Number.POSITIVE_INFINITY)).seconds).toBe(60)
  })
})
