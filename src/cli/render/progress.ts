import type { AirliftEvent } from '../../core/events.js'
import type { CliDeps, EventRenderer, OutputFlags } from '../io.js'
import { eventLine } from './event-line.js'
import { createLiveView } from './live-view.js'
import { styleFor } from './style.js'

/**
 * The listener that shows events on stderr: NDJSON with --events, nothing with -q, in place on a terminal, else one line
 * per step that begins or ends. With TERM=dumb or in CI a terminal counts as none.
 */
export function createRenderer(flags: OutputFlags, deps: Pick<CliDeps, 'env' | 'stderr'>): EventRenderer {
  const { env, stderr } = deps
  if (flags.events) {
    return { onEvent: (event) => void stderr.write(`${JSON.stringify(event)}\n`), stop: () => {} }
  }
  if (flags.quiet) return { onEvent: () => {}, stop: () => {} }
  const style = styleFor(stderr, env)
  if (canDraw(stderr, env)) return createLiveView(flags, stderr, style)
  const started = new Map<string, number>()
  return {
    onEvent: (event) => {
      const line = eventLine(event, flags.verbose, style, secondsOf(event, started))
      if (line !== undefined) stderr.write(`${line}\n`)
    },
    stop: () => {},
  }
}

/** Whether a stream is a terminal that takes cursor movements. */
export function canDraw(stream: { readonly isTTY?: boolean }, env: CliDeps['env']): boolean {
  return stream.isTTY === true && env.TERM !== 'dumb' && !env.CI
}

function secondsOf(event: AirliftEvent, started: Map<string, number>): number | undefined {
  if (event.step === undefined) return undefined
  const nowMs = Date.parse(event.time)
  if (event.code === 'step.start') started.set(event.step, nowMs)
  const began = event.code === 'step.done' ? started.get(event.step) : undefined
  return began === undefined ? undefined : (nowMs - began) / 1000
}
