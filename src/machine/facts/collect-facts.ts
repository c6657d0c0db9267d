import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import type { Machine } from '../machine.js'
import type { Facts } from './facts.js'
import { parseFacts } from './parse-facts.js'
import { buildProbeScript, type ProbeOptions } from './probe-script.js'

/**
 * Looks at a machine: one script, one round trip, nothing changed. The probe gets two minutes.
 * @throws AirliftError E_COMMAND when the probe fails or its answer is cut off, and what `machine.run` throws. What the machine
 * printed on stdout is never part of an error: fragments may hold secrets.
 */
export async function collectFacts(
  machine: Machine,
  options: ProbeOptions,
  ctx: Pick<Context, 'clock' | 'signal' | 'events'>,
): Promise<Facts> {
  const script = buildProbeScript(options)
  const before = ctx.clock.now()
  const result = await machine.run(script, {
    root: true,
    idempotent: true,
    timeoutMs: 120_000,
    signal: ctx.signal,
    maxOutputBytes: 64 * 1024 * 1024,
  })
  const after = ctx.clock.now()
  if (result.exitCode !== 0) {
    throw new AirliftError('E_COMMAND', `the probe ended with exit code ${result.exitCode}`, {
      machine: machine.name,
      hint: 'the machine needs a POSIX shell with grep, sed and head for root; try: airlift exec -- sh -c true',
      log: result.stderr.trim().split('\n').slice(-3),
    })
  }
  try {
    const facts = parseFacts(result.stdout, options, { before, after })
    ctx.events.emit({
      level: 'debug',
      code: 'facts.collected',
      message: `${facts.os.name}, ${facts.unameArch}, ${facts.init}`,
      machine: machine.id,
      data: { hostname: facts.hostname, milliseconds: after - before },
    })
    return facts
  } catch (error) {
    if (error instanceof AirliftError) {
      throw new AirliftError(error.code, error.message, {
        machine: machine.name,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
        cause: error,
      })
    }
    throw error
  }
}
