import { describe, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import type { LockFact } from '../machine/lock-script.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import { operationLock, requireUnlocked } from './operation-lock.js'

const lock: LockFact = {
  id: 'a1',
  who: 'ann@laptop',
  operation: 'run',
  since: '2026-01-01T00:00:00Z',
  held: true,
}

function world(...locks: (LockFact | undefined)[]): World {
  const machines = locks.map((found, i) => ({
    id: `ssh://root@10.0.0.${i + 1}:22`,
    name: `root@10.0.0.${i + 1}`,
    facts: { managed: found ? { lock: found } : {} },
  }))
  return {
    machines: machines as unknown as MachineWorld[],
    unreachable: [],
    secrets: new Map(),
    templates: {},
  }
}

/** A context whose waits are over at once, and are counted. */
function context() {
  const waits: number[] = []
  const clock = {
    now: () => Date.UTC(2026, 0, 2, 3, 4, 5),
    sleep: async (ms: number) => {
      waits.push(ms)
    },
  }
  return { ctx: createContext({ clock }), waits }
}

describe('requireUnlocked', () => {
  it('looks once more at a lock that may be about to go, and no further', async () => {
    const { ctx, waits } = context()
    const looks = [world(undefined, { ...lock, held: false })]
    const found = await requireUnlocked(world(undefined, lock), async () => looks.shift() ?? world(), ctx)
    expect(found.machines).toHaveLength(2)
    expect(waits).toHaveLength(1)
  })

  it('refuses with the machine, who holds it, since when and what to do', async () => {
    const { ctx } = context()
    const busy = world(undefined, lock)
    await expect(requireUnlocked(busy, async () => busy, ctx)).rejects.toMatchObject({
      code: 'E_LOCKED',
      exit: 1,
      machine: 'root@10.0.0.2',
      message: 'ann@laptop is working on this machine: airlift run, since 2026-01-01T00:00:00Z',
      hint: expect.stringContaining('wait'),
    })
  })

  it('does not look again at machines that nobody works on', async () => {
    const { ctx, waits } = context()
    const free = world({ ...lock, held: false }, undefined)
    expect(await requireUnlocked(free, () => Promise.reject(new Error('looked')), ctx)).toBe(free)
    expect(waits).toEqual([])
  })
})

describe('operationLock', () => {
  it('names the operator, and remembers what was seen', () => {
    const { ctx } = context()
    const first = operationLock('reset', world(undefined, { ...lock, held: false }), ctx)
    expect(first.seen).toEqual(new Map([['ssh://root@10.0.0.2:22', 'a1']]))
    expect(first.owner).toMatchObject({ operation: 'reset', since: '2026-01-02T03:04:05Z' })
    expect(first.owner.who).toMatch(/^.+@.+$/)
    expect(operationLock('reset', world(), ctx).owner.id).not.toBe(first.owner.id)
  })
  it('knows which containers nobody could look into', () => {
    const { ctx } = context()
    const stopped = world(undefined, undefined)
    const machines = stopped.machines.map((machine, i) => ({ ...machine, installed: { active: i === 0 } }))
    const contained = { ...stopped, machines, engine: {} } as unknown as World
    expect(operationLock('start', contained, ctx).unseen).toEqual(new Set(['ssh://root@10.0.0.2:22']))
    expect(operationLock('start', stopped, ctx).unseen).toEqual(new Set())
    const lb = { name: 'airlift-dev-lb', labels: { 'airlift.role': 'lb' } }
    const balanced = { ...contained, engine: { containers: [lb] } } as unknown as World
    expect(operationLock('run', balanced, ctx).unseen).toContain('docker://airlift-dev-lb')
  })
})
