import type { AirliftEvent } from '../../core/events.js'
import type { CliDeps, EventRenderer, OutputFlags } from '../io.js'
import { eventLine } from './event-line.js'
import { progressFrame } from './progress-frame.js'
import { createProgressState } from './progress-state.js'
import type { Style } from './style.js'

/** At most ten frames a second: more is flicker, and slow over ssh. */
const FRAME_MS = 100
/** Running seconds are shown whole. */
const TICK_MS = 1000

/**
 * Draws progress in place on a terminal. Draws only what changed, at most ten times a second; warnings scroll by above.
 * Its timers never keep the process alive.
 */
export function createLiveView(flags: OutputFlags, stderr: CliDeps['stderr'], style: Style): EventRenderer {
  let state = createProgressState()
  let drawn: readonly string[] = []
  let lastDrawMs = 0
  let pending: NodeJS.Timeout | undefined
  let ticker: NodeJS.Timeout | undefined

  const draw = (): void => {
    pending = undefined
    lastDrawMs = Date.now()
    const frame = progressFrame(state, lastDrawMs, stderr.columns ?? 80, style)
    if (frame.length === drawn.length && frame.every((line, index) => line === drawn[index])) return
    stderr.write(`${erase(drawn.length)}${frame.map((line) => `${line}\n`).join('')}`)
    drawn = frame
  }
  const schedule = (): void => {
    ticker ??= setInterval(draw, TICK_MS).unref()
    if (pending) return
    const wait = lastDrawMs + FRAME_MS - Date.now()
    if (wait <= 0) draw()
    else pending = setTimeout(draw, wait).unref()
  }
  const above = (line: string): void => {
    stderr.write(`${erase(drawn.length)}${line}\n`)
    drawn = []
    draw()
  }
  return {
    onEvent: (event: AirliftEvent) => {
      if (event.code === 'plan.start') {
        finish()
        state = createProgressState()
      }
      if (state.apply(event)) schedule()
      const line = isDrawn(event) ? undefined : eventLine(event, flags.verbose, style)
      if (line !== undefined) above(line)
    },
    stop: () => {
      finish()
      state = createProgressState()
    },
  }

  /** Leaves the last frame on the screen; what follows begins below it. */
  function finish(): void {
    if (pending) clearTimeout(pending)
    if (ticker) clearInterval(ticker)
    pending = undefined
    ticker = undefined
    if (state.machines.size > 0) draw()
    // How many were connected says nothing afterwards.
    else if (drawn.length > 0) stderr.write(erase(drawn.length))
    drawn = []
  }
}

/** What the frame shows needs no line of its own. */
function isDrawn(event: AirliftEvent): boolean {
  return /^(step\.(start|done|failed|skipped)|plan\.start|upload\.progress)$/.test(event.code)
}

/** Moves up over the frame and clears to the end of the screen. */
function erase(lines: number): string {
  return lines === 0 ? '' : `\x1b[${lines}A\r\x1b[J`
}
