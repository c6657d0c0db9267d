import type { Context } from '../core/context.js'
import type { Engine } from '../machine/docker/engine.js'

/** One connection to the container engine for all that a command does. */
export interface SharedEngine {
  /** Connects at the first call. What is given back cannot be closed by whoever uses it. */
  connect(ctx: Context): Promise<Engine>
  /** Closes the connection, if there is one. */
  close(): Promise<void>
}

/** Shares what `connect` gives: an engine takes longer for its first answer than for most of what it is asked then. */
export function shareEngine(connect: (ctx: Context) => Promise<Engine>): SharedEngine {
  let engine: Promise<Engine> | undefined
  return {
    async connect(ctx) {
      engine ??= connect(ctx)
      const asked = engine
      try {
        return { ...(await asked), close: async () => {} }
      } catch (error) {
        // The engine may have been started meanwhile, and someone else may have asked it again already.
        if (engine === asked) engine = undefined
        throw error
      }
    },
    async close() {
      const open = await engine?.catch(() => undefined)
      await open?.close()
    },
  }
}
