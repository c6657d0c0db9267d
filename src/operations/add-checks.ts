import { noMaster } from '../cluster/no-master.js'
import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { resolveVersion } from '../rootfs/download/resolve-version.js'
import { newRuntime } from '../runtime/new-runtime.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import type { SourceInput } from './found-source.js'
import type { OpenSource } from './open-source.js'
import { openReleasedRootfs } from './released-rootfs.js'

/** The master through which nodes are added. @throws AirliftError E_REFUSED when the API of none answers */
export function requireAnswering(spec: ClusterSpec, world: World): MachineWorld {
  const masters = world.machines.filter(
    ({ node, installed }) => node.role === 'master' && installed.cluster === spec.name,
  )
  const found = masters.find(({ installed }) => installed.apiReady && installed.initialized)
  if (found) return found
  if (spec.masters.length === 0) throw noMaster(spec)
  const names = spec.masters.map((node) => node.target.text).join(', ')
  throw new AirliftError('E_REFUSED', `no master of the cluster "${spec.name}" answers (${names})`, {
    hint: `bring one back, or finish what run began; see airlift status --name ${spec.name}`,
  })
}

/**
 * Another master may only join a datastore whose members are all healthy: every new member raises the majority that is needed.
 * Those that are being added do not count. Pure. @throws AirliftError E_REFUSED
 */
export function requireHealthyMasters(through: MachineWorld, adding: readonly MachineWorld[]): void {
  const names = new Set(adding.map((machine) => machine.facts.hostname.toLowerCase()))
  const ill = through.installed.nodes?.find(
    (node) => node.role === 'master' && !names.has(node.name) && !(node.ready && node.voter !== false),
  )
  if (!ill) return
  throw new AirliftError(
    'E_REFUSED',
    `the master ${ill.name} is not healthy (${ill.message || 'no voting member of etcd'}): adding another now could cost the quorum`,
    { hint: `repair ${ill.name} first, or take it out: airlift delete --masters ${ill.name}` },
  )
}

/**
 * What the new nodes are to run: the release of the cluster. Containers run its image, and what images its rootfs brought is
 * there for all nodes; hosts need a rootfs.
 * @throws AirliftError E_USAGE without one, E_UNSUPPORTED for another release, and what opening a release throws
 */
export async function sourceToAdd(
  { spec, rootfs, version }: SourceInput,
  through: MachineWorld,
  ctx: Context,
): Promise<OpenSource> {
  const running = through.installed.version ?? ''
  if (rootfs) {
    requireRelease(running, rootfs.manifest.version, rootfs.ref)
    return { spec, rootfs, version: rootfs.manifest.version, [Symbol.asyncDispose]: async () => {} }
  }
  const wanted = version === undefined ? undefined : await resolveVersion(version, {}, ctx)
  if (wanted !== undefined) requireRelease(running, wanted, `--version ${version}`)
  if (spec.containers) return { spec, version: running, [Symbol.asyncDispose]: async () => {} }
  if (wanted === undefined) {
    throw new AirliftError('E_USAGE', `no rootfs is given; the cluster runs ${running}`, {
      hint: `name a bundle of that release, --rootfs k3s.airlift, or --version ${running}`,
    })
  }
  const { info } = await newRuntime(spec.runtime)
  const opened = await openReleasedRootfs(info.distribution, wanted, ctx)
  return { spec, rootfs: opened, version: wanted, [Symbol.asyncDispose]: () => opened.close() }
}

/** What is added must be of the release that the cluster runs. @throws AirliftError E_UNSUPPORTED */
function requireRelease(running: string, offered: string, by: string): void {
  if (running === '' || offered === running) return
  throw new AirliftError('E_UNSUPPORTED', `the cluster runs ${running}, and ${by} holds ${offered}`, {
    hint: `add with a rootfs of ${running}; to change the release of all nodes there is airlift upgrade`,
  })
}

/** Those that are to join must be there; others of the cluster need not. @throws the reason of the first that cannot be reached */
export function requireReached(world: World, adding: readonly NodeSpec[]): void {
  const lost = world.unreachable.find(({ node }) => adding.includes(node))
  if (lost) throw lost.error
}
