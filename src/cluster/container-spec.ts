/** A port that containers publish on the computer of the engine. */
export interface PortSpec {
  /** Address that is bound there; 127.0.0.1 unless the user names another. IPv6 without brackets. */
  readonly address: string
  /** 0 lets airlift choose a free one. */
  readonly hostPort: number
  readonly containerPort: number
  readonly protocol: 'tcp' | 'udp' | 'sctp'
  /** `proxy` goes through the load balancer (or the first master where there is none), `direct` to one node. */
  readonly via: 'proxy' | 'direct'
  /** Names of the node containers that it leads to. */
  readonly nodes: readonly string[]
  /** Where it leads to all of a kind, also to those that come later; `nodes` has those of the beginning. */
  readonly group?: 'all' | 'masters' | 'workers'
}

/** A directory or volume that is mounted into a container. */
export interface MountSpec {
  /** Absolute path on the engine's computer, or the name of a volume. */
  readonly source: string
  readonly kind: 'bind' | 'volume'
  /** Absolute path in the container. */
  readonly target: string
  readonly readOnly: boolean
  /** The propagation of a bind (`rshared` …), or nothing: other options of `docker run -v` mean nothing for a node. */
  readonly options: readonly string[]
}

/** A file that is put into a container before it starts. */
export interface ContainerFileSpec {
  /** Absolute path in the container. */
  readonly path: string
  readonly content: Buffer
  /** Octal, `0644`. */
  readonly mode: string
}

/** What the user gave for one container with filters. */
export interface ContainerNodeSpec {
  readonly mounts: readonly MountSpec[]
  /** May hold secrets, such as the password of a proxy: never in labels. */
  readonly env: Readonly<Record<string, string>>
  /** Arguments of k3s as they are, `--kubelet-arg=v=4`. */
  readonly k3sArgs: readonly string[]
  readonly files: readonly ContainerFileSpec[]
  /** Docker labels. */
  readonly runtimeLabels: Readonly<Record<string, string>>
  readonly memoryBytes?: number
  /** May be a fraction. */
  readonly cpus?: number
}

/** `--ulimit nofile=1024:2048`; -1 is without limit. */
export interface UlimitSpec {
  readonly name: string
  readonly soft: number
  readonly hard: number
}

/** What holds for all containers of a cluster. */
export interface ContainerSpec {
  /** `--image`; absent: `rancher/k3s:VERSION` where it is present, else one that is built from the rootfs. */
  readonly image?: string
  /** Release of k3s that `image` holds, where it was said beside it: `v1.33.1+k3s1`. */
  readonly release?: string
  /** `--network`: an existing network, which airlift never removes. */
  readonly network?: string
  /** `--subnet` as CIDR; absent: the first free one of airlift's pool. */
  readonly subnet?: string
  /** The same of IPv6, where the cluster has both families. */
  readonly subnet6?: string
  /** `--ip-family`, or `dual` where something else asks for IPv6; absent: as the cluster is, a new one `ipv4`. */
  readonly ipFamily?: 'ipv4' | 'dual'
  /** False with `--no-lb`. There is none for one master anyway. */
  readonly loadBalancer: boolean
  /** Where the API is published. `host` is the name that goes into the kubeconfig and the certificate. */
  readonly api: { readonly host?: string; readonly address: string; readonly port?: number }
  readonly ports: readonly PortSpec[]
  /** As `docker run --gpus` takes it, parsed: -1 is all. */
  readonly gpus?: {
    readonly count: number
    readonly ids: readonly string[]
    readonly capabilities: readonly string[]
    /** Devices that CDI names, rather than those of the engine's own driver. */
    readonly driver?: 'cdi'
  }
  readonly ulimits: readonly UlimitSpec[]
  readonly hostAliases: readonly { readonly ip: string; readonly names: readonly string[] }[]
  /** `--dns`: resolvers that are asked for names outside of the cluster; absent: those of the engine. */
  readonly dns?: readonly string[]
  /** Of the load balancer. */
  readonly lb: ContainerNodeSpec
  /** `--keep`: a run that fails leaves what it made. */
  readonly keep: boolean
  /** Proxy of this computer, for the nodes too; `nodeEnvironment` makes variables of it. May hold a password. */
  readonly proxy?: ProxySpec
  /** `--ca`: certificates in PEM, one each, which every node is to trust. */
  readonly caCertificates?: readonly Buffer[]
}

/** A proxy for what goes out of the nodes; without `http` and `https` there is none. */
export interface ProxySpec {
  /** URL for http; may hold a password. */
  readonly http?: string
  /** URL for https; may hold a password. */
  readonly https?: string
  /** What is reached without it. The subnet of the network comes on top as soon as it is known. */
  readonly except: readonly string[]
}

/** A container without anything special. */
export const PLAIN_CONTAINER: ContainerNodeSpec = {
  mounts: [],
  env: {},
  k3sArgs: [],
  files: [],
  runtimeLabels: {},
}

/** A cluster without anything special. */
export const PLAIN_CONTAINERS: ContainerSpec = {
  loadBalancer: true,
  api: { address: '127.0.0.1' },
  ports: [],
  ulimits: [],
  hostAliases: [],
  lb: PLAIN_CONTAINER,
  keep: false,
}

/** Name of a container, which is also the name of its node. */
export function containerName(cluster: string, role: 'master' | 'worker' | 'lb', index = 0): string {
  return role === 'lb' ? `airlift-${cluster}-lb` : `airlift-${cluster}-${role}-${index}`
}

/** The number in the name of a node's container: it stays the same whichever others come and go. */
export function containerIndex(name: string): number {
  return Number(/-(\d+)$/.exec(name)?.[1] ?? 0)
}

/** The node that a volume of a cluster was made for, as its name tells; undefined for what is of no node alone. */
export function nodeOfVolume(
  cluster: string,
  volume: string,
): { readonly name: string; readonly role: 'master' | 'worker'; readonly index: number } | undefined {
  const prefix = `airlift-${cluster}-`
  if (!volume.startsWith(prefix)) return undefined
  const [, role, index] = /^(master|worker)-(\d+)(?:-|$)/.exec(volume.slice(prefix.length)) ?? []
  if (role !== 'master' && role !== 'worker') return undefined
  return { name: containerName(cluster, role, Number(index)), role, index: Number(index) }
}
