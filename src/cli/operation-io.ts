import { type BuiltSpec, buildSpec, type SpecFlags } from '../cluster/build-spec.js'
import type { Places } from '../cluster/container/container-targets.js'
import { parseDuration } from '../cluster/duration.js'
import type { ClusterSpec, Role } from '../cluster/spec.js'
import type { SpecIo } from '../cluster/spec-io.js'
import { localFacts } from '../machine/ssh/local-facts.js'
import { createSecretSource } from '../machine/ssh/secret-source.js'
import type { ClusterRef } from '../operations/resolve-cluster.js'
import type { OperationDeps } from '../operations/session.js'
import { shareEngine } from '../operations/share-engine.js'
import { createSpecIo } from '../registry/local-spec-io.js'
import { containerFlagNames, onlyFor, refuseContainerFlags, refuseHostFlags } from './container-flags.js'
import type { ActionIo } from './io.js'

/** What every operation needs of the command line: where secrets come from, and one connection to the engine for all. */
export function operationDeps(io: ActionIo): OperationDeps {
  const engine = shareEngine(async (ctx) => {
    const { connectEngine } = await import('../machine/docker/connect-engine.js')
    return connectEngine(ctx)
  })
  io.onEnd(() => engine.close())
  return {
    secrets: createSecretSource(io.ctx.env, (question) => io.askSecret(question)),
    connectEngine: (ctx) => engine.connect(ctx),
  }
}

/** The spec that flags ask for, its warnings shown. @throws AirliftError E_USAGE, E_HOST_INVALID, … (exit 2) */
export async function specFromFlags(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  deps: OperationDeps,
): Promise<BuiltSpec['spec']> {
  const places = await placesOf(io, flags, deps)
  const built = await buildSpec(flags as SpecFlags, specIo(io), places ? { places } : {})
  for (const warning of built.warnings) io.note(`${io.style.err.yellow('warning')}: ${warning}`)
  if (built.counts) refuseHostFlags(flags)
  else refuseContainerFlags(flags)
  return built.spec
}

/** Whether a number of containers is asked for. */
export function asksForContainers({ masters, nodes }: Readonly<Record<string, unknown>>): boolean {
  return [masters, nodes].some((text) => typeof text === 'string' && /^\d+$/.test(text.trim()))
}

/** Which containers such numbers mean: where the cluster is there, those that it has. Undefined for hosts. */
export async function placesOf(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  deps: OperationDeps,
): Promise<Record<Role, Places> | undefined> {
  if (!asksForContainers(flags)) return undefined
  const { existingPlaces } = await import('../operations/next-places.js')
  return existingPlaces(String(flags.name ?? 'default'), io.ctx, deps)
}

/** What the spec asks of this computer, where the engine's computer may be another one. */
export function specIo({ ctx: { env } }: ActionIo): SpecIo {
  const engineIsLocal = async (): Promise<boolean> => {
    const { endpointFacts, findEndpoints } = await import('../machine/docker/endpoint.js')
    const { home, uid } = localFacts(env)
    const [first] = await findEndpoints(endpointFacts(env, home, uid))
    return first?.endpoint.local ?? true
  }
  return createSpecIo(process.cwd(), { env, engineIsLocal })
}

/** Which existing cluster flags name: by its machines, or by its name alone. */
export async function clusterRef(flags: Readonly<Record<string, unknown>>): Promise<ClusterRef> {
  const { spec } = await buildSpec(pick(flags), createSpecIo(), { mastersRequired: false })
  return {
    name: spec.name,
    masters: spec.masters,
    nodes: spec.nodes,
    ssh: spec.ssh,
    only: onlyFor(flags),
    ...(flags.runtime === undefined ? {} : { runtime: spec.runtime }),
  }
}

/** The whole cluster that the flags name, with what they say about waiting; {@link clusterRef} has checked their values. */
export async function knownSpec(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  deps: OperationDeps,
): Promise<ClusterSpec> {
  const { resolveCluster } = await import('../operations/resolve-cluster.js')
  const spec = await resolveCluster(await clusterRef(flags), io.ctx, deps)
  return {
    ...spec,
    timeoutMs: parseDuration(String(flags.timeout)) ?? spec.timeoutMs,
    wait: (flags.wait as ClusterSpec['wait'] | undefined) ?? spec.wait,
  }
}

/** As {@link clusterRef}, for verbs whose --masters and --nodes name what joins or leaves: --through names the cluster's own. */
export async function throughRef(flags: Readonly<Record<string, unknown>>): Promise<ClusterRef> {
  const { masters: _m, nodes: _n, through, nodeLabel: _l, nodeTaint: _t, ...rest } = flags
  const ref = await clusterRef({ ...rest, ...(typeof through === 'string' ? { masters: through } : {}) })
  return { ...ref, mastersFlag: '--through' }
}

/** A cluster that exists has its configuration already, and its containers have theirs. */
function pick(flags: Readonly<Record<string, unknown>>): SpecFlags {
  const had = new Set(['config', 'set', 'registries', 'dockerLogins', 'manifests', ...containerFlagNames()])
  return Object.fromEntries(Object.entries(flags).filter(([name]) => !had.has(name))) as SpecFlags
}
