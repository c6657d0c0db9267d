import { areSamePorts } from '../../cluster/container/published-ports.js'
import { type ContainerRecord, LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import type { ContainerNodeSpec, PortSpec } from '../../cluster/container-spec.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { AirliftError } from '../../core/errors.js'
import type { EngineWorld, World } from '../runtime.js'
import { nodeOptions, recordOf } from './container-config.js'
import { containerOf, containersOf, engineOf, knownContainers, type Layout } from './layout.js'

/** The flag that each part of a container's record comes from. Parts that are not here follow the cluster. */
const FLAGS: Partial<Record<keyof ContainerRecord, string>> = {
  image: '--image',
  memoryBytes: '--memory',
  cpus: '--cpus',
  gpus: '--gpus',
  ulimits: '--ulimit',
  hostAliases: '--host-alias',
  dns: '--dns',
  mounts: '--volume',
  env: '--env',
  files: '--file',
  runtimeLabels: '--runtime-label',
  k3sArgs: '--k3s-arg',
}

/**
 * Refuses what cannot be changed in a container that exists, and a run that would leave one out. Pure.
 * @throws AirliftError E_REMOVE_REFUSED (exit 2) naming the option; E_FOREIGN_CLUSTER for a container that only has the name
 */
export function checkUnchanged(spec: ClusterSpec, world: World, layout: Layout): void {
  const engine = engineOf(world)
  refuseLeavingOut(spec, world)
  checkCluster(spec, engine)
  checkPorts(spec, world, layout)
  const members = [
    ...[...spec.masters, ...spec.nodes].map((node) => ({ name: node.target.host, own: nodeOptions(node) })),
    ...(layout.lb === undefined ? [] : [{ name: layout.lb, own: containersOf(spec).lb }]),
  ]
  for (const member of members) checkMember(spec, world, layout, member)
}

/**
 * Refuses to finish the container of a joining node that was begun with other options than it is asked for now. Pure.
 * @throws AirliftError E_REMOVE_REFUSED (exit 2) naming the option
 */
export function checkBegun(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  joining: readonly NodeSpec[],
): void {
  for (const node of joining) {
    const name = node.target.host
    const member = { name, own: nodeOptions(node) }
    checkMember(
      spec,
      world,
      layout,
      member,
      `remove it first: airlift delete --${node.role === 'master' ? 'masters' : 'nodes'} ${name}`,
    )
  }
}

function checkMember(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  { name, own }: { readonly name: string; readonly own: ContainerNodeSpec },
  remedy?: string,
): void {
  const found = containerOf(world, name)
  const before = found && recordOfLabels(found.labels)
  if (!before) return
  const wanted = recordOf(spec, layout, name, own, before.founder === true)
  for (const [key, flag] of Object.entries(FLAGS)) {
    const part = key as keyof ContainerRecord
    if (same(before[part], wanted[part]) || (part === 'image' && spec.containers?.image === undefined))
      continue
    throw refused(name, flag, remedy)
  }
}

/** What holds for the whole cluster and was named again, differently. */
function checkCluster(spec: ClusterSpec, engine: EngineWorld): void {
  const wanted = containersOf(spec)
  const records = knownContainers(spec, engine).map(({ record }) => record)
  const [first] = records
  if (!first) return
  const api = records.find((record) => record.api)?.api
  const about = engine.containers[0]?.name ?? ''
  if (wanted.network !== undefined && wanted.network !== first.network) throw refused(about, '--network')
  if (wanted.subnet !== undefined && wanted.subnet !== first.subnet) throw refused(about, '--subnet')
  if (wanted.subnet6 !== undefined && wanted.subnet6 !== first.subnet6) throw refused(about, '--subnet')
  const family = first.subnet6 === undefined ? 'ipv4' : 'dual'
  if (wanted.ipFamily !== undefined && wanted.ipFamily !== family) throw refused(about, '--ip-family')
  if (!wanted.loadBalancer && records.some((record) => record.loadBalancer)) throw refused(about, '--no-lb')
  if (wanted.api.port !== undefined && api && api.port !== wanted.api.port) throw refused(about, '--api-port')
  if (wanted.api.host !== undefined && api && api.host !== wanted.api.host) throw refused(about, '--api-port')
}

/**
 * Ports through the load balancer, or the first master, may be those that the cluster was made with, or those that it has
 * since `airlift ports`; those of one node cannot change.
 */
function checkPorts(spec: ClusterSpec, world: World, layout: Layout): void {
  const { ports } = containersOf(spec)
  const records = knownContainers(spec, engineOf(world)).map(({ container: { name }, record }) => ({
    name,
    record,
  }))
  const proxied = (list: readonly PortSpec[]): PortSpec[] => list.filter((port) => port.via === 'proxy')
  const front = layout.lb ?? spec.masters[0]?.target.host ?? ''
  if (records.some(({ name }) => name === front)) {
    const wanted = proxied(ports)
    const first = proxied(records.flatMap(({ record }) => record.asked ?? record.ports))
    const now = proxied(records.flatMap(({ record }) => record.ports))
    if (!areSamePorts(wanted, first) && !areSamePorts(wanted, now)) throw refused(front, '--port')
  }
  for (const { name, record } of records) {
    const before = record.ports.filter((port) => port.via === 'direct')
    const wanted = ports.filter((port) => port.via === 'direct' && port.nodes.includes(name))
    if (!areSamePorts(wanted.map(own(name)), before.map(own(name)))) throw refused(name, '--port')
  }
}

/** A port that several nodes publish, each for itself. */
function own(name: string): (port: PortSpec) => PortSpec {
  return (port) => ({ ...port, nodes: [name] })
}

function refused(
  name: string,
  flag: string,
  remedy = 'make the cluster anew: airlift reset, then airlift run',
): AirliftError {
  const later = flag === '--port' ? 'airlift ports add or airlift ports remove changes ports; ' : ''
  return new AirliftError(
    'E_REMOVE_REFUSED',
    `${flag} is not what ${name} was made with, and a container that exists cannot be changed`,
    {
      machine: name,
      hint: `${later}give ${flag} as before, or ${remedy}`,
    },
  )
}

/** `run` only adds: a container of the cluster that is not asked for would be forgotten, not removed. */
function refuseLeavingOut(spec: ClusterSpec, world: World): void {
  const named = new Set([...spec.masters, ...spec.nodes].map((node) => node.target.host))
  const left = engineOf(world).containers.filter(
    ({ name, labels }) => /^(master|worker)$/.test(labels[LABELS.role] ?? '') && !named.has(name),
  )
  if (left.length === 0) return
  const names = left.map((container) => container.name).join(', ')
  throw new AirliftError(
    'E_REMOVE_REFUSED',
    `the cluster "${spec.name}" also has ${names}, which the command does not ask for`,
    { hint: 'ask for all of its nodes; run never removes one: airlift delete does' },
  )
}

/** Equal as JSON: an absent value and an empty one are the same. */
function same(a: unknown, b: unknown): boolean {
  return stable(a) === stable(b)
}

function stable(value: unknown): string {
  return JSON.stringify(value ?? null, (_, entry: unknown) =>
    entry !== null && typeof entry === 'object' && !Array.isArray(entry)
      ? Object.fromEntries(Object.entries(entry).sort(([a], [b]) => (a < b ? -1 : 1)))
      : entry,
  )
}
