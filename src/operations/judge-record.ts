import { LABELS } from '../cluster/container-labels.js'
import type { ClusterRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { toAirliftError } from '../core/errors.js'
import type { Engine } from '../machine/docker/engine.js'
import type { MachineWorld } from '../runtime/runtime.js'
import { observeCluster } from './observe-cluster.js'
import { nodesOf } from './recorded-nodes.js'
import type { OperationDeps } from './session.js'

/** Whether a cluster that this computer remembers is still there. */
export type Verdict =
  /** `belongs` are the hosts, `masters` the containers, that say that they are of it. */
  | {
      readonly state: 'alive'
      readonly belongs: readonly MachineWorld[]
      readonly masters: readonly string[]
    }
  /** `unknown`: what cannot be asked may be of it. */
  | { readonly state: 'gone' | 'unknown'; readonly reason: string }

/** Asks all hosts of a record. One that does not answer may belong to the cluster; the others tell of themselves. */
export async function judgeHosts(record: ClusterRecord, ctx: Context, deps: OperationDeps): Promise<Verdict> {
  try {
    const spec = await specOf(record)
    await using cluster = await observeCluster(spec, {}, ctx, deps)
    const { machines, unreachable } = cluster.world
    const belongs = machines.filter(
      ({ installed, facts }) =>
        installed.cluster === record.name || facts.managed.record?.name === record.name,
    )
    if (belongs.length > 0) return { state: 'alive', belongs, masters: [] }
    const [lost] = unreachable
    if (lost) {
      const reason = `${lost.node.target.text} cannot be asked: ${lost.error.message}`
      return { state: 'unknown', reason }
    }
    const count = machines.length === 1 ? 'its machine' : `all ${machines.length} machines`
    return { state: 'gone', reason: `${count} answered that they do not belong to it` }
  } catch (error) {
    if (ctx.signal.aborted) throw error
    return { state: 'unknown', reason: toAirliftError(error).message }
  }
}

async function specOf({ name, runtime, masters, nodes, ssh }: ClusterRecord): Promise<ClusterSpec> {
  return {
    name,
    runtime,
    masters: await nodesOf(masters, 'master'),
    nodes: await nodesOf(nodes, 'worker'),
    ssh,
    config: {},
    manifests: [],
    ignore: [],
    wait: 'none',
    timeoutMs: 60_000,
  }
}

/** Asks the container engine for a cluster: it is where its masters are. */
export async function judgeContainers(
  name: string,
  engine: Engine | undefined,
  ctx: Context,
): Promise<Verdict> {
  if (!engine) return { state: 'unknown', reason: 'no container engine answers' }
  try {
    const containers = await engine.containers([`${LABELS.cluster}=${name}`])
    const masters = containers.flatMap((container) =>
      container.labels[LABELS.role] === 'master' ? [container.name] : [],
    )
    return masters.length > 0
      ? { state: 'alive', belongs: [], masters }
      : { state: 'gone', reason: 'the container engine has no master container of it' }
  } catch (error) {
    if (ctx.signal.aborted) throw error
    return { state: 'unknown', reason: toAirliftError(error).message }
  }
}
