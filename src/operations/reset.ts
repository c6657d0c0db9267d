import { removeRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { executePlan } from '../plan/execute.js'
import type { Plan } from '../plan/plan.js'
import { removedProblems } from '../runtime/clean/check-removed.js'
import type { Problem } from '../runtime/preflight/problem.js'
import { observeCluster } from './observe-cluster.js'
import { operationLock, requireUnlocked } from './operation-lock.js'
import { refuseForeign } from './ownership.js'
import { leftError, proveClean } from './prove-clean.js'
import { type OperationReport, reportOf } from './report.js'
import { type OperationDeps, requireAll } from './session.js'

/** What `reset` is asked for. */
export interface ResetInput {
  readonly spec: ClusterSpec
  readonly dryRun?: boolean
  /** Where the context was merged into; `none` leaves kubeconfigs alone. */
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

/** Removes the cluster from every machine, then proves on each that nothing is left. */
export async function reset(input: ResetInput, ctx: Context, deps: OperationDeps): Promise<ResetOutcome> {
  const { spec } = input
  const started = ctx.clock.now()
  await using cluster = await observeCluster(spec, { inside: false, ownOnly: true }, ctx, deps)
  const { runtime, session } = cluster
  requireAll(cluster.world)
  const world = input.dryRun ? cluster.world : await requireUnlocked(cluster.world, cluster.observe, ctx)
  refuseForeign(spec, world)
  const plan = runtime.reset(spec, world)
  if (input.dryRun) return { plan, left: [] }
  // Loaded while the machines work.
  const kubeconfigs = import('../kubeconfig/merge.js')
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
  const touched = new Set(plan.steps.map((step) => step.machine))
  const left =
    result.interrupted || failed
      ? []
      : cluster.engine
        ? removedProblems(spec, await cluster.lookFromOutside(ctx))
        : await proveClean(
            [...session.byId.values()].filter((machine) => touched.has(machine.id)),
            ctx,
          )
  const report = reportOf({
    plan,
    result,
    machines: world.machines,
    connections: session.byId.values(),
    seconds: (ctx.clock.now() - started) / 1000,
    nodeName: (machine) => machine.facts.hostname.toLowerCase(),
  })
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
  if (!failed && left.length === 0) {
    await removeRecord(spec.name, ctx.env)
    if (input.kubeconfig !== 'none')
      await (await kubeconfigs).removeKubeconfig(spec.name, {
        ...(input.kubeconfig ? { path: input.kubeconfig } : {}),
        env: ctx.env,
      })
  }
  const error = failed?.error ?? leftError(left, 'reset')
  return { plan, report, left, ...(error ? { error } : {}) }
}
