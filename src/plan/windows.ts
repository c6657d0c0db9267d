import pLimit from 'p-limit'
import type { Limits } from '../core/context.js'
import type { Step } from './plan.js'

/** Sliding windows: how many steps of a kind run at once. */
export interface Windows {
  run<T>(window: Step['window'], signal: AbortSignal, task: () => Promise<T>): Promise<T>
}

/** Windows of the sizes that the limits say. A step that waits for its turn gives up when the run is aborted. */
export function createWindows(limits: Limits): Windows {
  const queues = { upload: pLimit(limits.uploads), join: pLimit(limits.joins), drain: pLimit(limits.drains) }
  return {
    run(window, signal, task) {
      const checked = (): ReturnType<typeof task> => {
        signal.throwIfAborted()
        return task()
      }
      return window ? queues[window](checked) : checked()
    },
  }
}
