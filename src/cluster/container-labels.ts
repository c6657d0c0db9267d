import type { MountSpec, PortSpec, UlimitSpec } from './container-spec.js'
import type { ConfigValue, Given } from './spec.js'

/** Labels that airlift puts on containers, networks and volumes: with them a cluster is found without any file. */
export const LABELS = {
  /** Name of the cluster. */
  cluster: 'airlift.cluster',
  /** `master`, `worker` or `lb`. */
  role: 'airlift.role',
  /** Place among the nodes of its role, from 0. */
  index: 'airlift.index',
  /** Release of the rootfs that the container was made for. */
  version: 'airlift.version',
  /** JSON of {@link ContainerRecord}. */
  spec: 'airlift.spec',
  /** ISO time. */
  created: 'airlift.created',
  /** `PID@HOST` of the command that made it, so that nobody takes for left behind what is only being made. */
  maker: 'airlift.maker',
  /** On what exists only while a command runs. */
  temporary: 'airlift.temporary',
} as const

/** What one container was made from, so that the cluster can be planned again. Holds no secrets and no values of variables. */
export interface ContainerRecord {
  readonly image: string
  readonly network: string
  /** The network is the user's: airlift never removes it. */
  readonly external: boolean
  readonly subnet?: string
  /** Of IPv6, where the cluster has both families. */
  readonly subnet6?: string
  /** Its fixed address in the network. */
  readonly address?: string
  /** Its fixed address of IPv6. */
  readonly address6?: string
  /** Whether a load balancer stands before the masters. */
  readonly loadBalancer: boolean
  /** The master that founded the cluster. */
  readonly founder?: boolean
  /** On the one container that publishes it. */
  readonly api?: { readonly host?: string; readonly address: string; readonly port: number }
  /** Ports that this container publishes, beside the API. */
  readonly ports: readonly PortSpec[]
  /** Of a load balancer whose ports were changed since: those that it was made with at first. */
  readonly asked?: readonly PortSpec[]
  /** Of a load balancer: how often what it publishes was changed. */
  readonly generation?: number
  readonly memoryBytes?: number
  readonly cpus?: number
  readonly gpus?: {
    readonly count: number
    readonly ids: readonly string[]
    readonly capabilities: readonly string[]
    /** Devices that CDI names, rather than those of the engine's own driver. */
    readonly driver?: 'cdi'
  }
  readonly ulimits: readonly UlimitSpec[]
  readonly hostAliases: readonly { readonly ip: string; readonly names: readonly string[] }[]
  readonly dns?: readonly string[]
  readonly mounts: readonly MountSpec[]
  /** Names of variables. */
  readonly env: readonly string[]
  /** Paths of files that were put in. */
  readonly files: readonly string[]
  readonly runtimeLabels: Readonly<Record<string, string>>
  /** Arguments of k3s; the values of secret ones are left out. */
  readonly k3sArgs: readonly string[]
  /** The k3s configuration that the user set, without secret options. */
  readonly config: Readonly<Record<string, ConfigValue>>
  /** For whom each option of the node was given, its labels and taints among them. */
  readonly given?: Given
}

/** Reads the record of a container from its labels; undefined where there is none that can be understood. */
export function recordOfLabels(labels: Readonly<Record<string, string>>): ContainerRecord | undefined {
  try {
    const value = JSON.parse(labels[LABELS.spec] ?? '') as Partial<ContainerRecord>
    if (typeof value.image !== 'string' || typeof value.network !== 'string') return undefined
    return {
      external: false,
      loadBalancer: false,
      ports: [],
      ulimits: [],
      hostAliases: [],
      mounts: [],
      env: [],
      files: [],
      runtimeLabels: {},
      k3sArgs: [],
      config: {},
      ...value,
      image: value.image,
      network: value.network,
    }
  } catch {
    // Made by another release, or by hand: the other labels still tell whose it is.
    return undefined
  }
}

/** What labels say of a node container: its role and place. Undefined for all that is no node. */
export function nodeOfLabels(
  labels: Readonly<Record<string, string>>,
): { readonly role: 'master' | 'worker'; readonly index: number } | undefined {
  const role = labels[LABELS.role]
  if (role !== 'master' && role !== 'worker') return undefined
  const index = Number(labels[LABELS.index])
  return Number.isInteger(index) && index >= 0 ? { role, index } : undefined
}
