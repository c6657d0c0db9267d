import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { Machine } from '../machine/machine.js'
import type { EngineHandler } from '../plan/engine-action.js'
import type { AskHandler } from '../plan/execute.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { loadContainerScripts, loadTemplates } from '../rootfs/templates.js'
import { newRuntime } from '../runtime/new-runtime.js'
import type { MachineWorld, NodeFiles, ObserveInput, Runtime, World } from '../runtime/runtime.js'
import { createApiAsker } from './api-asker.js'
import { type ApiDoor, type ApiDoors, createApiDoors, createApiReader } from './api-door.js'
import { openContainerSession } from './container-session.js'
import type { ExplainLog } from './last-words.js'
import { idOfLost, type OperationDeps, openSession, type Session } from './session.js'

/** A cluster that is being looked at: the runtime, the connections and what was found. */
export interface ObservedCluster extends AsyncDisposable {
  readonly runtime: Runtime
  /** As it was given; the nodes of containers are named as those that are there. */
  readonly spec: ClusterSpec
  readonly session: Session
  readonly world: World
  /** Carries out what a plan asks of the container engine; absent where the machines are hosts. */
  readonly engine?: EngineHandler
  /** What was sent over all connections, that to the engine among them. */
  traffic(): readonly Pick<Machine, 'stats'>[]
  /** Answers waits without the machines' help; absent where that cannot be done. */
  readonly ask?: AskHandler
  /** Ways that were found to the APIs of masters in containers. */
  readonly doors?: ReadonlyMap<string, ApiDoor>
  /** Looks again, over the same connections; `made` are ids of containers that this operation has made since, see `ObserveInput.made`. */
  observe(made?: ReadonlySet<string>): Promise<World>
  /** Looks again at containers, not into them; also after an interruption, with a context of its own. */
  lookFromOutside(ctx: Context): Promise<World>
}

/** How a cluster is looked at. */
export interface ObserveOptions {
  readonly rootfs?: Rootfs
  /** False: containers are not looked into, only at. Default true. */
  readonly inside?: boolean
  /** True: an engine is asked only for what is the cluster's, whenever it is looked at. Default false. */
  readonly ownOnly?: boolean
  /** What those who join need to know is looked for, see `ObserveInput.toJoin`. Default false. */
  readonly toJoin?: boolean
  /** A number of containers means those that are there, whatever their places. Default false. */
  readonly align?: boolean
  /** Machines that have just been looked at: containers among them are not looked into at first. */
  readonly seen?: readonly MachineWorld[]
  /** Ways to the APIs of masters in containers that were found by then. */
  readonly doors?: ReadonlyMap<string, ApiDoor>
}

/** Connects to all machines of a spec and looks at them: one connection and one round trip each. */
export async function observeCluster(
  wanted: ClusterSpec,
  options: ObserveOptions,
  ctx: Context,
  deps: OperationDeps,
): Promise<ObservedCluster> {
  const runtime = await newRuntime(wanted.runtime)
  const inContainers = runtime.info.machines.includes('container')
  const explain: ExplainLog = (log) => runtime.explain?.(log)
  const contained = inContainers
    ? await openContainerSession(wanted, ctx, deps, { explain, align: options.align === true })
    : undefined
  const spec = contained?.spec ?? wanted
  const session = contained ?? (await openSession([...spec.masters, ...spec.nodes], spec.ssh, ctx, deps))
  try {
    const templates = inContainers
      ? await loadContainerScripts()
      : (options.rootfs?.templates ?? (await loadTemplates(spec.runtime)))
    const engine = contained?.engine
    const doors = engine && createApiDoors(engine, apiPortOf(spec), options.doors)
    const readApi = engine && doors && createApiReader(engine, doors, ctx)
    const look = (
      inside: boolean,
      by: Context,
      known: Pick<ObserveInput, 'seen' | 'made'> = {},
    ): Promise<World> =>
      runtime.observe(
        spec,
        {
          machines: session.machines,
          unreachable: session.failures.map(({ node, error }) => ({
            node,
            id: idOfLost(node, error),
            error,
          })),
          templates,
          ...(options.rootfs ? { rootfs: { manifest: options.rootfs.manifest } } : {}),
          ...(engine ? { engine } : {}),
          inside,
          ...(options.ownOnly ? { ownOnly: true } : {}),
          ...(options.toJoin ? { toJoin: true } : {}),
          ...(readApi && doors ? { readApi, readFiles: filesOf(doors) } : {}),
          ...known,
        },
        by,
      )
    const { inside = true, seen } = options
    const observe = (made?: ReadonlySet<string>): Promise<World> => look(inside, ctx, made && { made })
    const world = await look(inside, ctx, seen && { seen })
    const asker = engine && doors && createApiAsker({ engine, cluster: spec.name, doors, explain }, ctx)
    let bytesSent = 0
    const handler =
      engine &&
      (await import('./engine-handler.js')).engineHandler(engine, options.rootfs, ctx, (bytes) => {
        bytesSent += bytes
      })
    return {
      runtime,
      spec,
      session,
      world,
      observe,
      ...(handler ? { engine: handler } : {}),
      traffic: () => [...session.byId.values(), ...(engine ? [{ stats: { roundTrips: 0, bytesSent } }] : [])],
      ...(asker ? { ask: asker } : {}),
      ...(doors ? { doors: doors.known } : {}),
      lookFromOutside: (by) => look(false, by),
      [Symbol.asyncDispose]: () => session[Symbol.asyncDispose](),
    }
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
}

/** The files of a master in a container, read with the keys of its API; none where there is no way to that. */
function filesOf(doors: ApiDoors): (master: string) => Promise<NodeFiles> {
  return async (master) => {
    const door = await doors.open(master)
    return door && door !== 'no-way' ? door.files : new Map()
  }
}

function apiPortOf({ config }: ClusterSpec): number {
  const port = config['https-listen-port']
  return typeof port === 'number' ? port : 6443
}
