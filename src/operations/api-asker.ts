import { LABELS } from '../cluster/container-labels.js'
import type { Context } from '../core/context.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import { containerOfMachine } from '../machine/container-id.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import type { AskHandler } from '../plan/execute.js'
import type { ApiQuestion } from '../plan/plan.js'
import { type ApiDoors, readText } from './api-door.js'
import { type ApiAnswer, askApi } from './api-request.js'
import { type ExplainLog, explainEnd, explainLate, RESTARTS } from './last-words.js'

/**
 * Pause between two questions. A question costs a millisecond or two, where `k3s kubectl` in the container costs 160; who waits
 * alone may ask more often.
 */
const PAUSE_MS = 120
const PAUSE_ALONE_MS = 40
/** How often the container itself is looked at while its API is silent. */
const LOOK_MS = 2_000
/** An engine notes the start of a container after it: what is printed at once is older than the time that it tells. */
const START_SLACK_MS = 1_000
/** So often the way to an address may be missing before it is certain that there is none. */
const NO_WAY = 4
/** So many lines of the log of a start are looked at; and so many of the starts before, once those have ended. */
const LINES = 60
const FAR_LINES = 300

/** What answers are asked with. */
export interface AskerInput {
  readonly engine: Engine
  readonly cluster: string
  readonly doors: ApiDoors
  readonly explain: ExplainLog
}

/**
 * Asks the API of a cluster in containers from here, through a published port or, on Linux, at the container's own
 * address. Where neither is open the answer is that it cannot be asked, and the wait's script does it in the container.
 */
export function createApiAsker(input: AskerInput, ctx: Context): AskHandler {
  let waiting = 0
  const pause = (): number => Math.min(PAUSE_MS, PAUSE_ALONE_MS * waiting)
  const ask: AskHandler = async (machine, wait, signal) => {
    const { engine } = input
    if (!engine.endpoint.local || !wait.ask) return 'unavailable'
    const own = containerOfMachine(machine.id) ?? machine.id
    const deadline = ctx.clock.now() + wait.timeoutMs
    const before = await engine.container(own)
    let looked = ctx.clock.now()
    let lost = 0
    for (;;) {
      signal.throwIfAborted()
      const answer = await once(input, own, wait.ask)
      if (answer === 'yes') return 'yes'
      lost = answer === 'no-way' ? lost + 1 : 0
      if (lost >= NO_WAY) return 'unavailable'
      const now = ctx.clock.now()
      if (now > deadline) {
        const log = await lastLines(input, own, await engine.container(own))
        throw explainLate(machine.name, wait, log, input.explain)
      }
      if (now - looked > LOOK_MS) {
        looked = now
        await requireHope(input, own, before)
      }
      await ctx.clock.sleep(pause(), signal)
    }
  }
  return async (...question) => {
    waiting++
    try {
      return await ask(...question)
    } finally {
      waiting--
    }
  }
}

async function once(input: AskerInput, own: string, question: ApiQuestion): Promise<ApiAnswer> {
  const master = await masterFor(input, own, question)
  if (!master) return 'no'
  try {
    const door = await input.doors.open(master)
    if (!door) return 'no'
    if (door === 'no-way') return 'no-way'
    const answer = await askApi(door, question)
    if (answer === 'refused') input.doors.forget(master)
    return answer === 'refused' ? 'no' : answer
  } catch (error) {
    if (isAirliftError(error) && error.code === 'E_ENGINE_NOT_FOUND') return 'no'
    throw error
  }
}

/** A master is asked itself; for a worker any master that was asked before, else one that runs. */
async function masterFor(
  { engine, cluster, doors }: AskerInput,
  own: string,
  question: ApiQuestion,
): Promise<string | undefined> {
  if (question.role === 'master') return own
  for (const name of doors.known.keys()) return name
  const masters = await engine.containers([`${LABELS.cluster}=${cluster}`, `${LABELS.role}=master`])
  return masters.find((container) => container.state === 'running')?.name
}

/** @throws AirliftError where k3s has ended, or says what never gets better by waiting */
async function requireHope(
  input: AskerInput,
  name: string,
  before: EngineContainer | undefined,
): Promise<void> {
  const now = await input.engine.container(name)
  if (!now) throw new AirliftError('E_ENGINE_NOT_FOUND', `the container ${name} is gone`, { machine: name })
  const log = await lastLines(input, name, now)
  const again = now.restarts - (before?.restarts ?? 0)
  const { error, final } = explainEnd(now, again, log, input.explain)
  if (final || now.state === 'exited' || now.state === 'dead') throw error
  if (again < RESTARTS) return
  // This start has nothing to say yet: why the ones before it ended stands above it.
  const far = await input.engine.logs(name, { tail: FAR_LINES }).catch(() => '')
  throw explainEnd(now, again, far ? lines(far, FAR_LINES) : log, input.explain).error
}

/**
 * The end of the log of this start, from the engine: that takes it milliseconds, where a file of the container costs a process
 * of its own, in the very seconds in which k3s needs the processors. Not every engine keeps logs that can be read.
 */
async function lastLines(
  { engine }: AskerInput,
  name: string,
  container: EngineContainer | undefined,
): Promise<string[]> {
  const started = Date.parse(container?.startedAt ?? '')
  const since = Number.isNaN(started) ? undefined : new Date(started - START_SLACK_MS).toISOString()
  const told = await engine
    .logs(name, { tail: LINES, ...(since === undefined ? {} : { since }) })
    .catch(() => '')
  if (told) return lines(told)
  for (const unit of ['k3s', 'k3s-agent']) {
    const text = await readText(engine, name, `/var/log/${unit}.log`).catch(() => undefined)
    if (text) return lines(text)
  }
  return []
}

function lines(text: string, count = LINES): string[] {
  return text
    .trimEnd()
    .split('\n')
    .slice(-count)
    .map((line) => line.slice(0, 300))
}
