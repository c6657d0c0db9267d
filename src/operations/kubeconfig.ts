import { connect as tcpConnect } from 'node:net'
import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { mergeKubeconfig } from '../kubeconfig/merge.js'
import { rememberFile } from '../kubeconfig/remembered-files.js'
import { retarget } from '../kubeconfig/retarget.js'
import { serverPort } from '../kubeconfig/server-port.js'
import type { Machine } from '../machine/machine.js'
import { machineHost } from '../machine/machine-host.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import { containerEndpoint, endpointUrl } from './container-endpoint.js'
import { type ClusterRef, observeKnownCluster, resolveCluster } from './resolve-cluster.js'
import { type OperationDeps, requireAll } from './session.js'

/** A kubeconfig that works from this computer. */
export interface KubeconfigResult {
  /** YAML; holds the admin's key. */
  readonly text: string
  /** `airlift-NAME`. */
  readonly context: string
  readonly server: string
  /** Whether the server's port was reached from here. */
  readonly reachable: boolean
}

/** Reads the admin kubeconfig of a cluster. @throws AirliftError E_NO_CLUSTER, E_KUBECONFIG when no master answers */
export async function kubeconfig(
  ref: ClusterRef,
  ctx: Context,
  deps: OperationDeps,
): Promise<KubeconfigResult> {
  const { spec, cluster } = await observeKnownCluster(await resolveCluster(ref, ctx, deps), ctx, deps)
  await using _ = cluster
  // What keeps its masters from being asked says more than that none of them runs.
  if (!cluster.world.machines.some(({ node }) => node.role === 'master')) requireAll(cluster.world)
  // Awaited here: leaving this function closes the connections.
  return await readKubeconfig(spec.name, cluster.world, cluster.session.byId, ctx)
}

/** Reads it over connections that are open already. */
export async function readKubeconfig(
  name: string,
  world: World,
  machines: ReadonlyMap<string, Machine>,
  ctx: Context,
): Promise<KubeconfigResult> {
  const masters = world.machines.filter((machine) => machine.node.role === 'master')
  const master =
    masters.find((machine) => machine.installed.apiReady) ??
    masters.find((machine) => machine.installed.active)
  const machine = master && machines.get(master.id)
  if (!master || !machine) {
    throw new AirliftError('E_KUBECONFIG', `no master of the cluster "${name}" runs`, {
      hint: `see airlift status --name ${name}`,
    })
  }
  const text = master.facts.managed.fragments['k3s-kubeconfig'] || (await readFrom(machine, ctx))
  const published = containerEndpoint(world)
  const port = published?.port ?? serverPort(text)
  const candidates = published ? [published.host] : candidateHosts(master)
  const reached = await Promise.all(candidates.map((host) => answers(host, port, ctx.signal)))
  const index = reached.indexOf(true)
  const host = candidates[Math.max(0, index)] ?? master.node.target.host
  const server = endpointUrl({ host, port })
  return {
    text: await retarget(text, { name, server }),
    context: `airlift-${name}`,
    server,
    reachable: index >= 0,
  }
}

/** A master that was looked at before it had its kubeconfig. */
async function readFrom(machine: Machine, ctx: Context): Promise<string> {
  const result = await machine.run('cat /etc/rancher/k3s/k3s.yaml', { signal: ctx.signal, idempotent: true })
  if (result.exitCode === 0) return result.stdout
  throw new AirliftError('E_KUBECONFIG', `cannot read /etc/rancher/k3s/k3s.yaml: ${result.stderr.trim()}`, {
    machine: machine.name,
  })
}

/** Merges a kubeconfig into a file, which is remembered for `reset`. Gives the path that was written. */
export async function saveKubeconfig(
  result: KubeconfigResult,
  options: { readonly path?: string; readonly switchContext: boolean },
  ctx: Context,
): Promise<string> {
  const { path } = await mergeKubeconfig(result.text, {
    ...(options.path ? { path: options.path } : {}),
    switchContext: options.switchContext,
    env: ctx.env,
  })
  await rememberFile(result.context.replace(/^airlift-/, ''), path, ctx.env)
  return path
}

/** Addresses under which this computer may reach a master, the likeliest first; all are in its certificate. */
function candidateHosts(machine: MachineWorld): string[] {
  const resolved = machineHost(machine.id)
  const { routeSource, defaultRoute } = machine.facts
  const local = machine.node.target.kind === 'local' ? '127.0.0.1' : undefined
  return [
    ...new Set([resolved, machine.node.target.host, routeSource?.address, defaultRoute?.source, local]),
  ].filter((host): host is string => host !== undefined && host !== 'local')
}

/** Whether a TCP connection can be made within two seconds. */
function answers(host: string, port: number, signal: AbortSignal): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = tcpConnect({ host, port, timeout: 2000 })
    const end = (value: boolean): void => {
      signal.removeEventListener('abort', onAbort)
      socket.destroy()
      resolve(value)
    }
    const onAbort = (): void => end(false)
    signal.addEventListener('abort', onAbort, { once: true })
    socket
      .once('connect', () => end(true))
      .once('error', () => end(false))
      .once('timeout', () => end(false))
  })
}
