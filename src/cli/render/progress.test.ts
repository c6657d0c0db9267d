import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { AirliftEvent, EventInput } from '../../core/events.js'
import type { OutputFlags } from '../io.js'
import { createRenderer } from './progress.js'
import { progressFrame } from './progress-frame.js'
import { createProgressState } from './progress-state.js'
import { plainStyle } from './style.js'

const START = Date.parse('2026-11-21T05:00:00.000Z')
const at = (ms: number, event: EventInput): AirliftEvent => ({
  time: new Date(START + ms).toISOString(),
  ...event,
})
const id = (n: number): string => `ssh://root@10.0.0.${n}:22`
const step = (
  ms: number,
  code: string,
  n: number,
  name: string,
  message: string,
  data?: object,
): AirliftEvent =>
  at(ms, {
    level: code === 'step.failed' ? 'error' : 'info',
    code,
    message,
    machine: id(n),
    step: `bare${n}/${name}`,
    ...(data ? { data: { ...data } } : {}),
  })
const flags = (parts: Partial<OutputFlags> = {}): OutputFlags => ({
  output: 'text',
  events: false,
  quiet: false,
  verbose: 0,
  ...parts,
})

/** A stream that keeps what is written. */
function screen(isTTY: boolean, columns = 80) {
  const writes: string[] = []
  return { isTTY, columns, writes, write: (text: string) => writes.push(text), text: () => writes.join('') }
}

const story = [
  at(0, {
    level: 'debug',
    code: 'machine.connected',
    message: 'connected to root@10.0.0.1',
    machine: '10.0.0.1',
  }),
  step(0, 'step.start', 1, 'install', 'install k3s as master'),
  at(500, {
    level: 'debug',
    code: 'upload.progress',
    message: 'send',
    machine: id(1),
    step: 'bare1/install',
    data: { sentBytes: 5 },
  }),
  at(600, { level: 'warn', code: 'step.note', message: 'swap is on', machine: id(1), step: 'bare1/install' }),
  step(1200, 'step.done', 1, 'install', 'install k3s as master'),
  step(1300, 'step.failed', 2, 'install', 'install k3s as worker', { error: 'no space left' }),
]

describe('without a terminal', () => {
  const play = (parts: Partial<OutputFlags>, env = {}, tty = false): string => {
    const stderr = screen(tty)
    const renderer = createRenderer(flags(parts), { env, stderr })
    for (const event of story) renderer.onEvent(event)
    renderer.stop()
    return stderr.text()
  }
  const lines = [
    ' • bare1: install k3s as master',
    ' ! bare1: swap is on',
    ' ✓ bare1: install k3s as master (1.2s)',
    ' ✗ bare2: install k3s as worker: no space left',
    '',
  ].join('\n')

  it('prints one line as a step begins and ends', () => expect(play({})).toBe(lines))
  it('treats TERM=dumb and CI as no terminal', () => {
    expect(play({}, { TERM: 'dumb' }, true)).toBe(lines)
    expect(play({}, { CI: '1' }, true)).toBe(lines)
  })
  it('adds debug events with -v, but no line for each transfer report', () => {
    expect(play({ verbose: 1 })).toBe(`   10.0.0.1: connected to root@10.0.0.1\n${lines}`)
  })
  it('is silent with -q', () => expect(play({ quiet: true })).toBe(''))
  it('writes every event as one line of JSON with --events, also when quiet', () => {
    const written = play({ events: true, quiet: true }).trimEnd().split('\n')
    expect(written.map((line) => JSON.parse(line))).toEqual(story)
  })
})

describe('progressFrame', () => {
  const frame = (events: readonly AirliftEvent[], nowMs: number, columns = 80): string[] => {
    const state = createProgressState()
    for (const event of events) state.apply(event)
    return progressFrame(state, START + nowMs, columns, plainStyle)
  }
  const planned = (counts: Record<string, number>): AirliftEvent =>
    at(0, { level: 'debug', code: 'plan.start', message: 'run', data: { machines: counts } })
  const uploading = [
    planned({ [id(1)]: 2, [id(2)]: 1, [id(3)]: 1 }),
    step(0, 'step.start', 1, 'stage', 'send files'),
    step(2000, 'upload.progress', 1, 'stage', 'send files', {
      sentBytes: 40_000_000,
      totalBytes: 100_000_000,
    }),
    step(0, 'step.start', 2, 'install', 'install k3s'),
    step(1500, 'step.done', 2, 'install', 'install k3s'),
    step(0, 'step.start', 3, 'install', 'install k3s'),
    step(100, 'step.failed', 3, 'install', 'install k3s', { error: 'no space left' }),
  ]

  it('gives each machine its step, with percent and rate of an upload', () => {
    expect(frame(uploading, 2000)).toEqual([
      ' • bare1  0/2 send files: 40% of 100 MB, 20.0 MB/s',
      ' ✓ bare2  1 step in 1.5s',
      ' ✗ bare3  no space left',
    ])
  })
  it('shows the seconds of a step that takes long, and who waits', () => {
    const events = [planned({ [id(1)]: 1, [id(2)]: 2 }), step(0, 'step.start', 1, 'start', 'start k3s')]
    expect(frame(events, 12_300)).toEqual([
      ' • bare1     0/1 start k3s (12s)',
      '   10.0.0.2  0/2 waiting for other machines',
    ])
  })
  it('cuts lines at the width of the terminal', () => {
    for (const line of frame(uploading, 2000, 24)) expect(line.length).toBeLessThan(24)
    expect(frame(uploading, 2000, 24)[0]).toBe(' • bare1  0/2 send fil…')
  })
  it('counts when there are more than eight machines', () => {
    const ids = Array.from({ length: 20 }, (_, index) => index + 1)
    const events = [
      planned(Object.fromEntries(ids.map((n) => [id(n), 1]))),
      ...ids.map((n) => step(0, 'step.start', n, 'join', n > 12 ? 'join' : 'send files')),
      ...ids.slice(0, 5).map((n) => step(900, 'step.done', n, 'join', 'send files')),
      ...ids.slice(5, 10).map((n) => step(900, 'step.failed', n, 'join', 'x', { error: 'broken' })),
    ]
    expect(frame(events, 1000)).toEqual([
      ' • 5/20 machines done, 5 failed',
      '      8 join',
      '      2 send files',
      ' ✗ bare6  broken',
      ' ✗ bare7  broken',
      ' ✗ bare8  broken',
      ' ✗ and 2 more',
    ])
  })
})

describe('on a terminal', () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: START })
  })
  afterEach(() => {
    vi.useRealTimers()
  })
  const live = (): { stderr: ReturnType<typeof screen>; renderer: ReturnType<typeof createRenderer> } => {
    const stderr = screen(true)
    return { stderr, renderer: createRenderer(flags(), { env: { NO_COLOR: '1' }, stderr }) }
  }

  it('draws at most ten times a second, however many events there are', () => {
    const { stderr, renderer } = live()
    renderer.onEvent(step(0, 'step.start', 1, 'stage', 'send files'))
    for (let ms = 1; ms <= 1000; ms++) {
      vi.advanceTimersByTime(1)
      renderer.onEvent(
        step(ms, 'upload.progress', 1, 'stage', 'send', { sentBytes: ms * 5e6, totalBytes: 5e9 }),
      )
    }
    expect(stderr.writes.length).toBeGreaterThan(5)
    expect(stderr.writes.length).toBeLessThanOrEqual(11)
    renderer.stop()
  })
  it('draws nothing when nothing changed', () => {
    const { stderr, renderer } = live()
    renderer.onEvent(step(0, 'step.start', 1, 'a', 'install'))
    renderer.onEvent(step(0, 'step.done', 1, 'a', 'install'))
    vi.advanceTimersByTime(200)
    const before = stderr.writes.length
    vi.advanceTimersByTime(60_000)
    expect(stderr.writes.length).toBe(before)
    renderer.stop()
    expect(stderr.writes.length).toBe(before)
  })
  it('redraws in place, puts warnings above, and leaves the last frame', () => {
    const { stderr, renderer } = live()
    renderer.onEvent(step(0, 'step.start', 1, 'a', 'install'))
    renderer.onEvent(at(0, { level: 'warn', code: 'note', message: 'swap is on', machine: id(1) }))
    renderer.onEvent(step(0, 'step.done', 1, 'a', 'install'))
    renderer.stop()
    expect(stderr.writes).toEqual([
      ' • bare1  install\n',
      '\x1b[1A\r\x1b[J ! 10.0.0.1: swap is on\n',
      ' • bare1  install\n',
      '\x1b[1A\r\x1b[J ✓ bare1  1 step in 0.0s\n',
    ])
  })
  it('counts connections until there is a plan, and leaves no trace of it', () => {
    const { stderr, renderer } = live()
    const arrive = (code: string): void =>
      renderer.onEvent(at(0, { level: 'debug', code, message: '', machine: id(1) }))
    arrive('machine.connected')
    arrive('machine.connected')
    arrive('facts.collected')
    vi.advanceTimersByTime(100)
    expect(stderr.writes).toEqual([
      ' • 1 machine connected, 0 looked at\n',
      '\x1b[1A\r\x1b[J • 2 machines connected, 1 looked at\n',
    ])
    renderer.stop()
    expect(stderr.writes.at(-1)).toBe('\x1b[1A\r\x1b[J')
  })
  it('keeps no process alive', () => {
    vi.useRealTimers()
    const { renderer } = live()
    const unref = vi.spyOn(Object.getPrototypeOf(setTimeout(() => {}, 0)), 'unref')
    renderer.onEvent(step(0, 'step.start', 1, 'a', 'install'))
    renderer.onEvent(step(0, 'step.start', 1, 'b', 'install more'))
    expect(unref).toHaveBeenCalledTimes(2)
    renderer.stop()
  })
})
