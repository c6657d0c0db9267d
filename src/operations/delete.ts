import type { NodeWords } from '../cluster/node-words.js'
import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import { executePlan, type PlanResult } from '../plan/execute.js'
import { mergePlans, type Plan, type Step, summarize } from '../plan/plan.js'
import { removedNodeProblems } from '../runtime/clean/check-removed.js'
import type { Problem } from '../runtime/preflight/problem.js'
import type { LeaveOptions, Runtime, World } from '../runtime/runtime.js'
import { type DeleteAgain, deleteAgain } from './delete-again.js'
import { deleteReport, type Uncleaned, uncleanedOf } from './delete-report.js'
import { warnOfEndedPorts } from './ended-ports.js'
import { type FoundLeaving, findLeaving } from './find-leaving.js'
import { operationLock, requireUnlocked } from './operation-lock.js'
import { leftError, proveClean } from './prove-clean.js'
import type { PublishedKubeconfig } from './publish-kubeconfig.js'
import { recordSteps } from './record-steps.js'
import { rememberCluster } from './remember-cluster.js'
import type { OperationReport } from './report.js'
import { republishKubeconfig } from './republish-kubeconfig.js'
import type { ClusterRef } from './resolve-cluster.js'
import type { OperationDeps } from './session.js'
import { warnOfTwoMasters } from './two-masters.js'

/** What `delete` is asked for. */
export interface DeleteInput {
  /** The cluster; with machines in it, those lead to it. */
  readonly cluster: ClusterRef
  readonly leaving: NodeWords
  readonly options: LeaveOptions
  /** Longest wait for one thing other than a drain, in milliseconds. Default 10 minutes. */
  readonly timeoutMs?: number
  readonly dryRun?: boolean
  /** Where the context was merged into; `none` leaves kubeconfigs alone. */
  readonly kubeconfig?: string
  /** Asked before anything is changed, with the machines that are to leave; throws to stop. */
  readonly confirm?: (name: string, machines: readonly string[]) => Promise<void>
}

/** What `delete` gives back. */
export interface DeleteOutcome {
  readonly plan: Plan
  /** Absent with `dryRun`. */
  readonly report?: OperationReport
  /** What the proof found on machines after the removal. */
  readonly left: readonly Problem[]
  readonly error?: AirliftError
  /** Where the context was merged again, because it named a master that has left. */
  readonly kubeconfig?: PublishedKubeconfig
}

/**
 * Takes nodes out of a cluster and cleans their machines; or finishes what an earlier call began.
 * @throws AirliftError before anything is changed: E_REFUSED (exit 5), E_HOST_INVALID, E_REMOVE_REFUSED, E_NO_CLUSTER, E_SSH_…
 */
export async function deleteNodes(
  input: DeleteInput,
  ctx: Context,
  deps: OperationDeps,
): Promise<DeleteOutcome> {
  const started = ctx.clock.now()
  const found = await findLeaving(input.cluster, input.leaving, ctx, deps)
  await using cluster = found.cluster
  const { runtime, session } = cluster
  const spec = { ...found.spec, ...(input.timeoutMs === undefined ? {} : { timeoutMs: input.timeoutMs }) }
  if (!input.dryRun && (await requireUnlocked(found.world, cluster.observe, ctx)) !== found.world) {
    // Somebody has just finished: what is there now must be looked at from the beginning.
    return deleteNodes(input, ctx, deps)
  }
  const leaving = [...found.masters, ...found.nodes]
  const after = without(spec, [...leaving, ...found.strangers])
  const plan = planDelete(runtime, { ...found, spec }, input.options)
  if (found.masters.length > 0) warnOfTwoMasters(after.masters.length, ctx)
  warnOfEndedPorts(spec, after, found.world, ctx)
  if (input.dryRun) return { plan, left: [] }
  const names = leaving.map((node) => node.target.text)
  if (plan.steps.length > 0) await input.confirm?.(spec.name, names)

  const execute = (steps: Plan): Promise<PlanResult> =>
    executePlan(
      steps,
      {
        machines: session.byId,
        secrets: found.world.secrets,
        stage: () => {
          throw new AirliftError('E_INTERNAL', 'a delete stages nothing')
        },
        lock: operationLock('delete', found.world, ctx),
        ...(cluster.engine ? { engine: cluster.engine } : {}),
      },
      ctx,
    )
  const result = await execute(plan)
  const failed = result.steps.find((step) => step.outcome === 'failed')
  const gone = leaving.filter((node) => hasLeft(node, found.world, result))
  const uncleaned = uncleanedOf(leaving, found.world, result)
  let left: readonly Problem[] = []
  const again = (): DeleteAgain => {
    const open = (node: NodeSpec): boolean =>
      !gone.includes(node) ||
      uncleaned.some((entry) => entry.node === node) ||
      isUnclean(node, found.world, left)
    return deleteAgain(input, leaving, leaving.filter(open))
  }
  try {
    if (failed && gone.length > 0 && !ctx.signal.aborted)
      await execute(noteMembers(plan, without(spec, [...gone, ...found.strangers]), found.world, gone))
    const cleaned = result.interrupted ? [] : removed(result).flatMap((id) => session.byId.get(id) ?? [])
    left = cluster.engine
      ? removedNodeProblems(cleaned, await cluster.lookFromOutside(ctx))
      : await proveClean(cleaned, ctx)
    const done = deleteReport({
      plan,
      result,
      leaving,
      world: found.world,
      connections: session.byId.values(),
      seconds: (ctx.clock.now() - started) / 1000,
      uncleaned,
    })
    const report = again().report(done)
    if (result.interrupted || ctx.signal.aborted) throw interrupted(report)
    const now = plan.steps.length > 0 ? await cluster.observe() : found.world
    if (!failed) verify(now, found, leaving)
    await remember(without(spec, [...gone, ...found.strangers]), now, ctx, deps)
    const kubeconfig =
      input.kubeconfig === 'none' || failed
        ? undefined
        : await republishKubeconfig(
            spec.name,
            found.masters,
            found.world,
            now,
            session.byId,
            input.kubeconfig,
            ctx,
          )
    const error = failed?.error ?? leftError(left, 'delete') ?? uncleanedError(uncleaned)
    return {
      plan,
      report,
      left: left.map(again().problem),
      ...(error ? { error: again().error(error) } : {}),
      ...(kubeconfig ? { kubeconfig } : {}),
    }
  } catch (error) {
    throw again().error(toAirliftError(error))
  }
}

/** Whether the proof found something on the machine of a node. */
function isUnclean(node: NodeSpec, world: World, left: readonly Problem[]): boolean {
  const machine = world.machines.find((entry) => entry.node === node)
  return machine !== undefined && left.some((problem) => problem.machine === machine.name)
}

/** deleteMasters and deleteNodes in one plan, and then the members noted on the machines that stay. Pure. */
export function planDelete(
  runtime: Runtime,
  found: Omit<FoundLeaving, 'cluster'>,
  options: LeaveOptions,
): Plan {
  const { spec, world, strangers, masters, nodes } = found
  const lacking = [
    ...(masters.length > 0 ? (['deleteMasters'] as const) : []),
    ...(nodes.length > 0 ? (['deleteNodes'] as const) : []),
  ].find((verb) => !runtime.info.verbs.includes(verb))
  if (lacking) {
    throw new AirliftError('E_UNSUPPORTED', `the runtime ${runtime.info.name} cannot delete nodes`, {
      hint: 'see airlift reset for removing a whole cluster',
    })
  }
  const plan = mergePlans(
    runtime.deleteMasters(spec, world, masters, options),
    runtime.deleteNodes(spec, world, nodes, options),
  )
  // No pod may move to a node that is about to leave too, whichever list it is in.
  const cordons = plan.steps.map((step) => step.id).filter((id) => id.endsWith('/cordon'))
  // A load balancer that is replaced is told afterwards which workers have left.
  const leads = plan.steps.map((step) => step.id).filter((id) => id.endsWith('/leads'))
  const leave = plan.steps.map((step) => {
    const first = step.id.endsWith('/drain') ? cordons : step.id.endsWith('/forget') ? leads : []
    return first.length > 0 ? { ...step, needs: [...new Set([...first, ...step.needs])] } : step
  })
  const gone = [...masters, ...nodes]
  const notes = noteMembers(plan, without(spec, [...gone, ...strangers]), world, gone).steps.map((step) => ({
    ...step,
    needs: leave.map(({ id }) => id),
  }))
  const steps = [...leave, ...notes]
  return { ...plan, operation: 'delete', steps, summary: summarize(steps) }
}

function noteMembers(plan: Plan, after: ClusterSpec, world: World, gone: readonly NodeSpec[]): Plan {
  const staying = world.machines.filter((machine) => !gone.includes(machine.node))
  const steps = recordSteps(after, staying, [])
  return { ...plan, steps, summary: summarize(steps) }
}

function without(spec: ClusterSpec, gone: readonly NodeSpec[]): ClusterSpec {
  const stays = (node: NodeSpec): boolean => !gone.includes(node)
  return { ...spec, masters: spec.masters.filter(stays), nodes: spec.nodes.filter(stays) }
}

/** Whether everything that the plan had for a node was done; true also where it had nothing. */
function hasLeft(node: NodeSpec, world: World, result: PlanResult): boolean {
  const id =
    world.machines.find((machine) => machine.node === node)?.id ??
    world.unreachable.find((entry) => entry.node === node)?.id
  return result.steps.filter(({ step }) => aboutOf(step) === id).every(({ outcome }) => outcome === 'done')
}

const aboutOf = (step: Step): string => step.subject ?? step.machine

/** Machines from which everything was removed. */
function removed(result: PlanResult): string[] {
  return result.steps
    .filter(({ step, outcome }) => outcome === 'done' && step.id.endsWith('/remove'))
    .map(({ step }) => step.machine)
}

/** Asks the cluster again: a Node that is still there was not deleted, whatever the steps said. */
function verify(now: World, found: FoundLeaving, leaving: readonly NodeSpec[]): void {
  const nodes = now.machines.find(({ installed, node }) => installed.apiReady && !leaving.includes(node))
    ?.installed.nodes
  const names = leaving.flatMap((node) => {
    const machine = found.world.machines.find((entry) => entry.node === node)
    return machine ? [machine.facts.hostname.toLowerCase()] : []
  })
  const still = nodes?.filter((node) => names.includes(node.name)).map((node) => node.name) ?? []
  if (still.length === 0) return
  throw new AirliftError('E_VERIFY', `the cluster still has ${still.join(', ')}`, {
    hint: 'run the same command again; if this repeats, look at airlift status',
  })
}

async function remember(spec: ClusterSpec, now: World, ctx: Context, deps: OperationDeps): Promise<void> {
  const version = now.machines.find(({ installed }) => installed.apiReady)?.installed.version
  await rememberCluster(spec, version ?? '', now, ctx, deps)
}

function uncleanedError(uncleaned: readonly Uncleaned[]): AirliftError | undefined {
  const [first] = uncleaned
  return (
    first && new AirliftError(first.error.code, first.message, { machine: first.shown, hint: first.hint })
  )
}

function interrupted(report: OperationReport): AirliftError {
  return new AirliftError('E_INTERRUPTED', `interrupted after ${report.steps.done} steps`, {
    hint: 'run the same command again: it goes on where it stopped',
    data: { report },
  })
}
