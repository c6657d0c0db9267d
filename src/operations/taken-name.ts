import { machineKey } from '../cluster/host-conflicts.js'
import { type ClusterRecord, readRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { type Problem, problem } from '../runtime/preflight/problem.js'
import { engineIfAny } from './engine-clusters.js'
import { judgeContainers, judgeHosts } from './judge-record.js'
import { keysOf, type LookedAt, names, nodesOf } from './recorded-nodes.js'
import type { OperationDeps } from './session.js'
import { THIS_COMPUTER } from './this-computer.js'

/** The cluster that somebody wants to have under a name. */
type Wanted = Pick<ClusterSpec, 'name' | 'runtime' | 'ssh' | 'masters' | 'nodes'>

/**
 * Whether the name of a spec is that of another cluster which this computer knows: it would be overwritten here, and run on
 * where nobody looks. A master that says it is of the cluster is enough; only where none does are the machines asked that are
 * remembered and were not named. A cluster that is gone has no name.
 *
 * @param machines - those that the command names, as far as they could be looked at
 */
export async function findTakenName(
  spec: Wanted,
  machines: readonly LookedAt[],
  ctx: Context,
  deps: OperationDeps,
): Promise<Problem[]> {
  const record = await readRecord(spec.name, ctx.env)
  const onHosts = record !== undefined && record.runtime !== 'k3d'
  if (spec.runtime === 'k3d') return onHosts ? askHosts(spec, record, [], ctx, deps) : []
  if (!onHosts) return askEngine(spec, record, ctx, deps)
  const own = machines.filter(
    ({ node, facts }) => node.role === 'master' && facts.managed.record?.name === spec.name,
  )
  const recorded = await keysIn([...record.masters, ...record.nodes], spec)
  for (const master of own) if (await isRecorded(recorded, master, spec)) return []
  const rest = await unnamed(record, machines, spec)
  return rest.masters.length + rest.nodes.length === 0 ? [] : askHosts(spec, rest, own, ctx, deps)
}

/** Whether a master, or what it knows of its cluster, is among the recorded. */
async function isRecorded(recorded: ReadonlySet<string>, master: LookedAt, spec: Wanted): Promise<boolean> {
  const { masters = [], nodes = [] } = master.facts.managed.record ?? {}
  const members = [masters, nodes].flat().filter((text) => typeof text === 'string')
  const keys = [...keysOf(master, portOf(spec)), ...(await keysIn(members, spec))]
  return [machineKey(master.node.target, portOf(spec)), ...keys].some((key) => recorded.has(key))
}

async function keysIn(texts: readonly string[], spec: Wanted): Promise<Set<string>> {
  return new Set((await nodesOf(texts, 'master')).map(({ target }) => machineKey(target, portOf(spec))))
}

const portOf = ({ ssh }: Wanted): number => ssh.port ?? 22

/** The record without the machines that the command names. */
async function unnamed(
  record: ClusterRecord,
  machines: readonly LookedAt[],
  spec: Wanted,
): Promise<ClusterRecord> {
  const port = portOf(spec)
  const keys = new Set([
    ...[...spec.masters, ...spec.nodes].map(({ target }) => machineKey(target, port)),
    ...machines.flatMap((machine) => keysOf(machine, port)),
  ])
  const rest = async (texts: readonly string[]): Promise<string[]> =>
    (await nodesOf(texts, 'master')).flatMap(({ target }) =>
      keys.has(machineKey(target, port)) ? [] : [target.text],
    )
  return { ...record, masters: await rest(record.masters), nodes: await rest(record.nodes) }
}

/**
 * Asks hosts that are remembered under the name. Where masters were named that are of a cluster of this name, they are of
 * another one only if these do not know each other.
 */
async function askHosts(
  spec: Wanted,
  record: ClusterRecord,
  own: readonly LookedAt[],
  ctx: Context,
  deps: OperationDeps,
): Promise<Problem[]> {
  const { name } = spec
  const verdict = await judgeHosts(record, ctx, deps)
  const hosts = [...record.masters, ...record.nodes]
  const where = `"${name}" is the name of a cluster on ${listed(hosts)}`
  if (verdict.state === 'alive') {
    const one = verdict.belongs[0]?.name ?? hosts[0] ?? name
    for (const { facts } of verdict.belongs)
      for (const master of own) if (await names(facts.managed.record?.masters, master, spec)) return []
    const fix = `choose another --name, or name the machines of that cluster; to remove it first: airlift reset --name ${name}`
    return [problem('name-taken', one, `${where}, which the command does not name`, { fix })]
  }
  if (verdict.state === 'gone' || own.length > 0) return []
  const fix = `choose another --name; where that cluster is gone for good, have it forgotten: airlift reset --name ${name} --force`
  return [problem('name-taken', hosts[0] ?? name, `${where}, and ${verdict.reason}`, { fix })]
}

/** Asks the container engine, whose labels know clusters that no record does. */
async function askEngine(
  { name }: Wanted,
  record: ClusterRecord | undefined,
  ctx: Context,
  deps: OperationDeps,
): Promise<Problem[]> {
  const engine = await engineIfAny(ctx, deps)
  try {
    const verdict = await judgeContainers(name, engine, ctx)
    if (verdict.state === 'alive') {
      const text = `"${name}" is the name of a cluster in containers: ${listed(verdict.masters)}`
      const fix = `choose another --name; to remove that cluster first: airlift reset --name ${name}`
      return [problem('name-taken', engine?.endpoint.url ?? THIS_COMPUTER, text, { fix })]
    }
    if (verdict.state === 'gone' || !record) return []
    const text = `"${name}" is the name of a cluster in containers, and it cannot be asked whether it is still there: ${verdict.reason}`
    const fix = 'choose another --name, or start the engine'
    return [problem('name-taken', THIS_COMPUTER, text, { fix })]
  } finally {
    await engine?.close()
  }
}

const listed = (all: readonly string[]): string =>
  all.slice(0, 3).join(', ') + (all.length > 3 ? ` and ${all.length - 3} more` : '')
