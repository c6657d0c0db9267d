import type { NodeSpec } from '../cluster/spec.js'
import { bareHost } from '../core/bare-host.js'
import type { Context } from '../core/context.js'
import { isAirliftError } from '../core/errors.js'
import { readServer } from '../kubeconfig/read-server.js'
import type { Machine } from '../machine/machine.js'
import { machineHost } from '../machine/machine-host.js'
import type { World } from '../runtime/runtime.js'
import { otherKubeconfigs } from './clean-kubeconfigs.js'
import { type PublishedKubeconfig, publishKubeconfig } from './publish-kubeconfig.js'

/**
 * Merges the context of a cluster again, wherever it names a master that has left: in the file `path`, by default in all that it
 * was merged into. Which context is current stays as it is. `before` is the world with those masters, `now` the one without.
 */
export async function republishKubeconfig(
  name: string,
  gone: readonly NodeSpec[],
  before: World,
  now: World,
  machines: ReadonlyMap<string, Machine>,
  path: string | undefined,
  ctx: Context,
): Promise<PublishedKubeconfig | undefined> {
  if (gone.length === 0) return undefined
  const hosts = hostsOf(gone, before)
  const staying = { ...now, machines: now.machines.filter((machine) => !gone.includes(machine.node)) }
  const others = path === undefined ? await otherKubeconfigs(name, ctx) : []
  let first: PublishedKubeconfig | undefined
  for (const file of [path, ...others]) {
    const location = file === undefined ? {} : { path: file }
    if (!(await namesHost(name, location, hosts, ctx))) continue
    const target = { ...location, switchContext: false }
    const published = await publishKubeconfig(target, name, staying, machines, ctx)
    first ??= published
  }
  return first
}

/** Whether a kubeconfig leads to one of these hosts; one that cannot be read is left as it is. */
async function namesHost(
  name: string,
  location: { readonly path?: string },
  hosts: ReadonlySet<string>,
  ctx: Context,
): Promise<boolean> {
  try {
    const server = await readServer(name, { ...location, env: ctx.env })
    return server !== undefined && hosts.has(hostOf(server))
  } catch (error) {
    if (!isAirliftError(error)) throw error
    const message = `the kubeconfig was left as it is: ${error.message}`
    ctx.events.emit({ level: 'warn', code: 'kubeconfig.failed', message })
    return false
  }
}

/** Every address under which a kubeconfig may name these masters. */
function hostsOf(gone: readonly NodeSpec[], world: World): Set<string> {
  return new Set(
    gone.flatMap((node) => {
      const machine = world.machines.find((entry) => entry.node === node)
      const known = [
        node.target.host,
        machine && machineHost(machine.id),
        machine?.facts.routeSource?.address,
        machine?.facts.defaultRoute?.source,
      ]
      return known.filter((host): host is string => host !== undefined)
    }),
  )
}

function hostOf(server: string): string {
  try {
    return bareHost(new URL(server))
  } catch {
    return ''
  }
}
