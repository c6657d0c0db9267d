import type { PortsChange } from '../cluster/container/change-ports.js'
import type { ContainerRecord } from '../cluster/container-labels.js'
import type { ClusterSpec, NodeSpec, RuntimeName } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { AirliftError, ErrorCode } from '../core/errors.js'
import type { Secret } from '../core/secret.js'
import type {
  Engine,
  EngineContainer,
  EngineEndpoint,
  EngineImage,
  EngineInfo,
  EngineNetwork,
  EngineVolume,
} from '../machine/docker/engine.js'
import type { Facts } from '../machine/facts/facts.js'
import type { Machine } from '../machine/machine.js'
import type { Plan } from '../plan/plan.js'
import type { Arch, RootfsManifest } from '../rootfs/manifest.js'

/** What a runtime can do; plain data. */
export interface RuntimeInfo {
  readonly name: RuntimeName
  /** For people: `k3s on machines over SSH`. */
  readonly title: string
  readonly distribution: 'k3s' | 'k0s'
  readonly machines: readonly ('host' | 'container')[]
  readonly verbs: readonly (
    | 'init'
    | 'joinMasters'
    | 'joinNodes'
    | 'deleteMasters'
    | 'deleteNodes'
    | 'upgrade'
    | 'reset'
    | 'stop'
    | 'start'
    | 'ports'
  )[]
  /** Releases that it supports, `major.minor`. */
  readonly minors: readonly string[]
}

/** The parts of a rootfs that planning needs. */
export interface RootfsRef {
  readonly manifest: RootfsManifest
}

/** What the cluster itself says of one node. */
export interface NodeStatus {
  readonly name: string
  readonly role: 'master' | 'worker'
  readonly ready: boolean
  readonly version: string
  readonly address: string
  /** The same of each family, where it has both. */
  readonly addresses?: readonly string[]
  /** Of the Ready condition, when it is not true. */
  readonly message: string
  /** For members of embedded etcd. */
  readonly voter?: boolean
  /** It takes no new pods, whoever said so. */
  readonly cordoned?: true
  /** Cordoned by `stop --drain`; the next start undoes it. */
  readonly drained?: true
  /** As kubectl writes them, `key=value:Effect`; absent where there are none. */
  readonly taints?: readonly string[]
  /** Labels that it has since k3s was told to give them, `key=value`; absent where there are none. */
  readonly givenLabels?: readonly string[]
  /** What k3s was told to give it when it was started last, whatever it has now; absent where k3s has noted nothing. */
  readonly asked?: { readonly labels: readonly string[]; readonly taints: readonly string[] }
}

/** One machine as it was found. */
export interface MachineWorld {
  /** The machine's id. */
  readonly id: string
  /** As the user wrote it. */
  readonly name: string
  readonly node: NodeSpec
  readonly facts: Facts
  /** What is installed and runs there, as the runtime read it. */
  readonly installed: InstalledState
  /** It was not looked into again, see {@link ObserveInput.made}: its files are those that were asked for. */
  readonly made?: true
}

/** What the runtime found on one machine. */
export interface InstalledState {
  /** Name of the cluster in airlift's record on the machine, if there is one. */
  readonly cluster?: string
  readonly role?: 'master' | 'worker'
  readonly version?: string
  /** Whether the service runs, as the init system says. */
  readonly active: boolean
  /** Whether the node has ever been seen ready by airlift. */
  readonly initialized: boolean
  /** It is so by the word of its cluster alone: no run has waited for it, and nothing on the machine tells. */
  readonly unmarked?: true
  /** On a master: the API server answered ready. */
  readonly apiReady: boolean
  /** On a master whose API answers: all nodes. */
  readonly nodes?: readonly NodeStatus[]
  /** A cluster of the same distribution that airlift did not make. */
  readonly foreign?: string
  /** Where there is a service: the files that it cannot start without and that are not there; absent where it has all. */
  readonly lacks?: readonly string[]
}

/** What a container engine holds; containers are found by their labels. */
export interface EngineWorld {
  readonly endpoint: EngineEndpoint
  readonly info: EngineInfo
  /** Of this cluster, running or not. */
  readonly containers: readonly EngineContainer[]
  /** Names of those of them that are empty: the command that made them was killed before it put their files in. */
  readonly unfinished?: readonly string[]
  /** Names of those of them that were masters, and have noted that etcd has put them out. */
  readonly left?: readonly string[]
  /** Of this cluster too, left behind by a command that was ended: they are only removed. */
  readonly temporary?: readonly EngineContainer[]
  /**
   * A change of ports was cut off. `remove`: the new load balancer, among `temporary`, is not needed. `rename`: it has taken
   * the place of the old one but not yet its name; `containers` has it under that name, `temporary` under its own.
   */
  readonly lbNext?: 'remove' | 'rename'
  /** All of the engine: their names, ports and addresses are taken. */
  readonly others: readonly EngineContainer[]
  readonly networks: readonly EngineNetwork[]
  /** The network that the spec names gives no fixed addresses: whoever made it chose no subnet. */
  readonly automaticNetwork?: boolean
  /** Of this cluster. */
  readonly volumes: readonly EngineVolume[]
  /** By the reference that planning may choose from; an absent one is not there. */
  readonly images: ReadonlyMap<string, EngineImage>
  /** Destinations of the routes of the engine's computer, as CIDR, as far as they can be known. */
  readonly routes: readonly string[]
  /** Ports of the engine's computer that are free, to choose from; in the order of choice. */
  readonly freePorts: readonly number[]
  /** The list of targets that the load balancer has, where there is one. */
  readonly lbTargets?: string
  /** Why the engine makes no privileged containers; absent where it does, or was not asked. */
  readonly privilegeRefused?: string
  /** What masters remember of a load balancer that is missing; `record` where it is to be made again. */
  readonly remembered?: { readonly generation: number; readonly record?: ContainerRecord }
  /** What is known of the engine's computer beside that; absent where it is not this one. */
  readonly computer?: EngineComputer
}

/** The computer of a local engine. */
export interface EngineComputer {
  /** fs.inotify.max_user_instances, which all containers share. */
  readonly inotifyInstances?: number
  /** fs.inotify.max_user_watches, too. */
  readonly inotifyWatches?: number
  /** False where its kernel has no IPv6; absent where it cannot be known. */
  readonly ipv6?: boolean
  /** The modules of its kernel; absent where they cannot be looked for. */
  readonly modules?: KernelModules
  /** The file system of the engine's data. */
  readonly disk?: { readonly path: string; readonly sizeBytes: number; readonly freeBytes: number }
  /** Paths that the spec mounts and that are not there. */
  readonly missingPaths: readonly string[]
  /** Addresses at which the spec publishes ports and which are none of this computer. */
  readonly foreignAddresses?: readonly string[]
  /** Ports that the spec publishes and that another program has. */
  readonly busyPorts: readonly {
    readonly address: string
    readonly port: number
    readonly protocol: string
  }[]
}

/** What is known of the modules of a computer's kernel. */
export interface KernelModules {
  readonly kernel: string
  /** Whether the directory of modules is there; a kernel may have everything built in. */
  readonly directory: boolean
  /** Those that no node can do without, neither loaded nor on the disk. */
  readonly missing: readonly string[]
}

/** What is: all machines and what the cluster says. */
export interface World {
  readonly machines: readonly MachineWorld[]
  /** Machines that could not be looked at, with the reason. */
  readonly unreachable: readonly {
    readonly node: NodeSpec
    readonly id: string
    readonly error: AirliftError
  }[]
  /** Values that plans refer to by name: `token`, `registries`, … */
  readonly secrets: ReadonlyMap<string, Secret>
  readonly rootfs?: RootfsRef
  /** Present where the machines are containers. */
  readonly engine?: EngineWorld
  /** Units and scripts by path, from the bundle where there is one, else airlift's own. */
  readonly templates: Readonly<Record<string, string>>
}

/** What `observe` looks at. */
export interface ObserveInput {
  readonly machines: readonly { readonly machine: Machine; readonly node: NodeSpec }[]
  readonly unreachable?: World['unreachable']
  readonly rootfs?: RootfsRef
  readonly templates: Readonly<Record<string, string>>
  /** Where the containers are. */
  readonly engine?: Engine
  /** False: containers are not looked into, which is enough to remove them. Default true. */
  readonly inside?: boolean
  /** True: of an engine only what is the cluster's is asked for, which is enough to remove it. Default false. */
  readonly ownOnly?: boolean
  /** Reads from the API of a master without its machine's help; absent where that cannot be. */
  readonly readApi?: ReadApi
  /** The files of k3s' configuration on a master, its kubeconfig among them, where `readApi` can ask it; else none. */
  readonly readFiles?: (master: string) => Promise<NodeFiles>
  /**
   * What machines need to know that are to join: also the files in which the user said what nodes are to be like. Nothing is
   * run in containers that the engine and the API tell enough of: they stay as they are.
   */
  readonly toJoin?: true
  /** Machines that have just been looked at, and are not looked at again. */
  readonly seen?: readonly MachineWorld[]
  /**
   * Ids of containers that this operation has made and brought up, or has looked into before and left alone. What is in
   * them is known, so they are not looked into; that they run is asked of the engine, and that they are Ready of the API.
   */
  readonly made?: ReadonlySet<string>
}

/** Small files of a machine by path; `mode` is octal, `0600`. */
export type NodeFiles = ReadonlyMap<string, { readonly mode: string; readonly content: Buffer }>

/** The body of a path of a master's API, empty where the API refuses or is silent; `unavailable` where it cannot be asked from here. */
export type ReadApi = (master: string, path: string) => Promise<string>

/** How nodes leave a cluster. */
export interface LeaveOptions {
  /** How long the pods of one node may take to leave it. Default 5 minutes; 30 seconds with `force`. */
  readonly drainTimeoutMs?: number
  /**
   * Goes on when pods do not leave in time: they are deleted, whatever a PodDisruptionBudget says. Also lets a node leave
   * whose machine cannot be reached. Default false.
   */
  readonly force?: boolean
}

/** An image that nodes can run. */
export interface NodeImage {
  readonly ref: string
  /** `v1.33.1+k3s1` */
  readonly version: string
}

/** What a runtime knows of the images that its nodes run. All of it is pure. */
export interface NodeImages {
  /** Repositories whose images are nodes. */
  readonly repositories: readonly string[]
  /** Those of an engine that it can run and whose release is known and supported, newest first. */
  among(images: readonly EngineImage[], arch: Arch): readonly NodeImage[]
  /** The release that an image holds; undefined where nothing tells. `image` is absent where the engine does not have it. */
  versionOf(ref: string, image: EngineImage | undefined): string | undefined
  /** The image of a release that its makers publish. */
  published(version: string): string
  /** Whether airlift made the image of that name: of this rootfs, where one is given, of any otherwise. */
  isMade(ref: string, arch: Arch, rootfs?: RootfsRef): boolean
  /** The processor of an engine's computer. @throws AirliftError E_UNSUPPORTED for one that there is no release for */
  arch(engineArch: string): Arch
}

/** One way to install and run a cluster. Every verb is pure: it decides and returns a plan. */
export interface Runtime {
  readonly info: RuntimeInfo
  /** Looks at every machine, in one round trip each. */
  observe(spec: ClusterSpec, input: ObserveInput, ctx: Context): Promise<World>
  /** What must be seen before it can be planned, as words for who is waited for; it shows by itself within seconds. */
  undecided?(spec: ClusterSpec, world: World): string | undefined
  /** The first master. */
  init(spec: ClusterSpec, world: World): Plan
  joinMasters(spec: ClusterSpec, world: World, masters: readonly NodeSpec[]): Plan
  joinNodes(spec: ClusterSpec, world: World, nodes: readonly NodeSpec[]): Plan
  /** @throws AirliftError E_UNSUPPORTED when `info.verbs` lacks it; so do the following two */
  deleteMasters(spec: ClusterSpec, world: World, masters: readonly NodeSpec[], options?: LeaveOptions): Plan
  deleteNodes(spec: ClusterSpec, world: World, nodes: readonly NodeSpec[], options?: LeaveOptions): Plan
  upgrade(spec: ClusterSpec, world: World, to: RootfsRef): Plan
  reset(spec: ClusterSpec, world: World): Plan
  /** What a log tells that will never get better by waiting, where this runtime knows it. */
  explain?(
    log: string,
  ): { readonly code: ErrorCode; readonly message: string; readonly hint: string } | undefined
  /** Ends k3s and its pods on every machine that can be reached; data stays. @throws AirliftError E_REFUSED */
  stop(spec: ClusterSpec, world: World, options: StopOptions): Plan
  /** Starts what is stopped, and waits as the spec says. @throws AirliftError E_REFUSED */
  start(spec: ClusterSpec, world: World): Plan
  /** Images of nodes, where the machines are containers. */
  readonly images?: NodeImages
  /** Published ports; there where `info.verbs` has `ports`. */
  readonly ports?: {
    /** Changes them. @throws AirliftError E_SPEC_INVALID, E_UNSUPPORTED, E_REFUSED, E_IMAGE_MISSING, E_ENGINE_CONFLICT */
    change(spec: ClusterSpec, world: World, change: PortsChange): Plan
    /** Takes back a change that failed: `before` is the world that it began with. */
    undo(spec: ClusterSpec, world: World, before: World): Plan
  }
}

/** How a cluster is stopped. */
export interface StopOptions {
  /** Empties the workers first, and lets them be used again at the next start. */
  readonly drain: boolean
}
