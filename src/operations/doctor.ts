import type { NodeSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { toAirliftError } from '../core/errors.js'
import { collectFacts } from '../machine/facts/collect-facts.js'
import { routeTo } from '../machine/facts/route-to.js'
import type { Machine } from '../machine/machine.js'
import { INITIALIZED } from '../machine/state-paths.js'
import { checkClean } from '../runtime/clean/check-clean.js'
import { checkMachines } from '../runtime/preflight/check-machines.js'
import type { PreflightMachine } from '../runtime/preflight/machine-under-test.js'
import { nodeIpOf } from '../runtime/preflight/node-ip.js'
import type { Problem } from '../runtime/preflight/problem.js'
import { checkIgnore, refusals } from '../runtime/preflight/refuse.js'
import { doctorContainers } from './doctor-containers.js'
import type { DoctorInput, DoctorMachine, DoctorReport } from './doctor-report.js'
import type { LookedAt } from './recorded-nodes.js'
import { unusableProblem } from './require-usable.js'
import { idInSession, type OperationDeps, openSession, type Session } from './session.js'
import { findTakenName } from './taken-name.js'
import { checkThisComputer } from './this-computer.js'

/**
 * Looks for everything that would go wrong, on all machines at once, and changes nothing. Machines that cannot be reached are
 * problems, not exceptions: the others are looked at all the same.
 * @throws AirliftError E_USAGE for a code in `spec.ignore` that is unknown or cannot be ignored, E_INTERRUPTED, E_SSH_CONFIG
 */
export async function doctor(input: DoctorInput, ctx: Context, deps: OperationDeps): Promise<DoctorReport> {
  const { spec } = input
  checkIgnore(spec.ignore)
  const nodes = [...spec.masters, ...spec.nodes]
  if (nodes.length === 0) {
    const problems = await checkThisComputer(ctx)
    return { ok: refusals(problems, spec.ignore).length === 0, machines: [], problems }
  }
  if (spec.runtime === 'k3d') return doctorContainers(input, ctx, deps)
  await using session = await openSession(nodes, spec.ssh, ctx, deps)
  const found = input.clean ? await findRemains(session, ctx) : await findProblems(input, session, ctx)
  const unreached = session.failures.map(({ node, error }) => unusableProblem(node, error))
  const taken = input.clean ? [] : await findTakenName(spec, lookedAt(session, found), ctx, deps)
  const problems = [...unreached, ...taken, ...found.problems]
  const bad = new Set(refusals(problems, spec.ignore).map((entry) => entry.machine))
  return {
    ok: bad.size === 0,
    machines: nodes.map((node) => describe(node, session, found.facts, bad)),
    problems,
  }
}

function lookedAt({ machines }: Session, { facts }: Findings): LookedAt[] {
  return machines.flatMap(({ machine: { id }, node }) => {
    const known = facts.get(node)?.facts
    return known ? [{ id, node, facts: known }] : []
  })
}

/** What a look at the machines gave. */
interface Findings {
  readonly problems: readonly Problem[]
  /** Facts by the node that they belong to. */
  readonly facts: ReadonlyMap<NodeSpec, PreflightMachine>
}

async function findProblems(input: DoctorInput, session: Session, ctx: Context): Promise<Findings> {
  const { spec, rootfs } = input
  const first = spec.masters[0] ?? spec.nodes[0]
  const options = {
    files: [INITIALIZED],
    units: ['k3s', 'k3s-agent'],
    ...(first ? { routeTo: await routeTo(first.target, idInSession(session, first)) } : {}),
  }
  const looked = await eachMachine(session, ctx, async (machine, node) => ({
    name: machine.name,
    node,
    facts: await collectFacts(machine, options, ctx),
  }))
  const machines = looked.results.map(({ result }) => result)
  return {
    problems: [...looked.problems, ...checkMachines(spec, machines, rootfs)],
    facts: new Map(looked.results.map(({ node, result }) => [node, result])),
  }
}

async function findRemains(session: Session, ctx: Context): Promise<Findings> {
  const looked = await eachMachine(session, ctx, (machine) => checkClean(machine, ctx))
  const remains = looked.results.flatMap(({ result }) => result)
  return { problems: [...looked.problems, ...remains], facts: new Map() }
}

/** Does one thing on all machines at once; what fails on one becomes a problem of that one. */
async function eachMachine<T>(
  session: Session,
  ctx: Context,
  work: (machine: Machine, node: NodeSpec) => Promise<T>,
): Promise<{ results: { node: NodeSpec; result: T }[]; problems: Problem[] }> {
  const results: { node: NodeSpec; result: T }[] = []
  const problems: Problem[] = []
  const settled = await Promise.allSettled(session.machines.map(({ machine, node }) => work(machine, node)))
  ctx.signal.throwIfAborted()
  for (const [index, outcome] of settled.entries()) {
    const entry = session.machines[index]
    if (!entry) continue
    if (outcome.status === 'fulfilled') results.push({ node: entry.node, result: outcome.value })
    else problems.push(unusableProblem(entry.node, toAirliftError(outcome.reason)))
  }
  return { results, problems }
}

function describe(
  node: NodeSpec,
  session: Session,
  facts: ReadonlyMap<NodeSpec, PreflightMachine>,
  bad: ReadonlySet<string>,
): DoctorMachine {
  const connected = session.machines.find((entry) => entry.node === node)?.machine
  const known = facts.get(node)?.facts
  const name = connected?.name ?? node.target.text
  const address = known && nodeIpOf(known)
  return {
    machine: connected?.id ?? node.target.text,
    name,
    role: node.role,
    ok: !bad.has(name) && !bad.has(node.target.text),
    ...(known
      ? {
          hostname: known.hostname,
          os: known.os.name,
          arch: known.unameArch,
          init: known.init,
          cpus: known.cpus,
          memoryBytes: known.memoryBytes,
        }
      : {}),
    ...(address ? { address } : {}),
  }
}
