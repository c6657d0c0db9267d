import { randomBytes } from 'node:crypto'
import { newerOptions } from '../cluster/k3s-options.js'
import { recordOf, writeRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { waitsForNodes } from '../cluster/waits-for-nodes.js'
import type { Context } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import { Secret } from '../core/secret.js'
import { executePlan } from '../plan/execute.js'
import { mergePlans, type Plan } from '../plan/plan.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { newRuntime } from '../runtime/new-runtime.js'
import { checkWorld } from '../runtime/preflight/check-world.js'
import type { Problem } from '../runtime/preflight/problem.js'
import { checkIgnore, refuse } from '../runtime/preflight/refuse.js'
import type { Runtime, World } from '../runtime/runtime.js'
import { requireNotBeingMade } from './being-made.js'
import { decidedWorld } from './decided-world.js'
import { checkNetworksKept } from './fixed-networks.js'
import { warnOfKeptLabels } from './kept-labels.js'
import { madeMachines } from './made-machines.js'
import { observeCluster } from './observe-cluster.js'
import { openSource, stagerOf } from './open-source.js'
import { operationLock, requireUnlocked } from './operation-lock.js'
import { checkOwnership, otherRelease, refuseForgetting } from './ownership.js'
import { type KubeconfigTarget, type PublishedKubeconfig, publishKubeconfig } from './publish-kubeconfig.js'
import { type OperationReport, reportOf } from './report.js'
import { requireBuildable } from './require-buildable.js'
import { requireHere } from './require-here.js'
import { requireUsable } from './require-usable.js'
import { isUnmade, rollBack, undoneRun } from './rollback.js'
import { type OperationDeps, requireAll } from './session.js'
import { settle } from './settle.js'
import { takenMeanwhile } from './taken-meanwhile.js'
import { findTakenName } from './taken-name.js'
import { warnOfUnappliedTaints } from './unapplied-taints.js'
import { undoneError, undoneReport } from './undone.js'

/** How often it is tried where what was chosen is taken by others in the same moment. */
const TRIES = 3

/** What `run` is asked for. */
export interface RunInput {
  readonly spec: ClusterSpec
  /** Absent: `version` names a release; containers need neither, and run an image. */
  readonly rootfs?: Rootfs
  /** A release, or a channel such as `stable`, where no rootfs is given. */
  readonly version?: string
  /** Only plan. */
  readonly dryRun?: boolean
  /** Where the context goes when the cluster is up; `none` leaves kubeconfigs alone. */
  readonly kubeconfig?: KubeconfigTarget | 'none'
}

/** What `run` gives back. */
export interface RunOutcome {
  readonly plan: Plan
  /** Absent with `dryRun`. */
  readonly report?: OperationReport
  /** What preflight found that did not refuse. */
  readonly problems: readonly Problem[]
  /** The first error of those machines that failed, with its log and hint; or that what was read back is not what was asked for. */
  readonly error?: AirliftError
  /** Where the context was merged; absent when it was not asked for, or no master answers yet. */
  readonly kubeconfig?: PublishedKubeconfig
}

/**
 * Creates the cluster, or finishes what an earlier run began, or does nothing where all is as it must be.
 * @throws AirliftError before anything is changed: E_PREFLIGHT, E_FOREIGN_CLUSTER, E_REMOVE_REFUSED, E_SSH_…
 */
export async function run(input: RunInput, ctx: Context, deps: OperationDeps): Promise<RunOutcome> {
  const started = ctx.clock.now()
  checkIgnore(input.spec.ignore)
  await using source = await openSource(input, ctx, deps)
  const { rootfs } = source
  if (rootfs) await requireDistribution(input.spec, rootfs)
  const options = { align: true, ...(rootfs ? { rootfs } : {}) }
  await using cluster = await observeCluster(source.spec, options, ctx, deps)
  const { runtime, session, spec } = cluster
  requireUsable(spec, cluster.world)
  const free = input.dryRun ? cluster.world : await requireUnlocked(cluster.world, cluster.observe, ctx)
  let world = withToken(await decidedWorld(spec, runtime, free, cluster.observe, ctx))
  checkOwnership(spec, world)
  await refuseForgetting(spec, world)
  checkNetworksKept(spec, world)
  warnOfNewerOptions(spec, source.version ?? '', ctx)
  const taken = await findTakenName(spec, world.machines, ctx, deps)
  const problems = [...taken, ...checkWorld(spec, world)]
  // A cluster that is as it must be is not refused for a disk that has become full since.
  if (taken.length > 0 || !isSettled(runtime, spec, world)) refuse(problems, spec.ignore)
  let plan = planRun(runtime, spec, world)
  requireHere(plan, ctx)
  await requireBuildable(plan, rootfs)
  warnOfUnappliedTaints(spec, world, plan, ctx)
  warnOfKeptLabels(spec, world, plan, ctx)
  if (input.dryRun) return { plan, problems }
  requireNotBeingMade(spec, world, ctx)

  const handlersFor = (now: World): Parameters<typeof executePlan>[1] => ({
    machines: session.byId,
    secrets: now.secrets,
    stage: stagerOf(rootfs),
    lock: operationLock('run', now, ctx),
    ...(cluster.engine ? { engine: cluster.engine } : {}),
    ...(cluster.ask ? { ask: cluster.ask } : {}),
  })
  let handlers = handlersFor(world)
  let result = await executePlan(plan, handlers, ctx)
  for (let tries = 1; tries < TRIES && isUnmade(spec, cluster.world); tries++) {
    const taken = takenMeanwhile(spec, result)
    if (!taken || ctx.signal.aborted || (await rollBack(spec, cluster, ctx)).error) break
    const message = `${taken.message} since a moment ago: once more, with another`
    ctx.events.emit({ level: 'warn', code: 'run.again', message })
    world = withToken(await cluster.observe())
    plan = planRun(runtime, spec, world)
    handlers = handlersFor(world)
    result = await executePlan(plan, handlers, ctx)
  }
  let error = result.steps.find((step) => step.outcome === 'failed')?.error
  let after = world
  if (plan.steps.length > 0 && !result.interrupted) {
    try {
      after = await cluster.observe(madeMachines(result))
      if (!error) {
        requireAll(after)
        const planOf = (now: World): Plan => planRun(runtime, spec, now)
        after = await settle({ spec, planOf, observe: cluster.observe, handlers }, after, ctx)
        if (!ctx.signal.aborted) error = unfinished(spec, runtime, after)
      }
    } catch (thrown) {
      // What was done, and what failed, is worth telling even when the machines cannot be looked at again.
      error ??= toAirliftError(thrown)
    }
  }
  const done = reportOf({
    plan,
    result,
    machines: world.machines,
    connections: cluster.traffic(),
    seconds: (ctx.clock.now() - started) / 1000,
    nodeName: (machine) => machine.facts.hostname.toLowerCase(),
  })
  const report: OperationReport = error && done.outcome === 'done' ? { ...done, outcome: 'failed' } : done
  const broken =
    result.interrupted || ctx.signal.aborted || result.steps.some((step) => step.outcome === 'failed')
  // What another command is making is not of this run.
  const ours = isUnmade(spec, cluster.world) && error?.code !== 'E_LOCKED'
  if (broken && ours && spec.containers?.keep !== true) {
    const undone = undoneRun(await rollBack(spec, cluster, ctx))
    ctx.events.emit({ level: 'warn', code: 'rollback.done', message: undone.told })
    if (result.interrupted || ctx.signal.aborted) throw interrupted(report, undone.told)
    return {
      plan,
      report: undoneReport(report, error, undone),
      problems,
      ...(error ? { error: undoneError(error, undone) } : {}),
    }
  }
  if (result.steps.some((step) => step.outcome === 'done') || plan.steps.length === 0) {
    const version = source.version ?? installedVersion(after)
    await writeRecord(recordOf(spec, version, new Date(ctx.clock.now())), ctx.env)
  }
  if (result.interrupted || ctx.signal.aborted) throw interrupted(report)
  const kubeconfig = await publishKubeconfig(input.kubeconfig ?? 'none', spec.name, after, session.byId, ctx)
  return {
    plan,
    report,
    problems,
    ...(error ? { error } : {}),
    ...(kubeconfig ? { kubeconfig } : {}),
  }
}

/** init, joinMasters and joinNodes in one plan, so that their pipelines overlap. */
export function planRun(runtime: Runtime, spec: ClusterSpec, world: World): Plan {
  const plan = mergePlans(
    runtime.init(spec, world),
    runtime.joinMasters(spec, world, spec.masters),
    runtime.joinNodes(spec, world, spec.nodes),
  )
  return { ...plan, operation: 'run' }
}

function isSettled(runtime: Runtime, spec: ClusterSpec, world: World): boolean {
  if (world.machines.some((machine) => !machine.installed.active)) return false
  return planRun(runtime, spec, world).steps.length === 0
}

/** The release that the machines themselves say they run; empty where none says it. */
function installedVersion(world: World): string {
  return world.machines.find((machine) => machine.installed.version)?.installed.version ?? ''
}

/** An option that this release does not have yet is passed on, since the table may be wrong, but not in silence. */
function warnOfNewerOptions(spec: ClusterSpec, version: string, ctx: Context): void {
  const minor = /(\d+\.\d+)/.exec(version)?.[1] ?? ''
  for (const { key, since } of newerOptions(Object.keys(spec.config), minor)) {
    const message = `${key} came with ${since}: ${version} may refuse it`
    ctx.events.emit({ level: 'warn', code: 'config.newer', message, data: { key, since } })
  }
}

/** A token that is known before the first master starts lets all machines be prepared at the same time. */
function withToken(world: World): World {
  if (world.secrets.has('token')) return world
  const secrets = new Map(world.secrets)
  secrets.set('token', new Secret(randomBytes(32).toString('hex')))
  return { ...world, secrets }
}

/** Plans again from what was read again: a cluster that is as it must be gives an empty plan, anything else an error. */
function unfinished(spec: ClusterSpec, runtime: Runtime, world: World): AirliftError | undefined {
  const other = otherRelease(spec, world)
  if (other || !waitsForNodes(spec)) return other
  const rest = planRun(runtime, spec, world)
  if (rest.steps.length === 0) return undefined
  return new AirliftError(
    'E_VERIFY',
    `the cluster is not what was asked for: ${rest.steps.length} steps are left`,
    {
      log: rest.steps.map((step) => `${step.id}: ${step.title}`),
      hint: 'run the same command again; if this repeats, look at airlift status',
    },
  )
}

function interrupted(report: OperationReport, undone?: string): AirliftError {
  return new AirliftError(
    'E_INTERRUPTED',
    `interrupted after ${report.steps.done} steps; nothing is half-written`,
    {
      hint: undone ?? 'run the same command again: it goes on where it stopped',
      data: { report },
    },
  )
}

/**
 * Containers run the same k3s as hosts do, from the same bundle.
 * @throws AirliftError E_BUNDLE_RUNTIME for a bundle of another distribution
 */
async function requireDistribution(spec: ClusterSpec, rootfs: Rootfs): Promise<void> {
  const { runtime } = rootfs.manifest
  const wanted = (await newRuntime(spec.runtime)).info.distribution
  if (runtime === spec.runtime || runtime === wanted) return
  throw new AirliftError('E_BUNDLE_RUNTIME', `${rootfs.ref} is a rootfs of ${runtime}, not of ${wanted}`, {
    hint: `use --runtime ${runtime}, or a bundle that was built with --runtime ${wanted}`,
  })
}
