import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createEvents } from '../core/events.js'
import type { Action, ActionIo, CliDeps, OutputFlags } from './shared.js'

/** Runs one action with events, cancellation and output in place; resolves with the exit code. */
export async function runAction(
  output: OutputFlags,
  flags: Readonly<Record<string, unknown>>,
  args: readonly string[],
  deps: CliDeps,
  action: Action,
): Promise<number> {
  const renderer = await deps.createRenderer(output)
  const controller = new AbortController()
  const forget = onSignals(controller, deps)
  const ctx = createContext({
    signal: controller.signal,
    events: createEvents([(event) => renderer.onEvent(event)]),
    env: deps.env,
  })
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
      if (output.quiet) return
      renderer.stop()
      deps.stderr.write(`${text}\n`)
    },
    interactive: deps.stderr.isTTY === true && deps.env.TERM !== 'dumb' && deps.env.CI === undefined,
  }
  try {
    return (await action(io, flags, args)) ?? 0
  } finally {
    forget()
    renderer.stop()
  }
}

/** First Ctrl-C: stop cleanly. Second: end at once. */
function onSignals(controller: AbortController, deps: CliDeps): () => void {
  const handler = (signal: NodeJS.Signals): void => {
    if (controller.signal.aborted) process.exit(130)
    deps.stderr.write(
      `\n${signal === 'SIGINT' ? 'interrupted' : 'terminated'}: stopping cleanly (again to stop at once)\n`,
    )
    controller.abort(
      new AirliftError('E_INTERRUPTED', 'interrupted', {
        hint: 'run the same command again: it goes on where it stopped',
      }),
    )
  }
  process.on('SIGINT', handler)
  process.on('SIGTERM', handler)
  return () => {
    process.off('SIGINT', handler)
    process.off('SIGTERM', handler)
  }
}
