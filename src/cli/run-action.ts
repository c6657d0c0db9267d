import { createContext, defaultLimits, type Limits } from '../core/context.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import { createEvents } from '../core/events.js'
import {
  type Action,
  type ActionIo,
  type CliDeps,
  type EventRenderer,
  type OutputFlags,
  UsageError,
} from './io.js'
import { noteEvent } from './render/note-event.js'
import { canDraw } from './render/progress.js'
import { styleFor } from './render/style.js'

/** Runs one action with events, cancellation and output in place; resolves with the exit code. */
export async function runAction(
  output: OutputFlags,
  flags: Readonly<Record<string, unknown>>,
  args: readonly string[],
  deps: CliDeps,
  action: Action,
): Promise<number> {
  const limits = readLimits(flags.concurrency)
  const renderer = await deps.createRenderer(output)
  const controller = new AbortController()
  const forget = onSignals(controller, renderer, output, deps)
  const ctx = createContext({
    signal: controller.signal,
    events: createEvents([(event) => renderer.onEvent(event)]),
    env: deps.env,
    limits,
    offline: flags.offline === true,
  })
  const canAsk = deps.stdin.isTTY === true && deps.stderr.isTTY === true
  const say = (level: 'info' | 'warn', text: string): void => {
    renderer.stop()
    deps.stderr.write(output.events ? noteEvent(level, text) : `${text}\n`)
  }
  const atEnd: (() => Promise<void>)[] = []
  const io: ActionIo = {
    ...output,
    ctx,
    json: output.output === 'json',
    print: (text) => {
      renderer.stop()
      deps.stdout.write(text.endsWith('\n') ? text : `${text}\n`)
    },
    printJson: (value) => {
      renderer.stop()
      deps.stdout.write(`${JSON.stringify(value, null, 2)}\n`)
    },
    note: (text) => {
      if (!output.quiet) say('info', text)
    },
    warn: (text) => say('warn', text),
    endProgress: () => renderer.stop(),
    interactive: canDraw(deps.stderr, deps.env),
    style: { out: styleFor(deps.stdout, deps.env), err: styleFor(deps.stderr, deps.env) },
    confirm: async (question) => {
      if (!canAsk) return undefined
      renderer.stop()
      return (await import('./prompt.js')).confirm(question, controller.signal)
    },
    askSecret: async (question) => {
      if (!canAsk) return undefined
      renderer.stop()
      return (await import('./prompt.js')).askHidden(question, controller.signal)
    },
    onEnd: (work) => {
      atEnd.push(work)
    },
  }
  try {
    await turnTwice()
    controller.signal.throwIfAborted()
    return (await action(io, flags, args)) ?? 0
  } catch (error) {
    throw sayingHowToGoOn(error, controller.signal)
  } finally {
    await Promise.allSettled(atEnd.map((work) => work()))
    forget()
    renderer.stop()
  }
}

/** Signals that came while the program was loaded are heard when the event loop polls: between two turns it has. */
async function turnTwice(): Promise<void> {
  for (let turns = 0; turns < 2; turns++) await new Promise((resolve) => setImmediate(resolve))
}

/** What a machine was doing when it was interrupted does not know how the command goes on; the interruption does. */
function sayingHowToGoOn(error: unknown, signal: AbortSignal): unknown {
  if (!isAirliftError(error) || error.code !== 'E_INTERRUPTED' || error.hint !== undefined) return error
  return isAirliftError(signal.reason) ? signal.reason : error
}

/** `--concurrency N` narrows every window. */
function readLimits(text: unknown): Limits {
  if (text === undefined) return defaultLimits
  const machines = Number(text)
  if (!Number.isInteger(machines) || machines < 1 || machines > 1000) {
    throw new UsageError(`--concurrency takes a number from 1 to 1000, not "${text}"`)
  }
  const { handshakes, handshakesPerBastion, uploads, joins, drains } = defaultLimits
  return {
    machines,
    handshakes: Math.min(machines, handshakes),
    handshakesPerBastion: Math.min(machines, handshakesPerBastion),
    uploads: Math.min(machines, uploads),
    joins: Math.min(machines, joins),
    drains: Math.min(machines, drains),
  }
}

/** First Ctrl-C: stop cleanly. Second: end at once. */
function onSignals(
  controller: AbortController,
  renderer: EventRenderer,
  output: OutputFlags,
  deps: CliDeps,
): () => void {
  const handler = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(130)
    renderer.stop()
    const what = `${signal === 'SIGINT' ? 'interrupted' : 'terminated'}: stopping cleanly (again to stop at once)`
    deps.stderr.write(output.events ? noteEvent('warn', what) : `\n${what}\n`)
    controller.abort(
      new AirliftError('E_INTERRUPTED', 'interrupted', {
        hint: 'run the same command again: it goes on where it stopped',
      }),
    )
  }
  process.on('SIGINT', handler)
  process.on('SIGTERM', handler)
  const held = deps.takeSignal?.()
  if (held) handler(held)
  return () => {
    process.off('SIGINT', handler)
    process.off('SIGTERM', handler)
  }
}
