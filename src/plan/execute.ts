import type { Context } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import type { Secret } from '../core/secret.js'
import { Secret as SecretValue } from '../core/secret.js'
import { type LockOwner, lockScript } from '../machine/lock-script.js'
import type { Machine } from '../machine/machine.js'
import { compileActions } from './compile.js'
import { type EngineHandler, isEngineAction } from './engine-action.js'
import { fillSecrets } from './fill-secrets.js'
import type { Action, Plan, StageBlob, Step } from './plan.js'
import { stepError } from './step-error.js'
import { createWindows, type Windows } from './windows.js'

/** Puts blobs onto a machine; the rootfs floor provides it. Resolves with the bytes that were sent. */
export type StageHandler = (
  machine: Machine,
  blobs: readonly StageBlob[],
  options: {
    readonly signal: AbortSignal
    readonly onProgress: (sentBytes: number) => void
    /** Goes ahead of the handler's script on the machine, in the same round trip. */
    readonly prelude?: string
  },
) => Promise<{ readonly sentBytes: number }>

/**
 * Asks the API what a wait waits for, until it is so. `unavailable`: it cannot be asked from here, so the wait's script is
 * run on the machine.
 * @throws AirliftError E_TIMEOUT, E_START and what the log of the machine tells
 */
export type AskHandler = (
  machine: Machine,
  wait: Extract<Action, { kind: 'wait' }>,
  signal: AbortSignal,
) => Promise<'yes' | 'unavailable'>

/** What a plan is executed with. */
export interface ExecuteOptions {
  readonly machines: ReadonlyMap<string, Machine>
  readonly secrets: ReadonlyMap<string, Secret>
  readonly stage: StageHandler
  /** Present where the plan has actions for a container engine. */
  readonly engine?: EngineHandler
  /** Present where waits can ask the API from here. */
  readonly ask?: AskHandler
  /** Present where the machines are locked while they are changed. */
  readonly lock?: PlanLock
}

/** Whose lock the machines get, and what was seen of locks when they were looked at. */
export interface PlanLock {
  readonly owner: LockOwner
  /** Ids of the locks that were found, by machine id. */
  readonly seen: ReadonlyMap<string, string>
  /** Ids of machines that could not be looked into, such as containers that do not run: what they hold is not known. */
  readonly unseen?: ReadonlySet<string>
}

/** How a step ended. `skipped`: something it needs failed, or the run was interrupted first. */
export interface StepResult {
  readonly step: Step
  readonly outcome: 'done' | 'failed' | 'skipped'
  readonly error?: AirliftError
}

/** How a plan ended. Never thrown: an interrupted run is a result with `interrupted`. */
export interface PlanResult {
  readonly steps: readonly StepResult[]
  readonly interrupted: boolean
}

/**
 * Executes a plan: every step as soon as what it needs is done, each machine at its own pace. A step that fails stops only
 * what depends on it. After an abort no step begins, and running ones are cancelled.
 */
export async function executePlan(plan: Plan, options: ExecuteOptions, ctx: Context): Promise<PlanResult> {
  announce(plan, ctx)
  const windows = createWindows(ctx.limits)
  const secrets = new Map(options.secrets)
  const running = new Map<string, Promise<StepResult>>()
  const byId = new Map(plan.steps.map((step) => [step.id, step]))
  const start = (step: Step): Promise<StepResult> => {
    const known = running.get(step.id)
    if (known) return known
    const promise = (async () => {
      const needed = await Promise.all(step.needs.map((id) => start(required(byId, id, step))))
      if (ctx.signal.aborted || needed.some((result) => result.outcome !== 'done')) return skip(step, ctx)
      const all = { ...options, secrets, windows }
      if (!step.assists) return runStep(step, all, ctx)
      return assist(step, Promise.all(step.assists.map((id) => start(required(byId, id, step)))), all, ctx)
    })()
    running.set(step.id, promise)
    return promise
  }
  const steps = await Promise.all(plan.steps.map(start))
  return { steps, interrupted: ctx.signal.aborted }
}

/** Tells those who watch how many steps each machine has. */
function announce(plan: Plan, ctx: Context): void {
  const machines: Record<string, number> = {}
  for (const step of plan.steps) machines[toldOf(step)] = (machines[toldOf(step)] ?? 0) + 1
  const message = `${plan.operation} ${plan.name}: ${plan.steps.length} steps`
  ctx.events.emit({
    level: 'debug',
    code: 'plan.start',
    message,
    data: { operation: plan.operation, machines },
  })
}

/** Id of the machine that events name: what is done on one machine for another is told of that other. */
const toldOf = (step: Step): string => step.subject ?? step.machine

function required(steps: ReadonlyMap<string, Step>, id: string, by: Step): Step {
  const step = steps.get(id)
  if (!step) throw new AirliftError('E_INTERNAL', `step "${by.id}" needs "${id}", which is not in the plan`)
  return step
}

function skip(step: Step, ctx: Context, why?: unknown): StepResult {
  ctx.events.emit({
    level: 'debug',
    code: 'step.skipped',
    ...aboutOf(step),
    ...(why === undefined ? {} : { data: { why: toAirliftError(why).message } }),
  })
  return { step, outcome: 'skipped' }
}

interface StepContext extends Omit<ExecuteOptions, 'secrets'> {
  readonly secrets: Map<string, Secret>
  readonly windows: Windows
}

async function runStep(step: Step, options: StepContext, ctx: Context): Promise<StepResult> {
  const about = aboutOf(step)
  try {
    await runActions(step, options, ctx)
    ctx.events.emit({ level: 'info', code: 'step.done', ...about })
    return { step, outcome: 'done' }
  } catch (thrown) {
    if (ctx.signal.aborted) return skip(step, ctx)
    const error = toAirliftError(thrown)
    ctx.events.emit({
      level: 'error',
      code: 'step.failed',
      ...about,
      data: { error: error.message, errorCode: error.code },
    })
    return { step, outcome: 'failed', error }
  }
}

/** Runs a step until it ends or nothing is left that it assists. @returns `skipped` when the whole plan was interrupted */
async function assist(
  step: Step,
  assisted: Promise<unknown>,
  options: StepContext,
  ctx: Context,
): Promise<StepResult> {
  const over = new AbortController()
  // What is wrong with the plan is told where that step is run.
  const end = (): void => over.abort()
  assisted.then(end, end)
  try {
    await runActions(step, options, { ...ctx, signal: AbortSignal.any([ctx.signal, over.signal]) })
    ctx.events.emit({ level: 'info', code: 'step.done', ...aboutOf(step) })
  } catch (thrown) {
    // Those who watch see that it did not come to its end; for the plan it makes no difference.
    const skipped = skip(step, ctx, thrown)
    if (ctx.signal.aborted) return skipped
  }
  return { step, outcome: 'done' }
}

async function runActions(step: Step, options: StepContext, ctx: Context): Promise<void> {
  const machine = options.machines.get(step.machine)
  await options.windows.run(step.window, ctx.signal, async () => {
    ctx.events.emit({ level: 'info', code: 'step.start', ...aboutOf(step) })
    for (const batch of batches(step.actions, options.ask !== undefined))
      await runBatch(step, batch, machine, options, ctx)
  })
}

const aboutOf = (
  step: Step,
): { readonly machine: string; readonly step: string; readonly message: string } => ({
  machine: toldOf(step),
  step: step.id,
  message: step.title,
})

/** Splits actions into what goes over in one round trip each. */
function batches(actions: readonly Action[], asks: boolean): Action[][] {
  const result: Action[][] = []
  for (const action of actions) {
    const last = result.at(-1)
    const joinable = last?.[0] && !isAlone(last[0], asks)
    if (!isAlone(action, asks) && last && joinable) last.push(action)
    else result.push([action])
  }
  return result
}

/** What is not compiled into a script, or need not be. */
function isAlone(action: Action, asks: boolean): boolean {
  if (action.kind === 'wait') return asks && action.ask !== undefined
  return action.kind === 'stage' || action.kind === 'capture' || isEngineAction(action)
}

async function runBatch(
  step: Step,
  batch: readonly Action[],
  machine: Machine | undefined,
  options: StepContext,
  ctx: Context,
): Promise<void> {
  const first = batch[0]
  const uploaded = (sentBytes: number, totalBytes: number): void => {
    ctx.events.emit({
      level: 'debug',
      code: 'upload.progress',
      message: step.title,
      machine: toldOf(step),
      step: step.id,
      data: { sentBytes, totalBytes },
    })
  }
  if (first && isEngineAction(first)) {
    if (!options.engine) throw new AirliftError('E_INTERNAL', `no engine is there for ${first.kind}`)
    const fill = (text: string): string => fillSecrets(text, options.secrets)
    await options.engine(first, { fill, signal: ctx.signal, onProgress: uploaded })
    return
  }
  if (!machine) {
    const message = `the plan names the machine ${step.machine}, which is not connected`
    throw new AirliftError('E_INTERNAL', message)
  }
  if (first?.kind === 'stage') {
    const totalBytes = first.blobs.reduce((sum, blob) => sum + blob.sizeBytes, 0)
    const onProgress = (sentBytes: number): void => uploaded(sentBytes, totalBytes)
    const prelude = lockFor(step, machine, options.lock)
    await options.stage(machine, first.blobs, { signal: ctx.signal, onProgress, prelude })
    return
  }
  if (first?.kind === 'capture') {
    const result = await machine.run(fillSecrets(first.script, options.secrets), {
      signal: ctx.signal,
      idempotent: true,
    })
    if (result.exitCode !== 0) throw stepError(step, batch, machine, result, options.secrets.values())
    options.secrets.set(first.secret, new SecretValue(result.stdout.trim()))
    return
  }
  if (first?.kind === 'wait' && first.ask && options.ask) {
    if ((await options.ask(machine, first, ctx.signal)) === 'yes') return
  }
  const body = compileActions(batch, options.secrets, step.journal === false ? undefined : { id: step.id })
  const result = await machine.run(lockFor(step, machine, options.lock) + body, {
    signal: ctx.signal,
    timeoutMs: deadline(batch),
    secrets: [...options.secrets.values()],
    // Every action can be repeated: files are compared, links are checked, services are asked for a state.
    idempotent: true,
    onLine: (line) => {
      if (!line.startsWith('@@note ')) return
      ctx.events.emit({
        level: 'warn',
        code: 'step.note',
        message: line.slice(7),
        machine: toldOf(step),
        step: step.id,
      })
    },
  })
  if (result.exitCode !== 0) throw stepError(step, batch, machine, result, options.secrets.values())
}

/**
 * What takes the lock of a machine, or nothing where machines are not locked. Every script that changes something begins with
 * it. One that assists changes nothing there, and may be on a machine that nobody has looked into.
 */
function lockFor(step: Step, machine: Machine, lock: PlanLock | undefined): string {
  if (!lock || step.assists) return ''
  const seen = lock.seen.get(machine.id)
  return lockScript(lock.owner, {
    ...(seen === undefined ? {} : { seen }),
    ...(lock.unseen?.has(machine.id) ? { unseen: true } : {}),
    ...(machine.kind === 'local' ? { pid: process.pid } : {}),
  })
}

/** The sum of what the actions may take, and a minute for the rest; waits may run twice as long when they recover. */
function deadline(batch: readonly Action[]): number {
  let total = 60_000
  for (const action of batch) {
    if (action.kind === 'wait') total += action.timeoutMs * (action.recover ? 2 : 1) + 30_000
    else if (action.kind === 'script') total += action.timeoutMs ?? 30_000
  }
  return total
}
