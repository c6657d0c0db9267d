import type { AirliftEvent } from '../../core/events.js'
import { machineLabel } from './machine-label.js'
import { stepLabel } from './progress-state.js'
import { formatSeconds } from './quantity.js'
import type { Style } from './style.js'

/**
 * One event as one line; undefined when it is not for this level of detail. `seconds` is how long a step took.
 * 0 shows info and above, 1 (-v) debug too, 2 (-vv) all.
 */
export function eventLine(
  event: AirliftEvent,
  verbose: number,
  style: Style,
  seconds?: number,
): string | undefined {
  const least = { error: 0, warn: 0, info: 0, debug: 1, trace: 2 }[event.level]
  if (verbose < least) return undefined
  // A transfer reports many times a second: a line for each is for -vv.
  if (event.code === 'upload.progress' && verbose < 2) return undefined
  const who = event.step ? stepLabel(event) : event.machine ? machineLabel(event.machine) : ''
  const why = event.code === 'step.skipped' && event.data?.why !== undefined ? `: ${event.data.why}` : ''
  const detail = event.code === 'upload.progress' ? ` ${event.data?.sentBytes} bytes` : why
  const text = `${who && !event.message.startsWith(`${who}:`) ? `${who}: ` : ''}${event.message}${detail}`
  if (event.code === 'step.done') {
    return ` ${style.green('✓')} ${text}${seconds === undefined ? '' : ` (${formatSeconds(seconds)})`}`
  }
  if (event.code === 'step.failed')
    return ` ${style.red('✗')} ${text}: ${String(event.data?.error ?? 'failed')}`
  if (event.level === 'error') return ` ${style.red('✗')} ${text}`
  if (event.level === 'warn') return ` ${style.yellow('!')} ${text}`
  if (event.level === 'info') return ` • ${text}`
  return style.dim(`   ${text}`)
}
