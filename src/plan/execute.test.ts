import { afterEach, describe, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createEvents } from '../core/events.js'
import { Secret } from '../core/secret.js'
import { createFakeMachine, type FakeMachine, type FakeRule } from '../machine/fake/fake-machine.js'
import { type ExecuteOptions, executePlan } from './execute.js'
import type { Plan, Step } from './plan.js'

const fakes: FakeMachine[] = []
afterEach(() => {
  for (const fake of fakes.splice(0)) fake.verify()
})

function machine(name: string, ...on: FakeRule[]): FakeMachine {
  const fake = createFakeMachine({ id: name, name, on })
  fakes.push(fake)
  return fake
}

const script = (id: string, on: string, needs: string[] = [], text = `echo ${id}`): Step => ({
  id,
  machine: on,
  title: id,
  needs,
  actions: [{ kind: 'script', script: text }],
})
const planOf = (...steps: Step[]): Plan => ({
  operation: 'run',
  name: 'x',
  runtime: 'k3s',
  steps,
  summary: { create: 0, change: 0, remove: 0 },
})
const options = (machines: FakeMachine[], more: Partial<ExecuteOptions> = {}): ExecuteOptions => ({
  machines: new Map(machines.map((fake) => [fake.id, fake])),
  secrets: new Map(),
  stage: async () => ({ sentBytes: 0 }),
  ...more,
})
const outcomes = async (
  plan: Plan,
  opts: ExecuteOptions,
  ctx = createContext(),
): Promise<Record<string, string>> =>
  Object.fromEntries(
    (await executePlan(plan, opts, ctx)).steps.map((result) => [result.step.id, result.outcome]),
  )

describe('executePlan', () => {
  it('takes the lock ahead of whatever changes a machine, in the same round trip', async () => {
    const a = machine('a', { match: /./ })
    const preludes: (string | undefined)[] = []
    const lock = {
      owner: { id: 'mine', who: 'ann@laptop', operation: 'run', since: '2026-01-01T00:00:00Z' },
      seen: new Map([['a', 'before']]),
    }
    const stage: ExecuteOptions['stage'] = async (_machine, _blobs, { prelude }) => {
      preludes.push(prelude)
      return { sentBytes: 0 }
    }
    const blobs = [{ sha256: 'ab'.repeat(32), sizeBytes: 1, name: 'k3s' }]
    const staging: Step = { ...script('stage', 'a'), actions: [{ kind: 'stage', blobs }] }
    await executePlan(
      planOf(staging, script('work', 'a', ['stage'])),
      options([a], { lock, stage }),
      createContext(),
    )
    expect(a.scripts).toHaveLength(1)
    for (const text of [preludes[0], a.scripts[0]]) {
      expect(text).toMatch(/lock_take[\s\S]* mine \| before\)/)
    }
    expect(a.scripts[0]?.indexOf('lock_take')).toBeLessThan(a.scripts[0]?.indexOf('echo work') ?? 0)
  })

  it('fails a step on a machine that somebody else holds, with who and the remedy', async () => {
    const reply = {
      exitCode: 1,
      stdout: '@@fail E_LOCKED ann@laptop is working on this machine\n@@hint wait\n',
    }
    const a = machine('a', { match: 'echo', reply })
    const result = await executePlan(planOf(script('work', 'a')), options([a]), createContext())
    expect(result.steps[0]?.error).toMatchObject({
      code: 'E_LOCKED',
      machine: 'a',
      message: 'ann@laptop is working on this machine',
      hint: 'wait',
    })
  })

  it('runs a step only after what it needs', async () => {
    const a = machine('a', { match: 'echo', reply: '' })
    await executePlan(
      planOf(script('third', 'a', ['second']), script('second', 'a', ['first']), script('first', 'a')),
      options([a]),
      createContext(),
    )
    expect(a.scripts.map((text) => /echo (\w+)/.exec(text)?.[1])).toEqual(['first', 'second', 'third'])
  })

  it('stops what depends on a failed step and nothing else', async () => {
    const a = machine('a', {
      match: 'echo bad',
      reply: { exitCode: 1, stdout: '@@action 0\n@@fail E_DISK_FULL disk full\n@@hint free some\n' },
    })
    const b = machine('b', { match: 'echo', reply: '' })
    const result = await executePlan(
      planOf(
        script('bad', 'a'),
        script('child', 'b', ['bad']),
        script('grandchild', 'b', ['child']),
        script('other', 'b'),
      ),
      options([a, b]),
      createContext(),
    )
    expect(result.steps.map((step) => [step.step.id, step.outcome])).toEqual([
      ['bad', 'failed'],
      ['child', 'skipped'],
      ['grandchild', 'skipped'],
      ['other', 'done'],
    ])
    expect(result.steps[0]?.error).toMatchObject({
      code: 'E_DISK_FULL',
      message: 'disk full',
      hint: 'free some',
      machine: 'a',
    })
  })

  it('sends neighbouring actions in one round trip, and captures and uploads alone', async () => {
    const a = machine('a', { match: 'cat /token', reply: 'K10secret\n' }, { match: '', reply: '' })
    const staged: string[] = []
    const step: Step = {
      id: 's',
      machine: 'a',
      title: 's',
      needs: [],
      actions: [
        { kind: 'stage', blobs: [{ sha256: 'aa', sizeBytes: 1, name: 'x' }] },
        { kind: 'script', script: 'one' },
        { kind: 'script', script: 'two' },
        { kind: 'capture', secret: 'join', script: 'cat /token' },
        { kind: 'script', script: 'use {{secret:join}}' },
      ],
    }
    await executePlan(
      planOf(step),
      options([a], {
        stage: async (_, blobs) => {
          staged.push(...blobs.map((blob) => blob.name))
          return { sentBytes: 1 }
        },
      }),
      createContext(),
    )
    expect(staged).toEqual(['x'])
    expect(a.scripts).toHaveLength(3)
    expect(a.scripts[0]).toMatch(/one[\s\S]*two/)
    expect(a.scripts[2]).toContain('use K10secret')
  })

  it('keeps secrets out of errors and events', async () => {
    const seen: string[] = []
    const a = machine('a', {
      match: 'login',
      reply: { exitCode: 1, stderr: 'cannot log in with hunter22hunter22' },
    })
    const ctx = createContext({ events: createEvents([(event) => seen.push(JSON.stringify(event))]) })
    const result = await executePlan(
      planOf(script('s', 'a', [], 'login {{secret:pw}}')),
      options([a], { secrets: new Map([['pw', new Secret('hunter22hunter22')]]) }),
      ctx,
    )
    expect(result.steps[0]?.error?.log).toEqual(['cannot log in with [secret]'])
    expect(seen.join()).not.toContain('hunter22')
  })

  it('begins no step after an abort, and says that it was interrupted', async () => {
    const controller = new AbortController()
    const a = machine('a', {
      match: 'echo first',
      fn: () => {
        controller.abort(new AirliftError('E_INTERRUPTED', 'stop'))
        return ''
      },
    })
    const ctx = createContext({ signal: controller.signal })
    const plan = planOf(script('first', 'a'), script('second', 'a', ['first']))
    const result = await executePlan(plan, options([a]), ctx)
    expect(result.interrupted).toBe(true)
    expect(result.steps.map((step) => step.outcome)).toEqual(['done', 'skipped'])
  })

  it('lets no more uploads run at once than the limits say', async () => {
    let now = 0
    let most = 0
    const many = Array.from({ length: 12 }, (_, i) => machine(`m${i}`, { match: '', reply: '' }))
    const steps = many.map(
      (fake): Step => ({
        id: fake.id,
        machine: fake.id,
        title: '',
        needs: [],
        window: 'upload',
        actions: [{ kind: 'stage', blobs: [] }],
      }),
    )
    const stage = async (): Promise<{ sentBytes: number }> => {
      most = Math.max(most, ++now)
      await new Promise((resolve) => setImmediate(resolve))
      now--
      return { sentBytes: 0 }
    }
    await executePlan(planOf(...steps), options(many, { stage }), createContext())
    expect(most).toBe(8)
  })

  it('refuses a plan that needs a step which it does not have', async () => {
    await expect(outcomes(planOf(script('s', 'a', ['nowhere'])), options([machine('a')]))).rejects.toThrow(
      '"nowhere"',
    )
  })
})

describe('a step that assists others', () => {
  const assists = (ids: string[], text = 'help'): Step => ({ ...script('help', 'a', [], text), assists: ids })

  it('is ended with the last of them, and counts as done', async () => {
    const aborted: boolean[] = []
    const a = machine('a', {
      match: 'help',
      fn: ({ options: given }) =>
        new Promise((_resolve, reject) => {
          given.signal?.addEventListener('abort', () => {
            aborted.push(true)
            reject(new AirliftError('E_INTERRUPTED', 'cut'))
          })
        }),
    })
    const done: string[] = []
    const work = (id: string) => ({
      match: `echo ${id}`,
      fn: async () => {
        await new Promise((resolve) => setTimeout(resolve, id === 'one' ? 5 : 30))
        expect(aborted).toEqual([])
        done.push(id)
        return ''
      },
    })
    const b = machine('b', work('one'), work('two'))
    const plan = planOf(script('one', 'b'), script('two', 'b'), assists(['one', 'two']))
    expect(await outcomes(plan, options([a, b]))).toEqual({ one: 'done', two: 'done', help: 'done' })
    expect([done, aborted]).toEqual([['one', 'two'], [true]])
  })

  it('keeps nobody waiting when those fail, and its own failure is none', async () => {
    const a = machine('a', { match: 'help', reply: { exitCode: 1, stdout: '@@fail E_START no' } })
    const b = machine('b', { match: 'echo one', reply: { exitCode: 1 } }, { match: 'echo two' })
    const told: unknown[] = []
    const events = createEvents([
      ({ code, step, data }) => void (step === 'help' && told.push([code, data?.why])),
    ])
    const plan = planOf(script('one', 'b'), script('two', 'b'), assists(['one']))
    const result = await outcomes(plan, options([a, b]), createContext({ events }))
    expect(result).toEqual({ one: 'failed', two: 'done', help: 'done' })
    expect(told).toEqual([
      ['step.start', undefined],
      ['step.skipped', 'no'],
    ])
  })

  it('takes no lock, which would need a look into the machine first', async () => {
    const a = machine('a', { match: 'help' })
    const b = machine('b', { match: 'echo one' })
    const owner = { id: 'mine', who: 'ann@laptop', operation: 'add', since: '2026-01-01T00:00:00Z' }
    const lock = { owner, seen: new Map([['b', 'before']]) }
    expect(await outcomes(planOf(script('one', 'b'), assists(['one'])), options([a, b], { lock }))).toEqual({
      one: 'done',
      help: 'done',
    })
    expect(a.scripts.join()).not.toContain('lock_take')
    expect(b.scripts.join()).toContain('lock_take')
  })

  it('is skipped when the whole plan is interrupted', async () => {
    const stop = new AbortController()
    const hang = ({ options: given }: { readonly options: { readonly signal?: AbortSignal } }) =>
      new Promise<string>((_resolve, reject) => {
        given.signal?.addEventListener('abort', () => reject(new AirliftError('E_INTERRUPTED', 'cut')))
      })
    const a = machine('a', { match: 'help', fn: hang })
    const b = machine('b', { match: 'echo one', fn: hang })
    setTimeout(() => stop.abort(), 10)
    const ctx = createContext({ signal: stop.signal })
    expect(await outcomes(planOf(script('one', 'b'), assists(['one'])), options([a, b]), ctx)).toEqual({
      one: 'skipped',
      help: 'skipped',
    })
  })

  it('must name steps of the plan', async () => {
    const a = machine('a')
    await expect(executePlan(planOf(assists(['gone'])), options([a]), createContext())).rejects.toMatchObject(
      {
        code: 'E_INTERNAL',
      },
    )
  })
})
