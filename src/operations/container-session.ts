import { alignSpec } from '../cluster/container/align-spec.js'
import { LABELS } from '../cluster/container-labels.js'
import { containerName } from '../cluster/container-spec.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { type Context, createContext } from '../core/context.js'
import type { Engine, EngineContainer } from '../machine/docker/engine.js'
import { offlineEngine } from '../machine/docker/offline-engine.js'
import type { Machine } from '../machine/machine.js'
import { watchedMachine } from './container-machine.js'
import type { ExplainLog } from './last-words.js'
import type { OperationDeps, Session } from './session.js'

/** Connected to the engine of a cluster, and to its containers through it. */
export interface ContainerSession extends Session {
  readonly engine: Engine
  /** The spec, its nodes named as containers that are there. */
  readonly spec: ClusterSpec
}

/**
 * Connects to a container engine. The calls of an operation are not cut off when it is interrupted: what was asked for is
 * then certainly done or not, so that exactly that can be undone. Offline it neither pulls nor asks registries.
 */
export async function connectToEngine(ctx: Context, deps: OperationDeps): Promise<Engine> {
  const own = new AbortController()
  const onAbort = (): void => own.abort(ctx.signal.reason)
  ctx.signal.throwIfAborted()
  ctx.signal.addEventListener('abort', onAbort, { once: true })
  try {
    const detached = createContext({ ...ctx, signal: own.signal })
    const connect = deps.connectEngine ?? (await import('../machine/docker/connect-engine.js')).connectEngine
    const engine = await connect(detached)
    return ctx.offline ? offlineEngine(engine) : engine
  } finally {
    ctx.signal.removeEventListener('abort', onAbort)
  }
}

/** Every container that the spec names, whether it is there or not: it is reached only when something is run in it. */
export async function openContainerSession(
  wanted: ClusterSpec,
  ctx: Context,
  deps: OperationDeps,
  options: { readonly explain: ExplainLog; readonly align: boolean },
): Promise<ContainerSession> {
  const engine = await connectToEngine(ctx, deps)
  const spec = options.align ? alignSpec(wanted, await containersOf(engine, wanted.name)) : wanted
  const { createDockerMachine } = await import('../machine/docker/docker-machine.js')
  const reach = (name: string): Machine =>
    watchedMachine(createDockerMachine({ engine, name, ctx }), engine, options.explain, ctx)
  const machines = [...spec.masters, ...spec.nodes].map((node) => ({
    node,
    machine: reach(node.target.host),
  }))
  const balancer = containerName(spec.name, 'lb')
  // The second one exists only while ports are changed.
  const balancers = [reach(balancer), reach(`${balancer}-next`)]
  return {
    engine,
    spec,
    machines,
    failures: [],
    byId: new Map(
      [...machines.map(({ machine }) => machine), ...balancers].map((machine) => [machine.id, machine]),
    ),
    [Symbol.asyncDispose]: () => engine.close(),
  }
}

async function containersOf(engine: Engine, cluster: string): Promise<readonly EngineContainer[]> {
  try {
    return await engine.containers([`${LABELS.cluster}=${cluster}`])
  } catch (error) {
    await engine.close()
    throw error
  }
}
