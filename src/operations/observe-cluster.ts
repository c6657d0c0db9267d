import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { loadTemplates } from '../rootfs/templates.js'
import { newRuntime } from '../runtime/new-runtime.js'
import type { Runtime, World } from '../runtime/runtime.js'
import { type OperationDeps, openSession, type Session } from './session.js'

/** A cluster that is being looked at: the runtime, the connections and what was found. */
export interface ObservedCluster extends AsyncDisposable {
  readonly runtime: Runtime
  readonly session: Session
  readonly world: World
  /** Looks again, over the same connections. */
  observe(): Promise<World>
}

/** Connects to all machines of a spec and looks at them: one connection and one round trip each. */
export async function observeCluster(
  spec: ClusterSpec,
  options: { readonly rootfs?: Rootfs },
  ctx: Context,
  deps: OperationDeps,
): Promise<ObservedCluster> {
  const runtime = await newRuntime(spec.runtime)
  const session = await openSession([...spec.masters, ...spec.nodes], spec.ssh, ctx, deps)
  try {
    const templates = options.rootfs?.templates ?? (await loadTemplates(spec.runtime))
    const observe = (): Promise<World> =>
      runtime.observe(
        spec,
        {
          machines: session.machines,
          unreachable: session.failures.map(({ node, error }) => ({
            node,
            id: `ssh://${node.target.text}`,
            error,
          })),
          templates,
          ...(options.rootfs ? { rootfs: { manifest: options.rootfs.manifest } } : {}),
        },
        ctx,
      )
    const world = await observe()
    return { runtime, session, world, observe, [Symbol.asyncDispose]: () => session[Symbol.asyncDispose]() }
  } catch (error) {
    await session[Symbol.asyncDispose]()
    throw error
  }
}
