import { type ChangedPorts, changePorts, type PortsChange } from '../cluster/container/change-ports.js'
import { isOptionProblem } from '../cluster/container/option-problem.js'
import { parsePort } from '../cluster/container/parse-port.js'
import {
  areSamePorts,
  type PublishedPort,
  portText,
  publishedPorts,
} from '../cluster/container/published-ports.js'
import { LABELS } from '../cluster/container-labels.js'
import { containerName, type PortSpec } from '../cluster/container-spec.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { type Context, createContext } from '../core/context.js'
import { AirliftError, toAirliftError } from '../core/errors.js'
import { containerId } from '../machine/container-id.js'
import { executePlan, type PlanResult } from '../plan/execute.js'
import type { Plan } from '../plan/plan.js'
import { checkPublished } from '../runtime/preflight/containers/check-published.js'
import { refuse } from '../runtime/preflight/refuse.js'
import type { Runtime, World } from '../runtime/runtime.js'
import { withKeptBalancer } from './kept-balancer.js'
import type { ObservedCluster } from './observe-cluster.js'
import { operationLock, requireUnlocked } from './operation-lock.js'
import { describeError, type MachineReport, type OperationReport, reportOf } from './report.js'
import { type ClusterRef, observeKnownCluster, resolveCluster } from './resolve-cluster.js'
import { type OperationDeps, requireAll } from './session.js'

/** What `ports add` and `ports remove` are asked for. */
export interface PortsInput {
  readonly cluster: ClusterRef
  readonly change: PortsChange
  readonly dryRun?: boolean
}

/** What they give back. */
export interface PortsOutcome {
  readonly plan: Plan
  /** Absent with `dryRun`. */
  readonly report?: OperationReport
  /** All ports that are published afterwards, beside the API. */
  readonly ports: readonly PublishedPort[]
  readonly error?: AirliftError
}

/** How long the load balancer of another command may be half-made before it counts as left behind. Milliseconds. */
const YOUNG_MS = 15_000

/**
 * Changes the published ports of a cluster that runs. When the new ports cannot be had, the old ones are served as before.
 * @throws AirliftError before anything is changed: E_NO_CLUSTER, E_UNSUPPORTED on hosts and for ports that cannot change,
 * E_SPEC_INVALID, E_PREFLIGHT for a port that is taken, E_REFUSED, E_LOCKED; E_INTERRUPTED
 */
export async function changePublishedPorts(
  input: PortsInput,
  ctx: Context,
  deps: OperationDeps,
): Promise<PortsOutcome> {
  const began = ctx.clock.now()
  const { change } = input
  const resolved = await withKeptBalancer(await resolveCluster(input.cluster, ctx, deps), ctx, deps)
  const containers = resolved.containers
  if (!containers) throw onHosts(resolved)
  // What is looked for on this computer are the ports that are asked for: those that are there are in use.
  const looked = { ...resolved, containers: { ...containers, ports: askedPorts(change) } }
  const { cluster } = await observeKnownCluster(looked, ctx, deps)
  await using _ = cluster
  requireAll(cluster.world)
  const planner = portsOf(cluster.runtime)
  const world = input.dryRun ? cluster.world : await quietWorld(cluster, ctx)
  const plan = planner.change(resolved, world, change)
  const changed = changePorts(resolved, world.engine?.containers ?? [], change)
  requireFree(resolved, world, changed)
  const published = (now: World): PublishedPort[] => publishedPorts(now.engine?.containers ?? [], resolved)
  if (input.dryRun) return { plan, ports: published(world) }

  const result = await execute(plan, cluster, world, ctx)
  const failed = result.steps.find((step) => step.outcome === 'failed')
  const nodes = reportOf({
    plan,
    result,
    machines: world.machines,
    connections: cluster.session.byId.values(),
    seconds: (ctx.clock.now() - began) / 1000,
    nodeName: (machine) => machine.facts.hostname.toLowerCase(),
  })
  if (failed || result.interrupted) {
    const undone = await undo(resolved, world, cluster, ctx)
    if (result.interrupted)
      throw new AirliftError('E_INTERRUPTED', 'interrupted while the ports were changed', {
        hint: undone,
        data: { report: nodes },
      })
    const error = withHint(failed?.error, undone)
    const machines = [...nodes.machines, ...balancerReport(plan, error)]
    return { plan, report: { ...nodes, outcome: 'failed', machines }, ports: published(world), error }
  }
  const report = { ...nodes, machines: [...nodes.machines, ...balancerReport(plan)] }
  const after = plan.steps.length > 0 ? await cluster.lookFromOutside(ctx) : world
  const ports = published(after)
  const lb = after.engine?.containers.find(({ name }) => name === containerName(resolved.name, 'lb'))
  const right = areSamePorts(
    changed.balanced,
    ports.filter((port) => port.at === lb?.name),
  )
  if (right && after.engine?.lbNext === undefined && (!lb || lb.state === 'running'))
    return { plan, report, ports }
  const error = new AirliftError('E_VERIFY', 'the published ports are not what was asked for', {
    log: ports.map((port) => `${port.at}: ${portText(port)}`),
    hint: 'run the same command again; if this repeats, look at airlift status',
  })
  return { plan, report: { ...report, outcome: 'failed' }, ports, error }
}

/** The load balancer among the machines: it is what a change of ports replaces, makes or removes. */
function balancerReport(plan: Plan, error?: AirliftError): MachineReport[] {
  if (!plan.steps.some((step) => step.effect !== undefined)) return []
  const name = containerName(plan.name, 'lb')
  const about = { machine: containerId(name), node: name, role: 'lb' as const }
  return [
    error
      ? { ...about, outcome: 'failed', error: describeError(error) }
      : { ...about, outcome: 'changed', error: null },
  ]
}

function onHosts(spec: ClusterSpec): AirliftError {
  return new AirliftError(
    'E_UNSUPPORTED',
    `the cluster "${spec.name}" is on hosts, where nothing is published`,
    { hint: 'every port of a host can be reached already: use a Service of type NodePort or LoadBalancer' },
  )
}

function portsOf(runtime: Runtime): NonNullable<Runtime['ports']> {
  if (runtime.info.verbs.includes('ports') && runtime.ports) return runtime.ports
  throw new AirliftError('E_UNSUPPORTED', `the runtime "${runtime.info.name}" publishes no ports`, {
    hint: 'clusters in containers do: airlift run --masters 1',
  })
}

/** The ports that are asked for, before it is known where they lead to. What is wrong with them is told later. */
function askedPorts({ op, texts }: PortsChange): PortSpec[] {
  if (op === 'remove') return []
  return texts.flatMap((text) => {
    const request = parsePort(text)
    if (isOptionProblem(request)) return []
    const { address, pairs, protocol } = request
    return pairs.map((pair): PortSpec => ({ address, ...pair, protocol, via: 'proxy', nodes: [] }))
  })
}

/** The world when nobody else works on the cluster: another change of ports is given the time to end. */
async function quietWorld(cluster: ObservedCluster, ctx: Context): Promise<World> {
  const world = await requireUnlocked(cluster.world, cluster.observe, ctx)
  if (!world.engine?.lbNext) return world
  const made = world.engine.temporary?.map(({ labels }) => Date.parse(labels[LABELS.created] ?? '')) ?? []
  const age = ctx.clock.now() - Math.max(0, ...made.filter((time) => time > 0))
  if (age >= YOUNG_MS) return world
  await ctx.clock.sleep(YOUNG_MS - Math.max(0, age), ctx.signal)
  return cluster.observe()
}

/** @throws AirliftError E_PREFLIGHT for a port that somebody has, before anything is changed */
function requireFree(spec: ClusterSpec, world: World, { added }: ChangedPorts): void {
  if (!world.engine || !spec.containers) return
  const { port: _, ...api } = spec.containers.api
  const asked = { ...spec, containers: { ...spec.containers, api, ports: added } }
  const problems = checkPublished({ spec: asked, engine: world.engine, name: world.engine.endpoint.url })
  // Nothing is gained by going on: the engine would refuse it.
  refuse(
    problems.map((problem) => ({ ...problem, ignorable: false })),
    [],
  )
}

function execute(plan: Plan, cluster: ObservedCluster, world: World, ctx: Context): Promise<PlanResult> {
  return executePlan(
    plan,
    {
      machines: cluster.session.byId,
      secrets: world.secrets,
      stage: () => {
        throw new AirliftError('E_INTERNAL', 'a change of ports stages nothing')
      },
      lock: operationLock('ports', world, ctx),
      ...(cluster.engine ? { engine: cluster.engine } : {}),
    },
    ctx,
  )
}

/** Takes back what was done, also after an interruption: with a signal of its own. Gives the end of a hint. */
async function undo(
  spec: ClusterSpec,
  before: World,
  cluster: ObservedCluster,
  ctx: Context,
): Promise<string> {
  const own = createContext({ ...ctx, signal: new AbortController().signal })
  try {
    const plan = portsOf(cluster.runtime).undo(spec, await cluster.lookFromOutside(own), before)
    const result = await execute(plan, cluster, before, own)
    const failed = result.steps.find((step) => step.outcome === 'failed')?.error
    if (failed) throw failed
    return 'the ports are published as before'
  } catch (error) {
    return `what was done could not be taken back (${toAirliftError(error).message}): airlift start --name ${spec.name} does`
  }
}

/** The same error with more to say about what is left. */
function withHint(error: AirliftError | undefined, more: string): AirliftError {
  if (!error) return new AirliftError('E_ENGINE', 'the ports could not be changed', { hint: more })
  return new AirliftError(error.code, error.message, {
    hint: error.hint === undefined ? more : `${error.hint}\n${more}`,
    ...(error.machine === undefined ? {} : { machine: error.machine }),
    log: error.log,
    cause: error,
  })
}
