import { MAKE_AGAIN } from '../cluster/no-master.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import { serverPort } from '../kubeconfig/server-port.js'
import { containerId } from '../machine/container-id.js'
import type { EngineContainer } from '../machine/docker/engine.js'
import type { MachineWorld, NodeStatus, World } from '../runtime/runtime.js'
import type { ClusterStatus, NodeReport, StatusProblem } from './cluster-status.js'
import { containerEndpoint, endpointUrl } from './container-endpoint.js'
import { containerProblems, unusableContainer } from './container-status.js'
import { withCutOff } from './cut-off.js'
import { hasNoMaster, notInstalled, whyLeftAlone } from './not-installed.js'
import { type ClusterRef, observeKnownCluster, resolveCluster } from './resolve-cluster.js'
import { type OperationDeps, requireAll } from './session.js'
import { isShut, unusableCode } from './unusable.js'

/**
 * The health of a cluster, from its machines.
 * @throws AirliftError E_NO_CLUSTER (exit 6), E_SUDO or E_SSH_… when no machine can be looked at because it lets nobody in
 */
export async function status(ref: ClusterRef, ctx: Context, deps: OperationDeps): Promise<ClusterStatus> {
  const { spec, cluster } = await observeKnownCluster(await resolveCluster(ref, ctx, deps), ctx, deps)
  await using _ = cluster
  // Nothing is known of a cluster none of whose machines lets us in: "down" would be a guess.
  const { machines, unreachable } = cluster.world
  if (machines.length === 0 && unreachable.some(({ error }) => isShut(error))) requireAll(cluster.world)
  return statusOf(spec, cluster.world)
}

/** Judges what was observed. Pure. */
export function statusOf(spec: ClusterSpec, world: World): ClusterStatus {
  const masters = world.machines.filter((machine) => machine.node.role === 'master')
  const answering = masters.find((machine) => machine.installed.apiReady)
  const known = answering?.installed.nodes ?? []
  const nodes = world.machines
    .map((machine) => nodeReport(machine, known, world))
    .concat(unreachableReports(world, known))
  const strangers = known.filter((node) => !nodes.some((report) => report.name === node.name))
  const all = [...nodes, ...strangers.map((node) => strangerReport(spec, node, world))]
  const ofMachines = machineProblems(spec, world, answering)
  const told = new Set(ofMachines.map((problem) => problem.machine))
  const problems = [...ofMachines, ...nodeProblems(world, all, answering, told)]
  const datastore = datastoreOf(spec, world, known)
  const quorum = datastore.kind !== 'etcd' || datastore.healthy > datastore.members / 2
  const health = !answering || !quorum ? 'down' : problems.length === 0 ? 'ready' : 'degraded'
  const record = world.machines.find((machine) => machine.facts.managed.record?.version)?.facts.managed.record
  const endpointMachine = answering ?? masters[0]
  const published = containerEndpoint(world)
  return {
    name: spec.name,
    runtime: spec.runtime,
    version: answering?.installed.version ?? (typeof record?.version === 'string' ? record.version : ''),
    health,
    endpoint: published ? endpointUrl(published) : endpointMachine ? endpointOf(endpointMachine, known) : '',
    datastore,
    nodes: all,
    problems,
  }
}

function strip(node: NodeStatus): Omit<NodeReport, 'machine'> {
  const { voter: _, cordoned, drained: __, taints: ___, givenLabels: ____, asked: _____, ...rest } = node
  // A delete that was cut off leaves it so, and nothing else tells.
  return cordoned && node.ready ? { ...rest, message: 'cordoned: takes no new pods' } : rest
}

function nodeReport(machine: MachineWorld, known: readonly NodeStatus[], world: World): NodeReport {
  const name = machine.facts.hostname.toLowerCase()
  const found = known.find((node) => node.name === name)
  const stopped = whyStopped(machine, world)
  if (found) return { ...reportOf(found, stopped), role: machine.node.role, machine: machine.id }
  return {
    name,
    role: machine.node.role,
    ready: false,
    version: machine.installed.version ?? '',
    address: machine.facts.routeSource?.address ?? machine.facts.defaultRoute?.source ?? '',
    message: stopped ?? (machine.installed.active ? 'not registered' : 'k3s is not installed'),
    machine: machine.id,
  }
}

/** What the cluster says of a node, unless its machine shows that it is otherwise: it is called Ready for another 40 seconds. */
function reportOf(node: NodeStatus, stopped: string | undefined): Omit<NodeReport, 'machine'> {
  return node.ready && stopped !== undefined
    ? { ...strip(node), ready: false, message: stopped }
    : strip(node)
}

/** Why no kubelet can run on a machine; undefined where one may. */
function whyStopped({ name, installed }: MachineWorld, { engine }: World): string | undefined {
  if (installed.active) return undefined
  if (!engine) return installed.role && 'the service does not run'
  const container = engine.containers.find((entry) => entry.name === name)
  return `the container is ${container?.state ?? 'gone'}`
}

/** A node that the cluster knows and no machine accounts for. */
function strangerReport({ name }: ClusterSpec, node: NodeStatus, { engine }: World): NodeReport {
  const isGone = engine !== undefined && node.name.startsWith(`airlift-${name}-`)
  return { ...reportOf(node, isGone ? 'the container is gone' : undefined), machine: null }
}

function unreachableReports(world: World, known: readonly NodeStatus[]): NodeReport[] {
  return world.unreachable.map(({ node, id, error }) => {
    const found = known.find(
      (status) => status.address === node.target.host || status.name === node.target.host.toLowerCase(),
    )
    const base = found
      ? strip(found)
      : { name: node.target.host, role: node.role, ready: false, version: '', address: node.target.host }
    return { ...base, message: found?.ready ? strip(found).message : error.message, machine: id }
  })
}

function machineProblems(
  spec: ClusterSpec,
  world: World,
  answering: MachineWorld | undefined,
): StatusProblem[] {
  const problems: StatusProblem[] = world.unreachable.map(({ node, id, error }) => ({
    code: unusableCode(error),
    machine: id,
    message: error.message,
    ...(world.engine
      ? unusableContainer(spec, node, error)
      : { hint: (isShut(error) && error.hint) || 'check that it is switched on and that ssh reaches it' }),
  }))
  if (isStopped(spec, world)) {
    return [
      ...problems,
      {
        code: 'stopped',
        machine: null,
        message: 'the cluster is stopped',
        hint: `start it: airlift start --name ${spec.name}`,
      },
      ...world.machines.flatMap((machine) => {
        const why = whyLeftAlone(spec, world, machine)
        return why ? [{ machine: machine.id, ...why }] : []
      }),
    ]
  }
  if (!answering) {
    problems.push({ code: 'api-down', machine: null, ...noAnswer(spec, world) })
  }
  if (world.engine)
    return withCutOff(spec, world, [
      ...problems,
      ...containerProblems(spec, world, answering?.installed.nodes),
    ])
  for (const machine of world.machines) {
    const unit = machine.node.role === 'master' ? 'k3s' : 'k3s-agent'
    const half = notInstalled(spec, world, machine)
    if (half) {
      problems.push({ machine: machine.id, ...half })
    } else if (!machine.installed.active && machine.installed.version === undefined) {
      problems.push({
        code: 'service-down',
        machine: machine.id,
        message: `the service ${unit} does not run on ${machine.name}: its program, k3s, is gone or does not start`,
        hint: 'put it back: the same airlift run command',
      })
    } else if (!machine.installed.active) {
      problems.push({
        code: 'service-down',
        machine: machine.id,
        message: `the service ${unit} does not run on ${machine.name}`,
        hint: `start it: airlift start --name ${spec.name}`,
      })
    } else if (machine.node.role === 'master' && !machine.installed.apiReady) {
      problems.push({
        code: 'api-unready',
        machine: machine.id,
        message: `the API server of ${machine.name} is not ready`,
        hint: `see ${logOf(unit, machine)} there`,
      })
    }
  }
  return problems
}

/** Containers are found by what the engine has: a cluster without masters is one whose masters somebody removed. */
function noAnswer(spec: ClusterSpec, world: World): Pick<StatusProblem, 'message' | 'hint'> {
  const { engine } = world
  const master = spec.masters[0]?.target.host
  if (engine && master === undefined)
    return { message: 'the cluster has no master container', hint: MAKE_AGAIN }
  const message = 'no master answers'
  if (hasNoMaster(spec, world))
    return {
      message,
      hint: `run the same airlift run command again, or, where a reset was cut off, finish it: airlift reset --name ${spec.name}`,
    }
  const isDown = ({ name, state }: EngineContainer): boolean =>
    state !== 'running' && spec.masters.some(({ target }) => target.host === name)
  if (engine?.containers.some(isDown)) return { message, hint: `start it: airlift start --name ${spec.name}` }
  const host = world.machines.find(({ node }) => node.role === 'master')
  return { message, hint: engine ? `see docker logs ${master}` : `see ${logOf('k3s', host)} on a master` }
}

/** Where a host keeps what a service of it says. */
function logOf(unit: string, machine: MachineWorld | undefined): string {
  return machine?.facts.init === 'openrc' ? `/var/log/${unit}.log` : `journalctl -u ${unit}`
}

/** Whether k3s is installed on every machine that answers, and runs on none: a stop, not a failure, and it can be started. */
function isStopped(spec: ClusterSpec, world: World): boolean {
  return (
    world.machines.length > 0 &&
    !hasNoMaster(spec, world) &&
    world.machines.every(({ installed }) => installed.role !== undefined && !installed.active)
  )
}

/** Nodes that are not ready although nothing is known against their machine: one cause is told once. */
function nodeProblems(
  { engine, machines }: World,
  nodes: readonly NodeReport[],
  answering: MachineWorld | undefined,
  told: ReadonlySet<string | null>,
): StatusProblem[] {
  if (!answering) return []
  return nodes
    .filter((node) => !node.ready && !told.has(node.machine ?? containerId(node.name)))
    .map((node) => {
      const machine = machines.find(({ id }) => id === node.machine)
      const unit = node.role === 'master' ? 'k3s' : 'k3s-agent'
      const log = engine ? `docker logs ${node.name}` : `${logOf(unit, machine)} on ${machine?.name}`
      const isKnown = answering.installed.nodes?.some(({ name }) => name === node.name)
      return {
        code: 'node-not-ready',
        machine: node.machine,
        message: `node ${node.name} is not ready: ${node.message || 'no reason given'}`,
        // Of a node that never registered the cluster has nothing to describe.
        hint: isKnown ? `see: kubectl describe node ${node.name}` : `see ${log}`,
      }
    })
}

function datastoreOf(
  spec: ClusterSpec,
  world: World,
  known: readonly NodeStatus[],
): ClusterStatus['datastore'] {
  const masters = world.machines.filter((machine) => machine.node.role === 'master')
  const told = masters.flatMap((machine) => machine.facts.managed.fragments['k3s-datastore'] ?? [])
  const kinds = told.join('\n')
  const apiReady = masters.filter((machine) => machine.installed.apiReady).length
  if (!kinds.includes('etcd')) {
    // Nobody looks into a container that is stopped: several masters have etcd, unless another datastore was named.
    const unseen = told.length === 0 && spec.config['datastore-endpoint'] === undefined
    if (unseen && spec.masters.length > 1) return { kind: 'etcd', members: spec.masters.length, healthy: 0 }
    if (!kinds.includes('sqlite') && spec.masters.length > 1)
      return { kind: 'external', members: 0, healthy: 0 }
    return { kind: 'sqlite', members: 1, healthy: apiReady > 0 ? 1 : 0 }
  }
  const voters = known.filter((node) => node.voter !== undefined)
  const members = voters.length > 0 ? voters.length : spec.masters.length
  return {
    kind: 'etcd',
    members,
    healthy: voters.length > 0 ? voters.filter((node) => node.voter && node.ready).length : apiReady,
  }
}

function endpointOf(machine: MachineWorld, known: readonly NodeStatus[]): string {
  const name = machine.facts.hostname.toLowerCase()
  const address =
    known.find((node) => node.name === name)?.address ??
    machine.facts.routeSource?.address ??
    machine.node.target.host
  // Of a cluster that is only asked about, nobody said the configuration.
  const port = serverPort(machine.facts.managed.fragments['k3s-kubeconfig'] ?? '')
  return endpointUrl({ host: address, port })
}
