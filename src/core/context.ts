import { setMaxListeners } from 'node:events'
import type { Events } from './events.js'
import { silentEvents } from './events.js'

/** Limits on what happens at once. Each is a number of machines. */
export interface Limits {
  /** Machines that are worked on at once. Default 30. */
  readonly machines: number
  /** SSH handshakes at once to different hosts. Default 32. */
  readonly handshakes: number
  /** SSH handshakes at once through one bastion: sshd's MaxStartups drops more than 10. Default 8. */
  readonly handshakesPerBastion: number
  /** Uploads at once. Default 8. */
  readonly uploads: number
  /** Workers that join at once: k3s' supervisor serves about 10 writing requests at once. Default 50. */
  readonly joins: number
  /** Nodes that are drained at once: their pods need room elsewhere. Default 3. */
  readonly drains: number
}

/** The defaults of {@link Limits}. */
export const defaultLimits: Limits = {
  machines: 30,
  handshakes: 32,
  handshakesPerBastion: 8,
  uploads: 8,
  joins: 50,
  drains: 3,
}

/** Time as the code sees it, so that tests need not wait. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number
  /** Resolves after `ms` milliseconds; rejects with the signal's reason when aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
}

/** What every operation is handed: cancellation, events, time, limits. There is no module-level state. */
export interface Context {
  readonly signal: AbortSignal
  readonly events: Events
  readonly clock: Clock
  readonly limits: Limits
  /** Nothing is pulled, downloaded or asked of a registry; what cannot be had without is an error. */
  readonly offline: boolean
  readonly env: Readonly<Record<string, string | undefined>>
}

/** The real clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason)
        return
      }
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, ms)
      signal?.addEventListener('abort', onAbort, { once: true })
    }),
}

/** A context with defaults for what is not given. */
export function createContext(parts: Partial<Context> = {}): Context {
  const signal = parts.signal ?? new AbortController().signal
  // Each machine listens for the end of an operation, and there may be hundreds: Node would warn of a leak from eleven on.
  setMaxListeners(0, signal)
  return {
    signal,
    events: parts.events ?? silentEvents,
    clock: parts.clock ?? systemClock,
    limits: parts.limits ?? defaultLimits,
    offline: parts.offline ?? false,
    env: parts.env ?? process.env,
  }
}
