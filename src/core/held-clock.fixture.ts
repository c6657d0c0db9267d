import type { Clock } from './context.js'

/** A sleep that somebody is in. */
export interface HeldSleep {
  readonly ms: number
  readonly signal: AbortSignal | undefined
  /** Ends it as if its time had come. */
  pass(): void
}

/** A clock whose sleeps end when a test says so, or with their signal. */
export function heldClock(): Clock & { readonly sleeps: readonly HeldSleep[] } {
  const sleeps: HeldSleep[] = []
  return {
    sleeps,
    now: () => 0,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        sleeps.push({ ms, signal, pass: resolve })
        const onAbort = (): void => reject(signal?.reason)
        signal?.addEventListener('abort', onAbort, { once: true })
        if (signal?.aborted) onAbort()
      }),
  }
}
