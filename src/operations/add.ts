import { machineKey } from '../cluster/host-conflicts.js'
import { readRecord } from '../cluster/record.js'
import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'
import { waitsForNodes } from '../cluster/waits-for-nodes.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { executePlan } from '../plan/execute.js'
import { mergePlans, type Plan, summarize } from '../plan/plan.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { checkMachines } from '../runtime/preflight/check-machines.js'
import { checkWorld } from '../runtime/preflight/check-world.js'
import type { Problem } from '../runtime/preflight/problem.js'
import { checkIgnore, refuse } from '../runtime/preflight/refuse.js'
import type { MachineWorld, Runtime, World } from '../runtime/runtime.js'
import { requireAnswering, requireHealthyMasters, requireReached, sourceToAdd } from './add-checks.js'
import { existingSpec } from './existing-spec.js'
import { inheritOptions } from './inherit-options.js'
import { joiningOptions } from './joining-options.js'
import { knownMachines } from './made-machines.js'
import { type ObserveOptions, observeCluster } from './observe-cluster.js'
import { type OpenSource, stagerOf } from './open-source.js'
import { operationLock, requireUnlocked } from './operation-lock.js'
import { checkMachineOwnership, otherRelease } from './ownership.js'
import { recordSteps } from './record-steps.js'
import { rememberCluster } from './remember-cluster.js'
import { type OperationReport, reportOf } from './report.js'
import { requireBuildable } from './require-buildable.js'
import { requireHere } from './require-here.js'
import { type ClusterRef, observeKnownCluster, resolveCluster } from './resolve-cluster.js'
import { rollBackAdd, undoneAdd, unmadeNodes } from './rollback-add.js'
import type { OperationDeps } from './session.js'
import { settle } from './settle.js'
import { warnOfTwoMasters } from './two-masters.js'
import { undoneError, undoneReport } from './undone.js'

/** What `add` is asked for. */
export interface AddInput {
  /** The cluster; with machines in it, those lead to it. */
  readonly cluster: ClusterRef
  /** The machines that are to join, and how to wait; its configuration is that of the cluster, whatever it says here. */
  readonly joining: ClusterSpec
  /** Absent: `version` names the release; containers need neither, and run the image of the cluster. */
  readonly rootfs?: Rootfs
  /** The release of the cluster, where no rootfs is given. */
  readonly version?: string
  readonly dryRun?: boolean
}

/** What `add` gives back. */
export interface AddOutcome {
  readonly plan: Plan
  /** Absent with `dryRun`. */
  readonly report?: OperationReport
  /** What preflight found on the new machines that did not refuse. */
  readonly problems: readonly Problem[]
  readonly error?: AirliftError
}

/**
 * Joins machines to a cluster that runs, with the configuration that the cluster was made with; or finishes what an earlier
 * call began. Masters join one after the other. The nodes that are there are not touched.
 * @throws AirliftError before anything is changed: E_REFUSED, E_PREFLIGHT, E_FOREIGN_CLUSTER, E_UNSUPPORTED, E_SSH_…
 */
export async function add(input: AddInput, ctx: Context, deps: OperationDeps): Promise<AddOutcome> {
  const started = ctx.clock.now()
  checkIgnore(input.joining.ignore)
  await using source = await findCluster(input, ctx, deps)
  const { spec, rootfs, adding, seen, doors } = source
  const known = { seen, ...(doors ? { doors } : {}), ...(rootfs ? { rootfs } : {}) }
  await using cluster = await observeCluster(spec, known, ctx, deps)
  const { runtime, session } = cluster
  const world = input.dryRun ? cluster.world : await requireUnlocked(cluster.world, cluster.observe, ctx)
  requireReached(world, adding)
  const machines = world.machines.filter((machine) => adding.includes(machine.node))
  checkMachineOwnership(spec, world, machines)
  const through = requireAnswering(spec, world)
  if (adding.some((node) => node.role === 'master')) requireHealthyMasters(through, machines)
  const planOf = (now: World): Plan => planAdd(runtime, spec, now, adding)
  const plan = planOf(world)
  requireHere(plan, ctx)
  await requireBuildable(plan, rootfs)
  const problems = world.engine ? checkWorld(spec, world) : preflight(spec, world, adding, rootfs)
  if (plan.steps.length > 0) refuse(problems, spec.ignore)
  if (adding.some((node) => node.role === 'master')) warnOfTwoMasters(spec.masters.length, ctx)
  if (input.dryRun) return { plan, problems }

  const handlers: Parameters<typeof executePlan>[1] = {
    machines: session.byId,
    secrets: world.secrets,
    stage: stagerOf(rootfs),
    lock: operationLock('add', world, ctx),
    ...(cluster.engine ? { engine: cluster.engine } : {}),
    ...(cluster.ask ? { ask: cluster.ask } : {}),
  }
  const result = await executePlan(plan, handlers, ctx)
  const failed = result.steps.find((step) => step.outcome === 'failed')
  const failedOn = new Set(
    result.steps.filter((step) => step.outcome === 'failed').map(({ step }) => step.machine),
  )
  const report = reportOf({
    plan,
    result,
    machines: world.machines.filter((machine) => adding.includes(machine.node) || failedOn.has(machine.id)),
    connections: cluster.traffic(),
    seconds: (ctx.clock.now() - started) / 1000,
    nodeName: (machine) => machine.facts.hostname.toLowerCase(),
  })
  // What another command is making is not of this one.
  const others = new Set(
    result.steps.filter(({ error }) => error?.code === 'E_LOCKED').map(({ step }) => step.machine),
  )
  const isOfOthers = (node: NodeSpec): boolean =>
    world.machines.some((machine) => machine.node === node && others.has(machine.id))
  const made = unmadeNodes(adding, world).filter((node) => !isOfOthers(node))
  if ((failed || result.interrupted || ctx.signal.aborted) && made.length > 0 && !spec.containers?.keep)
    return takeBack({ plan, report, problems, error: failed?.error }, spec, made, ctx, deps)
  if (result.steps.some((step) => step.outcome === 'done') || plan.steps.length === 0)
    await rememberCluster(spec, source.version ?? '', world, ctx, deps)
  if (result.interrupted || ctx.signal.aborted) throw interrupted(report)
  if (!failed && plan.steps.length > 0) {
    const now = await cluster.observe(knownMachines(world.machines, result))
    const after = await settle({ spec, planOf, observe: cluster.observe, handlers }, now, ctx)
    if (!ctx.signal.aborted) {
      const added = after.machines.filter(({ node }) => adding.includes(node))
      const other = otherRelease(spec, after, added)
      if (other) throw other
      verify(spec, planOf(after))
    }
  }
  return { plan, report, problems, ...(failed?.error ? { error: failed.error } : {}) }
}

/** Containers that this add made do not stay half-made; the report says what was done before. */
async function takeBack(
  {
    plan,
    report,
    problems,
    error,
  }: Pick<AddOutcome, 'plan' | 'problems'> & {
    readonly report: OperationReport
    readonly error: AirliftError | undefined
  },
  spec: ClusterSpec,
  made: readonly NodeSpec[],
  ctx: Context,
  deps: OperationDeps,
): Promise<AddOutcome> {
  const undone = undoneAdd(await rollBackAdd(spec, made, ctx, deps), spec, made)
  ctx.events.emit({ level: 'warn', code: 'rollback.done', message: undone.told })
  if (!error || ctx.signal.aborted) throw interrupted(report, undone.told)
  const told = undoneReport(report, error, undone)
  return { plan, report: told, problems, error: undoneError(error, undone) }
}

/** Disposing closes a rootfs that was opened here. */
interface Found extends OpenSource {
  readonly adding: readonly NodeSpec[]
  /** The machines that are there, and stay as they are. */
  readonly seen: readonly MachineWorld[]
  readonly doors?: ObserveOptions['doors']
}

/** Looks for the cluster, and makes one spec of what it is and of what is to join. */
async function findCluster(input: AddInput, ctx: Context, deps: OperationDeps): Promise<Found> {
  const { cluster: ref } = input
  const told =
    ref.masters.length + ref.nodes.length > 0 || (await readRecord(ref.name, ctx.env)) !== undefined
  // Without a record and without being told, a machine that was named may be of the cluster already and lead to it. Containers
  // are found by their labels.
  const where =
    told || input.joining.runtime === 'k3d'
      ? ref
      : { ...ref, masters: input.joining.masters, nodes: input.joining.nodes }
  const resolved = await resolveCluster(where, ctx, deps)
  const known = await observeKnownCluster(resolved, ctx, deps, {
    toJoin: true,
    guess: where !== ref,
    // Nodes in containers share the images of a rootfs: which of them are there is part of what is looked for.
    ...(resolved.containers && input.rootfs ? { rootfs: input.rootfs } : {}),
  })
  await using found = known.cluster
  const through = requireAnswering(known.spec, found.world)
  const named = [...input.joining.masters, ...input.joining.nodes]
  requireSameKind(known.spec, named)
  const existing = existingSpec(through, known.spec.containers ? known.spec.config : {})
  const port = known.spec.ssh.port
  const keys = new Set(named.map((node) => machineKey(node.target, port)))
  const stays = (node: NodeSpec): boolean => !keys.has(machineKey(node.target, port))
  const inherit = { ...input, known: known.spec, world: found.world, through, config: existing.config, stays }
  const { joining, known: cluster } = await inheritOptions(inherit, ctx, deps)
  const { containers } = cluster
  const options = containers && joiningOptions(cluster.name, containers, joining.containers)
  const adding = [...joining.masters, ...joining.nodes]
  const mine = told || containers ? known.spec : withoutStrangers(known.spec, found.world)
  const spec: ClusterSpec = {
    ...joining,
    runtime: known.spec.runtime,
    ssh: known.spec.ssh,
    config: existing.config,
    ...(options ? { containers: options } : {}),
    ...(joining.registries ? {} : existing.registries ? { registries: existing.registries } : {}),
    masters: merge(mine.masters, joining.masters, stays, port),
    nodes: merge(mine.nodes, joining.nodes, stays, port),
  }
  // Last, since it may download.
  const source = await sourceToAdd({ ...input, spec }, through, ctx)
  const seen = found.world.machines.filter(({ node }) => stays(node))
  return { ...source, adding, seen, ...(found.doors ? { doors: found.doors } : {}) }
}

/** Hosts join hosts, and containers containers. @throws AirliftError E_HOST_INVALID */
function requireSameKind(spec: ClusterSpec, adding: readonly NodeSpec[]): void {
  const kind = spec.containers ? 'container' : 'host'
  const other = adding.find((node) => (node.target.kind === 'container') !== (kind === 'container'))
  if (!other) return
  throw new AirliftError(
    'E_HOST_INVALID',
    `the cluster "${spec.name}" is made of ${kind}s, and ${other.target.text} is none`,
    { hint: kind === 'container' ? 'say how many: --nodes 1' : 'name hosts: --nodes root@10.0.0.4' },
  )
}

/** Machines that were only named to look for the cluster, and are not of it. */
function withoutStrangers(spec: ClusterSpec, world: World): ClusterSpec {
  const own = (node: NodeSpec): boolean =>
    world.machines.some((machine) => machine.node === node && machine.installed.cluster === spec.name)
  return { ...spec, masters: spec.masters.filter(own), nodes: spec.nodes.filter(own) }
}

/** Those that are there in their order, one that is named again as it is named now; then the new ones. */
function merge(
  known: readonly NodeSpec[],
  joining: readonly NodeSpec[],
  stays: (node: NodeSpec) => boolean,
  port: number | undefined,
): NodeSpec[] {
  const again = new Set<NodeSpec>()
  const kept = known.flatMap((node) => {
    if (stays(node)) return [node]
    const named = joining.find((entry) => machineKey(entry.target, port) === machineKey(node.target, port))
    if (!named) return []
    again.add(named)
    return [named]
  })
  return [...kept, ...joining.filter((node) => !again.has(node))]
}

/** joinMasters and joinNodes for those that are added, once the machines that are there have noted them. Pure. */
export function planAdd(
  runtime: Runtime,
  spec: ClusterSpec,
  world: World,
  adding: readonly NodeSpec[],
): Plan {
  const of = (role: NodeSpec['role']): NodeSpec[] => adding.filter((node) => node.role === role)
  const joins = mergePlans(
    runtime.joinMasters(spec, world, of('master')),
    runtime.joinNodes(spec, world, of('worker')),
  )
  // Noted first: a reset or a status after a failure then knows of the new machines.
  const notes = recordSteps(
    spec,
    world.machines.filter((machine) => !adding.includes(machine.node)),
    [],
    world.machines,
  )
  const ids = new Set(joins.steps.map((step) => step.id))
  const noted = notes.map((step) => step.id)
  const steps = joins.steps.map((step) => {
    const needs = step.needs.filter((id) => ids.has(id))
    return { ...step, needs: needs.length === 0 ? noted : needs }
  })
  const all = [...notes, ...steps]
  return { ...joins, operation: 'add', name: spec.name, steps: all, summary: summarize(all) }
}

/** What preflight says of the new machines; of the others only what is between them and the new ones. */
function preflight(
  spec: ClusterSpec,
  world: World,
  adding: readonly NodeSpec[],
  rootfs: Rootfs | undefined,
): Problem[] {
  const names = new Set(adding.map((node) => node.target.text))
  const isNew = ({ node }: { node: NodeSpec }): boolean => adding.includes(node)
  // Last, so that what is there twice is told of the new one.
  const machines = [...world.machines.filter((entry) => !isNew(entry)), ...world.machines.filter(isNew)]
  return checkMachines(spec, machines, rootfs?.manifest).filter((entry) => names.has(entry.machine))
}

/** `rest` is planned from what was read again: when all has joined, nothing is left to do. */
function verify(spec: ClusterSpec, rest: Plan): void {
  if (!waitsForNodes(spec) || rest.steps.length === 0) return
  throw new AirliftError('E_VERIFY', `${rest.steps.length} steps are left to join all machines`, {
    log: rest.steps.map((step) => `${step.id}: ${step.title}`),
    hint: 'run the same command again; if this repeats, look at airlift status',
  })
}

function interrupted(report: OperationReport, undone?: string): AirliftError {
  return new AirliftError('E_INTERRUPTED', `interrupted after ${report.steps.done} steps`, {
    hint: undone ?? 'run the same command again: it goes on where it stopped',
    data: { report },
  })
}
