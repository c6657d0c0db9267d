import { describe, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { type ForAll, forAll } from './for-all.js'
import type { ActionIo } from './io.js'
import { styleFor } from './render/style.js'

interface Lab {
  readonly io: ActionIo
  readonly printed: unknown[]
  readonly warned: string[]
  readonly asked: string[]
  readonly abort: () => void
}

function lab(json: boolean, answer?: boolean): Lab {
  const [printed, warned, asked]: [unknown[], string[], string[]] = [[], [], []]
  const controller = new AbortController()
  const style = styleFor({}, {})
  const io: ActionIo = {
    ...{ output: json ? 'json' : 'text', events: false, quiet: false, verbose: 0, json, interactive: false },
    ctx: createContext({ signal: controller.signal }),
    print: (text) => printed.push(text),
    printJson: (value) => printed.push(value),
    note: () => {},
    warn: (text) => warned.push(text),
    endProgress: () => {},
    style: { out: style, err: style },
    confirm: async (question) => {
      asked.push(question)
      return answer
    },
    askSecret: async () => undefined,
    onEnd: () => {},
  }
  return { io, printed, warned, asked, abort: () => controller.abort(new Error('interrupted')) }
}

const cluster = (name: string, runtime = 'k3d') => ({ name, runtime, version: '', masters: 1, workers: 0 })
const known = async () => [cluster('a'), cluster('hosts', 'k3s'), cluster('b'), cluster('c')]
/** A verb that prints what it was given, and fails for `b` where it is told to. */
function verbOf(seen: string[], fails: boolean | 'throws' = false): ForAll['verb'] {
  return async (io, flags) => {
    const name = String(flags.name)
    seen.push(name)
    expect(flags).toMatchObject({ yes: true })
    if (name === 'b' && fails === 'throws') throw new AirliftError('E_REFUSED', 'no', { hint: 'wait' })
    io.printJson({ operation: 'reset', name })
    return name === 'b' && fails ? 4 : 0
  }
}

describe('--all', () => {
  it('does nothing for a name that hosts have too', async () => {
    const { io, printed } = lab(true)
    const seen: string[] = []
    const both = async () => [cluster('a'), cluster('b'), cluster('b', 'k3s')]
    expect(await forAll(io, {}, { operation: 'stop', verb: verbOf(seen), known: both })).toBe(3)
    expect(seen).toEqual(['a'])
    expect(printed).toMatchObject([
      { clusters: [{ name: 'a' }, { name: 'b', error: { code: 'E_REFUSED' } }] },
    ])
  })

  it('is every cluster in containers, asked about once, and its documents are one', async () => {
    const { io, printed, asked } = lab(true, true)
    const seen: string[] = []
    const all = { operation: 'reset', question: 'remove', verb: verbOf(seen), known }
    expect(await forAll(io, {}, all)).toBe(0)
    expect(seen).toEqual(['a', 'b', 'c'])
    expect(asked).toEqual(['remove: a, b, c?'])
    const clusters = seen.map((name) => ({ operation: 'reset', name }))
    expect(printed).toEqual([{ operation: 'reset', clusters }])
  })

  it.each([
    [true, 3],
    ['throws', 3],
  ] as const)('goes on where one fails (%s), exit 3', async (fails, exit) => {
    const { io, printed, warned } = lab(true)
    const seen: string[] = []
    expect(await forAll(io, {}, { operation: 'reset', verb: verbOf(seen, fails), known })).toBe(exit)
    expect(seen).toEqual(['a', 'b', 'c'])
    if (fails !== 'throws') return
    expect(printed[0]).toMatchObject({
      clusters: [
        { name: 'a' },
        { name: 'b', outcome: 'failed', error: { code: 'E_REFUSED' } },
        { name: 'c' },
      ],
    })
    expect(warned.join()).toMatch(/^b: .*no/)
  })

  it('has the exit code of the failure where nothing went well', async () => {
    const only = async () => [cluster('b')]
    const failing = { operation: 'reset', verb: verbOf([], 'throws'), known: only }
    expect(await forAll(lab(true).io, {}, failing)).toBe(5)
  })

  it('does nothing where it is not wanted, or there is nothing', async () => {
    const seen: string[] = []
    const declined = forAll(
      lab(false, false).io,
      {},
      { operation: 'reset', question: 'remove', verb: verbOf(seen), known },
    )
    await expect(declined).rejects.toMatchObject({ code: 'E_DECLINED' })
    const { io, printed, asked } = lab(false, true)
    const none = {
      operation: 'reset',
      question: 'remove',
      verb: verbOf(seen),
      known: async () => [cluster('h', 'k3s')],
    }
    expect(await forAll(io, {}, none)).toBe(0)
    expect([seen, asked, printed]).toEqual([[], [], ['there are no clusters in containers']])
  })

  it('ends with an interruption', async () => {
    const { io, abort } = lab(false)
    const seen: string[] = []
    const verb: ForAll['verb'] = async (_, flags) => {
      seen.push(String(flags.name))
      abort()
      throw new AirliftError('E_INTERRUPTED', 'interrupted')
    }
    await expect(forAll(io, {}, { operation: 'reset', verb, known })).rejects.toMatchObject({
      code: 'E_INTERRUPTED',
    })
    expect(seen).toEqual(['a'])
  })

  it.each([{ name: 'dev' }, { masters: '10.0.0.1' }, { nodes: '1' }])(
    'is refused beside %j',
    async (flags) => {
      const refused = forAll(lab(false).io, flags, { operation: 'reset', verb: verbOf([]), known })
      await expect(refused).rejects.toThrow(/--all and --/)
    },
  )
})
