import pLimit from 'p-limit'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import { type AirliftError, toAirliftError } from '../../core/errors.js'
import type { Secret } from '../../core/secret.js'
import type { Engine } from '../../machine/docker/engine.js'
import type { MachineWorld, World } from '../../runtime/runtime.js'
import { engineIfAny } from '../engine-clusters.js'
import type { ObservedCluster } from '../observe-cluster.js'
import { type ClusterRef, observeKnownCluster, resolveCluster } from '../resolve-cluster.js'
import type { OperationDeps } from '../session.js'
import { statusOf } from '../status.js'
import { type AbsentContainer, absentContainers } from './absent-containers.js'
import { collectContainers } from './collect-containers.js'
import { type Collected, collectSections, machineSecrets } from './collect-machine.js'
import { collectStopped, stoppedSecrets } from './collect-stopped.js'
import { redactObjects } from './redact-text.js'
import { clusterSections, machineSections } from './sections.js'
import { beginTree, type Tree } from './write-tree.js'

/** Machines at once: each may have one file of 8 MiB in memory. */
const AT_ONCE = 8

/** What `logs` is asked for. */
export interface LogsInput {
  readonly ref: ClusterRef
  /** A directory that does not exist yet, or a file that ends in .tar, .tar.gz or .tgz. */
  readonly output: string
  /** Of airlift, for the index. */
  readonly version: string
}

/** What was collected of one machine. */
export interface LogsMachine extends Omit<Collected, 'error'> {
  readonly machine: string
  readonly node: string
  /** `lb` where the load balancer of a cluster in containers does not run. */
  readonly role: 'master' | 'worker' | 'lb'
  /** `stopped`: a container in which nothing could be run; its files were collected. */
  readonly outcome: 'collected' | 'stopped' | 'failed'
  readonly error: NonNullable<Collected['error']> | null
}

/** What was collected; the JSON of `airlift logs`, and index.json beside the files. */
export interface LogsResult {
  readonly operation: 'logs'
  readonly outcome: 'done' | 'partial' | 'failed'
  readonly name: string
  /** ISO time. */
  readonly collected: string
  readonly path: string
  readonly bytes: number
  readonly machines: readonly LogsMachine[]
  /** Of what the cluster itself says; null when no master could be asked. */
  readonly cluster: Omit<Collected, 'error'> | null
}

/**
 * Collects everything that diagnoses a cluster into one directory or archive, from all machines at once, with bounded
 * memory and without secrets. A machine that cannot be asked is named in the result and in the index.
 * @throws AirliftError E_NO_CLUSTER, E_LOCAL_FILE, E_DISK_FULL, E_INTERRUPTED
 */
export async function logs(input: LogsInput, ctx: Context, deps: OperationDeps): Promise<LogsResult> {
  await using tree = await beginTree(input.output, ctx)
  const found = await observeKnownCluster(await resolveCluster(input.ref, ctx, deps), ctx, deps)
  const { spec } = found
  await using cluster = found.cluster
  const { world } = cluster
  const engine = world.engine && (await engineIfAny(ctx, deps))
  try {
    return await collectAll({ input, spec, cluster, engine, tree }, ctx)
  } finally {
    await engine?.close()
  }
}

/** What is collected from, and where to. */
interface Collection {
  readonly input: LogsInput
  readonly spec: ClusterSpec
  readonly cluster: ObservedCluster
  readonly engine: Engine | undefined
  readonly tree: Tree
}

async function collectAll(collection: Collection, ctx: Context): Promise<LogsResult> {
  const { input, spec, cluster, engine, tree } = collection
  const { world } = cluster
  const absent = absentContainers(spec, world)
  const secrets: Secret[] = [...world.secrets.values(), ...(await allSecrets(collection, absent, ctx))]
  const limit = pLimit(Math.min(AT_ONCE, ctx.limits.machines))
  const names = directories(world)
  const present = world.machines.filter(({ id }) => absent.get(id)?.state !== 'gone')
  const [machines, ofCluster] = await Promise.all([
    Promise.all(
      present.map((machine) =>
        limit(() => {
          const dir = names.get(machine.id) ?? 'machine'
          return collectOne(machine, dir, collection, absent.get(machine.id), secrets, ctx)
        }),
      ),
    ),
    collectCluster(cluster, secrets, tree, ctx),
  ])
  if (world.engine && engine) await collectContainers(world.engine, engine, secrets, tree, ctx)
  const nothing = { files: 0, bytes: 0, cut: [] }
  const lost = [
    ...world.unreachable.map(
      ({ node, id, error }): LogsMachine => ({
        machine: id,
        node: node.target.text,
        role: node.role,
        outcome: 'failed',
        ...nothing,
        error: described(error),
      }),
    ),
    ...[...absent]
      .filter(([id]) => !present.some((machine) => machine.id === id))
      .map(([id, { name, role, state, error }]): LogsMachine => {
        const outcome = state === 'gone' ? 'failed' : 'stopped'
        return { machine: id, node: name, role, outcome, ...nothing, error }
      }),
  ]
  const all = [...machines, ...lost]
  const count = (outcome: LogsMachine['outcome']): number =>
    all.filter((machine) => machine.outcome === outcome).length
  await tree.write('status.json', redactObjects(JSON.stringify(statusOf(spec, world)), secrets))
  const result: Omit<LogsResult, 'path' | 'bytes'> = {
    operation: 'logs',
    outcome:
      count('collected') === all.length ? 'done' : count('failed') === all.length ? 'failed' : 'partial',
    name: spec.name,
    collected: new Date(ctx.clock.now()).toISOString(),
    machines: all,
    cluster: ofCluster,
  }
  await tree.write('index.json', `${JSON.stringify({ ...result, airlift: input.version }, null, 2)}\n`)
  await tree.write('README', readme(result))
  ctx.signal.throwIfAborted()
  return { ...result, ...(await tree.finish()) }
}

/** A directory for each machine: its node's name, with its id where two have the same. */
function directories(world: World): Map<string, string> {
  const names = world.machines.map(({ facts, name }) => facts.hostname.toLowerCase() || name)
  return new Map(
    world.machines.map(({ id }, i) => {
      const name = (names[i] ?? '').replace(/[^a-z0-9.-]/g, '_')
      const twice = names.filter((other) => other === names[i]).length > 1
      return [id, `machines/${twice ? `${name}-${id.replace(/[^A-Za-z0-9.-]+/g, '_')}` : name}`]
    }),
  )
}

/** Of every machine first, since the log of one may name the token of all. */
async function allSecrets(
  { cluster, engine }: Collection,
  absent: ReadonlyMap<string, AbsentContainer>,
  ctx: Context,
): Promise<Secret[]> {
  const found = await Promise.all(
    cluster.world.machines.map(async ({ id }) => {
      const machine = cluster.session.byId.get(id)
      const stopped = absent.get(id)
      if (stopped)
        return stopped.state === 'stopped' && engine ? stoppedSecrets(stopped.name, engine, ctx) : []
      if (!machine) return []
      return machineSecrets(machine, ctx).catch((error) => {
        if (ctx.signal.aborted) throw error
        return []
      })
    }),
  )
  return found.flat()
}

async function collectOne(
  found: MachineWorld,
  dir: string,
  { cluster, engine, tree }: Collection,
  absent: AbsentContainer | undefined,
  secrets: readonly Secret[],
  ctx: Context,
): Promise<LogsMachine> {
  const { id, node, facts } = found
  const about = { machine: id, node: facts.hostname.toLowerCase() || found.name, role: node.role }
  const machine = cluster.session.byId.get(id)
  const { fragments: _, ...managed } = facts.managed
  await tree.write(`${dir}/facts.json`, redactObjects(JSON.stringify({ ...facts, managed }), secrets))
  if (absent) {
    const { error } = absent
    if (!engine) return { ...about, outcome: 'stopped', files: 1, bytes: 0, cut: [], error }
    const own = { name: absent.name, role: node.role }
    const { files, bytes, cut } = await collectStopped(own, dir, engine, [...secrets], tree, ctx)
    return { ...about, outcome: 'stopped', files: files + 1, bytes, cut, error }
  }
  if (!machine) {
    const error = { code: 'E_SSH_LOST', message: 'it is not connected', hint: null }
    return { ...about, outcome: 'failed', files: 1, bytes: 0, cut: [], error }
  }
  const sections = machineSections(node.role, { container: cluster.world.engine !== undefined })
  const { error = null, ...collected } = await collectSections(
    sections,
    dir,
    machine,
    [...secrets],
    tree,
    ctx,
  )
  return {
    ...about,
    outcome: error ? 'failed' : 'collected',
    ...collected,
    files: collected.files + 1,
    error,
  }
}

/** What the cluster says, on a master whose API answers, else on one that runs: an error is worth having too. */
async function collectCluster(
  cluster: ObservedCluster,
  secrets: readonly Secret[],
  tree: Tree,
  ctx: Context,
): Promise<LogsResult['cluster']> {
  const masters = cluster.world.machines.filter((machine) => machine.node.role === 'master')
  const asked =
    masters.find((machine) => machine.installed.apiReady) ??
    masters.find((machine) => machine.installed.active)
  const machine = asked && cluster.session.byId.get(asked.id)
  if (!machine) return null
  const { error: _, ...collected } = await collectSections(
    clusterSections(),
    'cluster',
    machine,
    [...secrets],
    tree,
    ctx,
  )
  return collected
}

function described(error: AirliftError): NonNullable<Collected['error']> {
  const { code, message, hint = null } = toAirliftError(error)
  return { code, message, hint }
}

/** What became of a machine, for people. */
const OUTCOMES: Readonly<Record<LogsMachine['outcome'], string>> = {
  collected: 'collected',
  stopped: 'only its files and the log of its container',
  failed: 'NOT collected',
}

function readme(result: Omit<LogsResult, 'path' | 'bytes'>): string {
  const lines = [
    `What airlift collected of the cluster "${result.name}" at ${result.collected}. Secrets were taken out: [secret].`,
    '',
    'status.json      the health of the cluster',
    'cluster/         what the cluster says: nodes, pods, events',
    'machines/NAME/   logs, configuration, facts and the state of one machine',
    'containers/      logs of containers, where the machines are containers; engine.json is what their engine says',
    'index.json       this list for programs',
    '',
    ...result.machines.map(
      ({ node, role, machine, outcome, error }) =>
        `${node} (${role}, ${machine}): ${OUTCOMES[outcome]}${error ? `: ${error.message}` : ''}`,
    ),
    ...(result.cluster ? [] : ['No master could be asked: there is no cluster/.']),
  ]
  const cut = [...result.machines.flatMap((machine) => machine.cut), ...(result.cluster?.cut ?? [])]
  if (cut.length > 0) lines.push('', 'Cut to their newest part:', ...cut.map((file) => `  ${file}`))
  return `${lines.join('\n')}\n`
}
