import type { Context } from '../../core/context.js'
import { isAirliftError } from '../../core/errors.js'

const WAITS_MS = [500, 1_500]

/** Reasons that pass: a daemon that restarts, a route that comes up, MaxStartups that drops at random, a name server that hiccups. */
const PASSING = new Set(['ECONNREFUSED', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET', 'EAI_AGAIN'])

/** Tries again, for two seconds, what may pass. Never what sshd punishes: authentication and host keys. */
export async function withRetries<T>(ctx: Context, attempt: () => Promise<T>): Promise<T> {
  for (const waitMs of WAITS_MS) {
    try {
      return await attempt()
    } catch (error) {
      const passing =
        isAirliftError(error) && error.code === 'E_SSH_UNREACHABLE' && PASSING.has(String(error.data?.code))
      if (!passing || ctx.signal.aborted) throw error
      ctx.events.emit({
        level: 'debug',
        code: 'machine.retry',
        message: `${error.message}; trying again`,
        ...(error.machine === undefined ? {} : { machine: error.machine }),
      })
    }
    await ctx.clock.sleep(waitMs, ctx.signal)
  }
  return attempt()
}
