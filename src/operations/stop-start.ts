import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { executePlan, type PlanLock, type PlanResult } from '../plan/execute.js'
import type { Plan } from '../plan/plan.js'
import type { Runtime, World } from '../runtime/runtime.js'
import type { ObservedCluster } from './observe-cluster.js'
import { operationLock, requireUnlocked } from './operation-lock.js'
import { refuseForeign } from './ownership.js'
import { type OperationReport, reportOf } from './report.js'
import { observeKnownCluster } from './resolve-cluster.js'
import { type OperationDeps, requireAll } from './session.js'
import { withUntouched } from './untouched.js'

/** What `stop` is asked for. */
export interface StopInput {
  readonly spec: ClusterSpec
  /** Empties the workers first. */
  readonly drain: boolean
  readonly dryRun?: boolean
}

/** What `start` is asked for; `wait` and `timeoutMs` of the spec say what is waited for. */
export interface StartInput {
  readonly spec: ClusterSpec
  readonly dryRun?: boolean
}

/** What `stop` and `start` give back. */
export interface StopStartOutcome {
  readonly plan: Plan
  /** Absent with `dryRun`. */
  readonly report?: OperationReport
  /** The first failure. */
  readonly error?: AirliftError
}

/**
 * Stops a cluster: k3s and its pods end on every machine, data stays. Machines that cannot be reached are in the report.
 * @throws AirliftError E_NO_CLUSTER, E_FOREIGN_CLUSTER, E_REFUSED, E_LOCKED, E_INTERRUPTED
 */
export function stop(input: StopInput, ctx: Context, deps: OperationDeps): Promise<StopStartOutcome> {
  const { drain } = input
  return carryOut('stop', input, ctx, deps, {
    plan: (runtime, spec, world) => runtime.stop(spec, world, { drain }),
    rest: (runtime, spec, world) => runtime.stop(spec, world, { drain: false }),
  })
}

/**
 * Starts a stopped cluster, and finishes a start that was cut off.
 * @throws AirliftError E_NO_CLUSTER, E_FOREIGN_CLUSTER, E_REFUSED, E_LOCKED, E_INTERRUPTED
 */
export function start(input: StartInput, ctx: Context, deps: OperationDeps): Promise<StopStartOutcome> {
  return carryOut('start', input, ctx, deps, {
    plan: (runtime, spec, world) => runtime.start(spec, world),
    rest: (runtime, spec, world) => runtime.start(spec, world),
  })
}

type Planner = (runtime: Runtime, spec: ClusterSpec, world: World) => Plan

async function carryOut(
  operation: 'stop' | 'start',
  input: StartInput,
  ctx: Context,
  deps: OperationDeps,
  planners: { readonly plan: Planner; readonly rest: Planner },
): Promise<StopStartOutcome> {
  const began = ctx.clock.now()
  const { spec, cluster } = await observeKnownCluster(input.spec, ctx, deps)
  await using _ = cluster
  const { runtime } = cluster
  if (cluster.world.machines.length === 0) requireAll(cluster.world)
  refuseForeign(spec, cluster.world)
  const world = input.dryRun ? cluster.world : await requireUnlocked(cluster.world, cluster.observe, ctx)
  const plan = planners.plan(runtime, spec, world)
  if (input.dryRun) return { plan }
  const lock = operationLock(operation, world, ctx)
  const result = await execute(operation, plan, cluster, world, lock, ctx)
  const failed = result.steps.find((step) => step.outcome === 'failed')
  const left =
    failed || result.interrupted || plan.steps.length === 0
      ? undefined
      : await verify(operation, spec, cluster, planners.rest, lock, ctx)
  const seconds = (ctx.clock.now() - began) / 1000
  const { report, error } = withUntouched(operation, spec, world, {
    ...reportOf({
      plan,
      result,
      machines: world.machines,
      connections: cluster.session.byId.values(),
      seconds,
      nodeName: (machine) => machine.facts.hostname.toLowerCase(),
    }),
  })
  if (result.interrupted) {
    throw new AirliftError(
      'E_INTERRUPTED',
      `interrupted after ${report.steps.done} of ${plan.steps.length} steps`,
      {
        hint: `run the same command again: it goes on where it stopped`,
        data: { report },
      },
    )
  }
  const first = failed?.error ?? left ?? error
  return { plan, report, ...(first ? { error: first } : {}) }
}

function execute(
  operation: string,
  plan: Plan,
  cluster: ObservedCluster,
  world: World,
  lock: PlanLock,
  ctx: Context,
): Promise<PlanResult> {
  return executePlan(
    plan,
    {
      machines: cluster.session.byId,
      secrets: world.secrets,
      stage: () => {
        throw new AirliftError('E_INTERNAL', `${operation} stages nothing`)
      },
      lock,
      ...(cluster.engine ? { engine: cluster.engine } : {}),
    },
    ctx,
  )
}

/**
 * Plans again from what was read again: nothing may be left to change. Where nothing is left but to wait, such as for a
 * master that is not ready for a moment while members of etcd come and go, that is done, once.
 */
async function verify(
  operation: string,
  spec: ClusterSpec,
  cluster: ObservedCluster,
  rest: Planner,
  lock: PlanLock,
  ctx: Context,
): Promise<AirliftError | undefined> {
  const world = await cluster.observe()
  if (ctx.signal.aborted) return undefined
  const left = rest(cluster.runtime, spec, world)
  const steps = left.steps.filter((step) => step.effect !== undefined)
  if (left.steps.length === 0) return undefined
  if (steps.length === 0) {
    const result = await execute(operation, left, cluster, world, lock, ctx)
    return result.steps.find((step) => step.outcome === 'failed')?.error
  }
  return new AirliftError('E_VERIFY', `${steps.length} steps are left after the ${operation}`, {
    log: steps.map((step) => `${step.id}: ${step.title}`),
    hint: 'run the same command again; if this repeats, look at airlift status',
  })
}
