import type { Context } from '../core/context.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import type { Machine, RunOptions, RunResult } from '../machine/machine.js'
import { type ExplainLog, explainEnd, RESTARTS } from './last-words.js'

const PAUSE_MS = 1000
/** Exit codes of a command whose container ended under it. */
const LOST = new Set([137, 143])

/**
 * A container whose process may end and be started again by the engine: what was being run in it, such as a wait for
 * readiness, then goes on in the new one. When it ends for good, or again and again, its own last words are the error.
 */
export function watchedMachine(machine: Machine, engine: Engine, explain: ExplainLog, ctx: Context): Machine {
  const run = async (script: string, options: RunOptions = {}): Promise<RunResult> => {
    if (options.idempotent !== true) return machine.run(script, options)
    const first = await engine.container(machine.name)
    for (;;) {
      let failure: unknown
      try {
        const result = await machine.run(script, options)
        if (!LOST.has(result.exitCode)) return result
        failure = new AirliftError('E_START', 'the container ended', { machine: machine.name })
      } catch (error) {
        if (!isAirliftError(error) || options.signal?.aborted || !mayBeLost(error)) throw error
        failure = error
      }
      const now = await settled(engine, machine.name, ctx, options.signal)
      if (now && !hasEnded(first, now)) throw failure
      const ended = now && explainEnd(now, now.restarts, await lastLog(engine, now), explain)
      const again = now?.state === 'running' && now.restarts - (first?.restarts ?? 0) < RESTARTS
      if (ended && (!again || ended.final)) throw ended.error
      if (!again) throw failure
    }
  }
  return {
    get id() {
      return machine.id
    },
    get name() {
      return machine.name
    },
    kind: machine.kind,
    get stats() {
      return machine.stats
    },
    run,
    put: (request) => machine.put(request),
    ...(machine.unpack ? { unpack: machine.unpack } : {}),
    ...(machine.interact
      ? {
          interact: (command: string, options?: { readonly tty?: boolean; readonly root?: boolean }) =>
            machine.interact?.(command, options) ?? Promise.resolve(1),
        }
      : {}),
    close: () => machine.close(),
  }
}

function mayBeLost(error: AirliftError): boolean {
  return error.code.startsWith('E_ENGINE') || error.code === 'E_COMMAND' || error.code === 'E_SSH_LOST'
}

/** Whether a container is not the same run of itself any more. */
function hasEnded(before: EngineContainer | undefined, now: EngineContainer): boolean {
  return now.state !== 'running' || now.startedAt !== before?.startedAt || now.restarts !== before.restarts
}

/** The container once it is no longer between two states. */
async function settled(
  engine: Engine,
  name: string,
  ctx: Context,
  signal: AbortSignal | undefined,
): Promise<EngineContainer | undefined> {
  for (let tries = 0; tries < 15; tries++) {
    const now = await engine.container(name)
    if (now?.state !== 'restarting' && tries > 0) return now
    await ctx.clock.sleep(PAUSE_MS, signal)
  }
  return engine.container(name)
}

/** What it has printed last, of as many starts as that holds. */
async function lastLog(engine: Engine, container: EngineContainer): Promise<string[]> {
  const text = await engine.logs(container.name, { tail: 100 }).catch(() => '')
  return text.trimEnd().split('\n')
}
