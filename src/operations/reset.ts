import { readRecord, removeRecord } from '../cluster/record.js'
import { flagOf } from '../cluster/role-flag.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import { executePlan, type PlanResult } from '../plan/execute.js'
import type { Plan } from '../plan/plan.js'
import { removedProblems } from '../runtime/clean/check-removed.js'
import type { Problem } from '../runtime/preflight/problem.js'
import type { World } from '../runtime/runtime.js'
import { operationLock, requireUnlocked } from './operation-lock.js'
import { refuseForeign } from './ownership.js'
import { leftError, proveClean, withLeft } from './prove-clean.js'
import { type OperationReport, reportOf } from './report.js'
import { checkResetScope, isWholeRecord, withoutMoved } from './reset-scope.js'
import { observeWhole } from './resolve-cluster.js'
import { type OperationDeps, requireAll } from './session.js'
import { withUntouched } from './untouched.js'
import { withHint } from './with-hint.js'

/** What `reset` is asked for. */
export interface ResetInput {
  readonly spec: ClusterSpec
  readonly dryRun?: boolean
  /** Machines that cannot be reached are left as they are, and the others are cleaned all the same. */
  readonly force?: boolean
  /** Asked before anything is changed, with the machines that will be cleaned; throws to stop. */
  readonly confirm?: (name: string, machines: readonly string[]) => Promise<void>
  /** The one kubeconfig that the context is taken out of; default all that it was merged into. `none` leaves them alone. */
  readonly kubeconfig?: string
}

/** What `reset` gives back. */
export interface ResetOutcome {
  readonly plan: Plan
  readonly report?: OperationReport
  /** What the proof found on machines after the removal. */
  readonly left: readonly Problem[]
  readonly error?: AirliftError
}

/**
 * Removes the cluster from every machine, then proves on each that nothing is left. Any one of its masters is enough to find
 * the others.
 * @throws AirliftError before anything is changed: E_FOREIGN_CLUSTER, E_LOCKED, and E_SSH_… unless forced
 */
export async function reset(input: ResetInput, ctx: Context, deps: OperationDeps): Promise<ResetOutcome> {
  const started = ctx.clock.now()
  const found = await observeWhole(input.spec, ctx, deps, { inside: false, ownOnly: true })
  const { spec } = found
  await using cluster = found.cluster
  const { runtime, session } = cluster
  const record = await readRecord(spec.name, ctx.env)
  const isRecorded = record !== undefined && isWholeRecord(spec, record)
  requireReached(cluster.world, { force: input.force === true, isRecorded })
  await checkResetScope(input.spec, cluster.world)
  const world = withoutMoved(
    input.spec,
    input.dryRun ? cluster.world : await requireUnlocked(cluster.world, cluster.observe, ctx),
  )
  refuseForeign(spec, world)
  const plan = runtime.reset(spec, world)
  if (input.dryRun) return { plan, left: [] }
  if (plan.steps.length > 0) await input.confirm?.(spec.name, namesIn(plan, world))
  // Loaded while the machines work.
  const kubeconfigs = import('./clean-kubeconfigs.js')
  const result = await executePlan(
    plan,
    {
      machines: session.byId,
      secrets: world.secrets,
      stage: () => {
        throw new AirliftError('E_INTERNAL', 'a reset stages nothing')
      },
      lock: operationLock('reset', world, ctx),
      ...(cluster.engine ? { engine: cluster.engine } : {}),
    },
    ctx,
  )
  const failed = result.steps.find((step) => step.outcome === 'failed')
  // An engine is asked for the whole cluster, hosts each for themselves.
  const proves = !result.interrupted && !(cluster.engine && failed)
  const left = !proves
    ? []
    : cluster.engine
      ? removedProblems(spec, await cluster.lookFromOutside(ctx))
      : await proveClean(cleanedMachines(result, session.byId), ctx)
  const { report, error: lost } = withUntouched(
    'reset',
    spec,
    world,
    withLeft(
      reportOf({
        plan,
        result,
        machines: world.machines,
        connections: session.byId.values(),
        seconds: (ctx.clock.now() - started) / 1000,
        nodeName: (machine) => machine.facts.hostname.toLowerCase(),
      }),
      left,
      world.machines,
    ),
  )
  if (result.interrupted) {
    throw new AirliftError(
      'E_INTERRUPTED',
      `interrupted after ${report.steps.done} of ${plan.steps.length} machines`,
      {
        hint: 'run the same command again: it removes the rest',
        data: { report },
      },
    )
  }
  const met = cluster.engine !== undefined || found.belongs.length > 0 || plan.steps.length > 0
  const unseen = world.machines.length === 0
  const known = unseen ? isRecorded : isWholeRecord(spec, record)
  if (!failed && left.length === 0 && (met || known)) {
    if (unseen && !met) sayForgotten(spec, ctx)
    await removeRecord(spec.name, ctx.env)
    if (input.kubeconfig !== 'none')
      await (await kubeconfigs).cleanKubeconfigs(spec.name, input.kubeconfig, ctx)
  }
  const error = failed?.error ?? leftError(left, 'reset') ?? (lost && withHint(lost, whenBack(spec, world)))
  return { plan, report, left, ...(error ? { error } : {}) }
}

/** The machines on which everything was done: where a removal failed, what is left is no news. */
function cleanedMachines(result: PlanResult, connected: ReadonlyMap<string, Machine>): Machine[] {
  const ids = new Set(result.steps.map(({ step }) => step.machine))
  for (const { step, outcome } of result.steps) if (outcome !== 'done') ids.delete(step.machine)
  return [...connected.values()].filter(({ id }) => ids.has(id))
}

/** What removes a cluster needs all of its machines, unless it is told to go on without. @throws AirliftError E_SSH_… */
function requireReached(
  world: World,
  { force, isRecorded }: { readonly force: boolean; readonly isRecorded: boolean },
): void {
  if (world.unreachable.length === 0 || (force && (isRecorded || world.machines.length > 0))) return
  try {
    requireAll(world)
  } catch (error) {
    if (world.machines.length === 0 && !isRecorded) throw error
    const without =
      world.machines.length === 0
        ? 'where the cluster is gone for good, have it forgotten here: the same with --force'
        : 'to clean the other machines without it: the same with --force'
    throw withHint(toAirliftError(error), without)
  }
}

/** Nothing was removed, which the report says of each machine; only this computer has done something. */
function sayForgotten({ name }: ClusterSpec, ctx: Context): void {
  const message = `the cluster "${name}" is forgotten on this computer; none of its machines could be asked`
  ctx.events.emit({ level: 'warn', code: 'reset.forgotten', message })
}

/** The machines that a plan has something to do on, as they were named. */
function namesIn(plan: Plan, world: World): string[] {
  const ids = new Set(plan.steps.map((step) => step.subject ?? step.machine))
  return world.machines.filter(({ id }) => ids.has(id)).map(({ name }) => name)
}

/** A node that comes back looks for its cluster, or is it once more. */
function whenBack({ name }: ClusterSpec, { unreachable }: World): string {
  const flags = (['master', 'worker'] as const).flatMap((role) => {
    const hosts = unreachable.filter(({ node }) => node.role === role).map(({ node }) => node.target.text)
    return hosts.length === 0 ? [] : [`${flagOf(role)} ${hosts.join(',')}`]
  })
  return `nothing was removed there; when it is back: airlift reset --name ${name} ${flags.join(' ')}`
}
