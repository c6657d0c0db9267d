import { CLUSTER_NETWORKS, clusterNetworks } from '../../cluster/cluster-networks.js'
import { shownArg } from '../../cluster/container/k3s-args.js'
import { nodeEnvironment } from '../../cluster/container/proxy.js'
import { type ContainerRecord, LABELS } from '../../cluster/container-labels.js'
import {
  type ContainerNodeSpec,
  containerIndex,
  containerName,
  PLAIN_CONTAINER,
} from '../../cluster/container-spec.js'
import { isSecretOption, isSecretSetting } from '../../cluster/k3s-options.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import type { ContainerConfig } from '../../machine/docker/engine.js'
import { secretRef } from '../../plan/fill-secrets.js'
import { apiPort } from '../k3s/config.js'
import type { World } from '../runtime.js'
import { CONTAINER, nodeVolumes, objectNames } from './contract.js'
import { listArg } from './k3s-args.js'
import { MODULES } from './kernel-modules.js'
import { containersOf, engineOf, type Layout } from './layout.js'

/** Names of the secrets that a container's options may hold. */
export const containerSecret = {
  env: (name: string, key: string): string => `env:${name}:${key}`,
  arg: (name: string, index: number): string => `arg:${name}:${index}`,
  file: (name: string, path: string): string => `put:${name}:${path}`,
} as const

/**
 * An engine's computer may have IPv6 switched off for new network namespaces, and forwards none by default. Of accept_ra nothing
 * is changed: the engine gives the route, and where packets are forwarded the kernel listens to no router by itself, so no
 * other container of the network can become one.
 */
const IPV6_SYSCTLS = { 'net.ipv6.conf.all.disable_ipv6': '0', 'net.ipv6.conf.all.forwarding': '1' } as const

/** What the user gave for one node. */
export function nodeOptions(node: NodeSpec): ContainerNodeSpec {
  return node.container ?? PLAIN_CONTAINER
}

/** The container of a node. Pure; it holds names of secrets, never their values. */
export function nodeContainer(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  node: NodeSpec,
  founder: boolean,
): ContainerConfig {
  const name = node.target.host
  const wanted = containersOf(spec)
  const own = nodeOptions(node)
  const limits: Record<string, string> = {
    ...(own.memoryBytes === undefined ? {} : { AIRLIFT_MEMORY_BYTES: String(own.memoryBytes) }),
    ...(own.cpus === undefined ? {} : { AIRLIFT_CPUS: String(own.cpus) }),
    // The entry script leaves alone what the user gave.
    ...(wanted.ulimits.some((limit) => limit.name === 'nofile') ? { AIRLIFT_OWN_NOFILE: '1' } : {}),
  }
  return {
    ...baseOf(spec, layout, name),
    entrypoint: ['/bin/sh', CONTAINER.entryScript],
    command: [
      node.role === 'master' ? 'server' : 'agent',
      // Lists are in config.yaml, with those of airlift.
      ...own.k3sArgs.flatMap((arg, i) => (listArg(arg) ? [] : [hidden(name, arg, i)])),
    ],
    env: { ...nodeVariables(spec, layout, name, own), ...limits },
    labels: labelsOf(spec, layout, node.role, containerIndex(name), own, {
      ...recordOf(spec, layout, name, own, founder),
      ...(node.given ? { given: node.given } : {}),
    }),
    privileged: true,
    capabilities: [],
    sysctls: layout.network.subnet6 === undefined ? {} : IPV6_SYSCTLS,
    tmpfs: { '/run': '', '/var/run': '' },
    mounts: [
      ...ownMounts(node),
      { kind: 'volume', source: objectNames.images(spec.name), target: CONTAINER.images, readOnly: false },
      ...modulesOf(world, own),
      ...mountsOf(own),
    ],
    extraHosts: [
      `${CONTAINER.hostAlias}:host-gateway`,
      ...wanted.hostAliases.flatMap(({ ip, names }) => names.map((alias) => `${alias}:${ip}`)),
    ],
    ...(wanted.dns === undefined ? {} : { dns: wanted.dns }),
    stopTimeoutSeconds: 20,
    ...(own.memoryBytes === undefined ? {} : { memoryBytes: own.memoryBytes }),
    ...(own.cpus === undefined ? {} : { cpus: own.cpus }),
    ...(wanted.gpus === undefined ? {} : { gpus: wanted.gpus }),
    ulimits: wanted.ulimits,
    // A remapped root may not do what k3s must.
    ...(engineOf(world).info.usernsRemap ? { usernsMode: 'host' } : {}),
  }
}

/** The container of the load balancer: no privileges, no data of its own. */
export function lbContainer(spec: ClusterSpec, world: World, layout: Layout, name: string): ContainerConfig {
  const own = containersOf(spec).lb
  return {
    ...baseOf(spec, layout, name),
    entrypoint: ['/bin/sh', CONTAINER.lbScript],
    command: [],
    env: envRefs(name, own),
    labels: labelsOf(spec, layout, 'lb', 0, own, recordOf(spec, layout, name, own, false)),
    privileged: false,
    capabilities: ['NET_ADMIN'],
    sysctls: {
      'net.ipv4.ip_forward': '1',
      ...(layout.network.subnet6 === undefined ? {} : IPV6_SYSCTLS),
    },
    // The image of the nodes declares these as volumes: nothing of them is to be left behind.
    tmpfs: {
      '/run': '',
      ...Object.fromEntries(nodeVolumes(name).map(({ target }) => [target, ''])),
    },
    mounts: mountsOf(own),
    extraHosts: [],
    stopTimeoutSeconds: 2,
    ulimits: [],
    ...(engineOf(world).info.usernsRemap ? { usernsMode: 'host' } : {}),
  }
}

type Base = Pick<
  ContainerConfig,
  'name' | 'image' | 'hostname' | 'ports' | 'network' | 'address' | 'address6' | 'restart'
>

function baseOf(spec: ClusterSpec, layout: Layout, name: string): Base {
  const address = layout.addresses.get(name)
  const address6 = layout.addresses6.get(name)
  const { api } = layout
  return {
    name,
    image: layout.image.ref,
    hostname: name,
    ports: [
      ...(layout.apiAt === name
        ? [
            {
              address: api.address,
              hostPort: api.port,
              containerPort: apiPort(spec),
              protocol: 'tcp' as const,
            },
          ]
        : []),
      ...(layout.ports.get(name) ?? []).map(({ address: bind, hostPort, containerPort, protocol }) => ({
        address: bind,
        hostPort,
        containerPort,
        protocol,
      })),
    ],
    network: layout.network.name,
    ...(address === undefined ? {} : { address }),
    ...(address6 === undefined ? {} : { address6 }),
    // Not `unless-stopped`: a dockerd that was killed ends what still runs when it comes back, and then takes that for a
    // stop by hand (moby#41302). A cluster that is stopped on purpose gets another policy: see stop.ts.
    restart: 'always',
  }
}

/** The volumes of a node. What the user mounts there counts. */
export function ownMounts(node: NodeSpec): ContainerConfig['mounts'] {
  const taken = new Set(nodeOptions(node).mounts.map(({ target }) => target))
  return nodeVolumes(node.target.host)
    .filter(({ target }) => !taken.has(target))
    .map(({ source, target }) => ({ kind: 'volume', source, target, readOnly: false }))
}

/**
 * What k3s loads modules of the kernel from that nobody has loaded yet. The engine's computer may be another one: only where it
 * is known to have none is nothing mounted. What the user mounts there counts.
 */
function modulesOf(world: World, own: ContainerNodeSpec): ContainerConfig['mounts'] {
  if (engineOf(world).computer?.modules?.directory === false) return []
  if (own.mounts.some((mount) => mount.target === MODULES)) return []
  return [{ kind: 'bind', source: MODULES, target: MODULES, readOnly: true, optional: true }]
}

function mountsOf(own: ContainerNodeSpec): ContainerConfig['mounts'] {
  return own.mounts.map(({ kind, source, target, readOnly, options }) => ({
    kind,
    source,
    target,
    readOnly,
    ...(options.length > 0 ? { propagation: options.join(',') } : {}),
  }))
}

/** The variables of a node: the user's and those of the proxy. The address of a proxy may hold a password, its exceptions do not. */
function nodeVariables(
  spec: ClusterSpec,
  layout: Layout,
  name: string,
  own: ContainerNodeSpec,
): Record<string, string> {
  const env = nodeEnvironment(own.env, containersOf(spec).proxy, insideOf(spec, layout))
  const shown = (key: string, value: string): string =>
    key.toLowerCase() === 'no_proxy' ? value : secretRef(containerSecret.env(name, key))
  return Object.fromEntries(Object.entries(env).map(([key, value]) => [key, shown(key, value)]))
}

/** The networks that no proxy is between: of the containers, the pods and the services. */
function insideOf({ config }: ClusterSpec, { network }: Layout): string[] {
  const dual = network.subnet6 !== undefined
  return [
    network.subnet,
    ...(network.subnet6 === undefined ? [] : [network.subnet6]),
    ...CLUSTER_NETWORKS.flatMap((key) => clusterNetworks(config, key, dual)),
  ]
}

function envRefs(name: string, own: ContainerNodeSpec): Record<string, string> {
  return Object.fromEntries(
    Object.keys(own.env).map((key) => [key, secretRef(containerSecret.env(name, key))]),
  )
}

/** An argument of k3s, its value hidden where the option is a secret one. */
function hidden(name: string, arg: string, index: number): string {
  const [, flag, key] = /^(--([^=]+)=)/.exec(arg) ?? []
  return flag !== undefined && key !== undefined && isSecretOption(key)
    ? `${flag}${secretRef(containerSecret.arg(name, index))}`
    : arg
}

/** Labels that everything of a cluster has. */
export function clusterLabels(cluster: string): Record<string, string> {
  return { [LABELS.cluster]: cluster }
}

function labelsOf(
  spec: ClusterSpec,
  layout: Layout,
  role: 'master' | 'worker' | 'lb',
  index: number,
  own: ContainerNodeSpec,
  record: ContainerRecord,
): Record<string, string> {
  return {
    ...own.runtimeLabels,
    ...clusterLabels(spec.name),
    [LABELS.role]: role,
    [LABELS.index]: String(index),
    [LABELS.version]: layout.image.version ?? '',
    [LABELS.spec]: JSON.stringify(record),
  }
}

/** What the container is remembered by. */
export function recordOf(
  spec: ClusterSpec,
  layout: Layout,
  name: string,
  own: ContainerNodeSpec,
  founder: boolean,
): ContainerRecord {
  const wanted = containersOf(spec)
  const isLb = name === containerName(spec.name, 'lb')
  const address = layout.addresses.get(name)
  const address6 = layout.addresses6.get(name)
  return {
    image: layout.image.ref,
    network: layout.network.name,
    external: layout.network.external,
    subnet: layout.network.subnet,
    ...(layout.network.subnet6 === undefined ? {} : { subnet6: layout.network.subnet6 }),
    ...(address === undefined ? {} : { address }),
    ...(address6 === undefined ? {} : { address6 }),
    loadBalancer: layout.lb !== undefined,
    ...(founder ? { founder } : {}),
    ...(layout.apiAt === name ? { api: layout.api } : {}),
    ports: layout.ports.get(name) ?? [],
    ...(isLb ? changesOf(layout.balancer) : {}),
    ...(isLb || own.memoryBytes === undefined ? {} : { memoryBytes: own.memoryBytes }),
    ...(isLb || own.cpus === undefined ? {} : { cpus: own.cpus }),
    ...(isLb || wanted.gpus === undefined ? {} : { gpus: wanted.gpus }),
    ulimits: isLb ? [] : wanted.ulimits,
    hostAliases: isLb ? [] : wanted.hostAliases,
    ...(isLb || wanted.dns === undefined ? {} : { dns: wanted.dns }),
    mounts: own.mounts,
    env: Object.keys(own.env).sort(),
    files: own.files.map((file) => file.path).sort(),
    runtimeLabels: own.runtimeLabels,
    k3sArgs: own.k3sArgs.map(shownArg),
    config: Object.fromEntries(
      Object.entries(spec.config).filter(([key, value]) => !isSecretSetting(key, value)),
    ),
  }
}

/** What a load balancer that is made again keeps of the one that was lost: its changes since it was made first. */
function changesOf(lost: ContainerRecord | undefined): Pick<ContainerRecord, 'asked' | 'generation'> {
  return {
    ...(lost?.asked === undefined ? {} : { asked: lost.asked }),
    ...(lost?.generation === undefined ? {} : { generation: lost.generation }),
  }
}
