import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import type { Machine } from '../machine.js'
import type { Facts, ManagedFacts } from './facts.js'
import { type LocalTimes, parseFacts } from './parse-facts.js'
import { parseManaged } from './parse-managed.js'
import { readProbeOutput } from './probe-output.js'
import {
  buildManagedProbe,
  buildProbeScript,
  type ManagedOptions,
  type ProbeOptions,
} from './probe-script.js'

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
  return probe(
    machine,
    buildProbeScript(options),
    (output, times) => {
      const facts = parseFacts(output, options, times)
      const message = `${facts.os.name}, ${facts.unameArch}, ${facts.init}`
      return { found: facts, message, data: { hostname: facts.hostname } }
    },
    ctx,
  )
}

/**
 * Looks only at what airlift and the runtime have on a machine, as {@link collectFacts} does.
 * @throws AirliftError as {@link collectFacts}
 */
export async function collectManaged(
  machine: Machine,
  options: ManagedOptions,
  ctx: Pick<Context, 'clock' | 'signal' | 'events'>,
): Promise<ManagedFacts> {
  return probe(
    machine,
    buildManagedProbe(options),
    (output) => ({
      found: parseManaged(readProbeOutput(output), options),
      message: 'what airlift has there',
      data: {},
    }),
    ctx,
  )
}

interface Found<T> {
  readonly found: T
  readonly message: string
  readonly data: Readonly<Record<string, string>>
}

async function probe<T>(
  machine: Machine,
  script: string,
  parse: (output: string, times: LocalTimes) => Found<T>,
  ctx: Pick<Context, 'clock' | 'signal' | 'events'>,
): Promise<T> {
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
    const { found, message, data } = parse(result.stdout, { before, after })
    ctx.events.emit({
      level: 'debug',
      code: 'facts.collected',
      message,
      machine: machine.id,
      data: { ...data, milliseconds: after - before },
    })
    return found
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
