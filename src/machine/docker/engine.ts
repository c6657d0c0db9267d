import type { Readable } from 'node:stream'
import type { MachineProcess } from '../session/process.js'

/** Which engine is spoken to, and how. */
export interface EngineEndpoint {
  /** `unix:///var/run/docker.sock`, `tcp://10.0.0.5:2376`, `ssh://user@host`. */
  readonly url: string
  /** Where it was found: `DOCKER_HOST`, `context desktop-linux`, `default`. */
  readonly source: string
  /** Whether published ports of 127.0.0.1 are on this computer. */
  readonly local: boolean
  /** Host name or address that published ports are reached under from here. */
  readonly host: string
}

/** What an engine says of itself and of the computer that it runs on. */
export interface EngineInfo {
  readonly kind: 'docker' | 'podman'
  readonly version: string
  /** `1.41` */
  readonly apiVersion: string
  /** GOARCH of the engine's computer: amd64, arm64, … */
  readonly arch: string
  readonly os: string
  readonly cgroupVersion: '1' | '2'
  readonly rootless: boolean
  readonly usernsRemap: boolean
  readonly memoryBytes: number
  readonly cpus: number
  readonly storageDriver: string
  /** Docker's containerd image store: images have other ids and one tag may hold several platforms. */
  readonly containerdStore: boolean
  readonly serverName: string
  /** Where the engine keeps images and volumes on its own computer; empty where it does not tell. */
  readonly rootDir: string
  /** Whether it knows of a way to give GPUs to containers: an OCI runtime of NVIDIA, or devices described by CDI. */
  readonly gpuReady: boolean
}

export interface EngineContainer {
  readonly id: string
  /** Without the leading slash. */
  readonly name: string
  readonly image: string
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'removing' | 'exited' | 'dead'
  readonly exitCode: number
  readonly labels: Readonly<Record<string, string>>
  /** Address by network name; of a stopped container the one that it was given. */
  readonly addresses: Readonly<Record<string, string>>
  /** The same of IPv6, for networks where it has both; without those where it has none. */
  readonly addresses6?: Readonly<Record<string, string>>
  /** Id by name of the networks that it is in; empty where it was never started. Missing where the engine does not tell. */
  readonly networkIds?: Readonly<Record<string, string>>
  readonly ports: readonly {
    readonly address: string
    readonly hostPort: number
    readonly containerPort: number
    readonly protocol: 'tcp' | 'udp' | 'sctp'
  }[]
  readonly mounts: readonly { readonly kind: string; readonly source: string; readonly target: string }[]
  readonly restarts: number
  readonly startedAt: string
  /** Its restart policy; `no` where the engine leaves it down. Missing where the engine does not tell. */
  readonly restart?: string
  /** Whole answer of `inspect`, for what is rarely needed. */
  readonly raw: unknown
}

export interface EngineNetwork {
  readonly id: string
  readonly name: string
  readonly driver: string
  /** Of IPv6 only where the network has it switched on. */
  readonly subnets: readonly string[]
  readonly gateway?: string
  readonly gateway6?: string
  readonly labels: Readonly<Record<string, string>>
  /** Addresses of attached containers by name. */
  readonly containers: Readonly<Record<string, string>>
  /** The same of IPv6, without those that have none. */
  readonly containers6?: Readonly<Record<string, string>>
}

export interface EngineVolume {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
}

export interface EngineImage {
  readonly id: string
  readonly tags: readonly string[]
  readonly arch: string
  readonly sizeBytes: number
  readonly labels: Readonly<Record<string, string>>
  readonly entrypoint: readonly string[]
  readonly env: readonly string[]
}

/** A container to create; what is not named is the engine's default. */
export interface ContainerConfig {
  readonly name: string
  readonly image: string
  readonly hostname: string
  readonly entrypoint: readonly string[]
  readonly command: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly privileged: boolean
  readonly capabilities: readonly string[]
  readonly sysctls: Readonly<Record<string, string>>
  /** Path to mount options: `{'/run': ''}`. */
  readonly tmpfs: Readonly<Record<string, string>>
  readonly mounts: readonly {
    readonly kind: 'bind' | 'volume'
    readonly source: string
    readonly target: string
    readonly readOnly: boolean
    readonly propagation?: string
    /** A path that may not be there: the engine makes an empty directory of it then, and does not refuse. */
    readonly optional?: boolean
  }[]
  readonly ports: readonly {
    readonly address: string
    readonly hostPort: number
    readonly containerPort: number
    readonly protocol: 'tcp' | 'udp' | 'sctp'
  }[]
  readonly network: string
  /** Fixed address in the network. */
  readonly address?: string
  /** Fixed address of IPv6 in the network, where it has both families. */
  readonly address6?: string
  readonly extraHosts: readonly string[]
  /** Resolvers that the engine's own asks; absent: those of its computer. */
  readonly dns?: readonly string[]
  readonly restart: 'no' | 'always'
  readonly stopTimeoutSeconds: number
  readonly memoryBytes?: number
  readonly cpus?: number
  readonly gpus?: {
    readonly count: number
    readonly ids: readonly string[]
    readonly capabilities: readonly string[]
    /** Devices that CDI names, rather than those of the engine's own driver. */
    readonly driver?: 'cdi'
  }
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[]
  /** `host` where user namespaces are remapped. */
  readonly usernsMode?: string
}

/**
 * A container engine, as little of it as airlift needs. Every method may throw AirliftError E_ENGINE_UNREACHABLE,
 * E_ENGINE, E_ENGINE_CONFLICT (a name, port or subnet is taken), E_ENGINE_NOT_FOUND, E_ENGINE_PRIVILEGE, E_IMAGE_MISSING,
 * E_DISK_FULL, E_TIMEOUT, E_INTERRUPTED. Removing what is not there is no error.
 */
export interface Engine {
  readonly endpoint: EngineEndpoint
  info(): Promise<EngineInfo>

  /** Containers with all of these labels (`airlift.cluster=dev`, or a bare key), running or not; all without labels. */
  containers(labels: readonly string[]): Promise<readonly EngineContainer[]>
  container(name: string): Promise<EngineContainer | undefined>
  createContainer(config: ContainerConfig): Promise<string>
  /**
   * Asks for a privileged container of an image that no engine has: who may have none is told so before that is missed, and
   * nothing is made. @throws AirliftError E_ENGINE_PRIVILEGE
   */
  checkPrivileged(usernsMode?: string): Promise<void>
  startContainer(name: string): Promise<void>
  stopContainer(name: string, timeoutSeconds: number): Promise<void>
  restartContainer(name: string, timeoutSeconds: number): Promise<void>
  /**
   * Whether the engine starts it when the engine itself starts. An engine that cannot change this of a container that is
   * there (Podman before 5.1) leaves it as it is.
   */
  setRestart(name: string, policy: 'no' | 'always'): Promise<void>
  /** With its anonymous volumes; kills it first when `force`. */
  removeContainer(name: string, options: { readonly force: boolean }): Promise<void>
  renameContainer(name: string, to: string): Promise<void>
  /** Resolves with the exit code when it ends; at once when it does not run. */
  waitContainer(name: string): Promise<number>
  /** The last lines of its output, both streams mixed; with `since`, an ISO time, of those from then on. */
  logs(name: string, options: { readonly tail: number; readonly since?: string }): Promise<string>
  /** All of its output as it is stored. */
  logStream(name: string): Promise<Readable>
  /** Unpacks a tar below `path`, also in a container that does not run, and into its volumes. */
  putArchive(name: string, path: string, tar: Readable | Buffer): Promise<void>
  /** A tar of `path`; undefined when there is no such path. */
  getArchive(name: string, path: string): Promise<Readable | undefined>
  /** Whether a container has a path, also one that does not run. Takes an engine milliseconds, where an archive takes it 200. */
  hasPath(name: string, path: string): Promise<boolean>
  /** Runs a command in a running container. */
  exec(name: string, command: readonly string[]): Promise<MachineProcess>
  /** The same with this process' own stdin, stdout and stderr; resolves with the exit code. */
  execInteractive(name: string, command: readonly string[], tty: boolean): Promise<number>

  /** All networks, or those with all of these labels. */
  networks(labels?: readonly string[]): Promise<readonly EngineNetwork[]>
  network(name: string): Promise<EngineNetwork | undefined>
  createNetwork(network: {
    readonly name: string
    readonly subnet: string
    readonly gateway: string
    /** Of IPv6, for a network of both families. */
    readonly subnet6?: string
    readonly gateway6?: string
    readonly labels: Readonly<Record<string, string>>
    readonly mtu?: number
  }): Promise<void>
  removeNetwork(name: string): Promise<void>
  /** Puts a container into a network, with these addresses; one that was in a network of this name before, too. */
  attach(
    network: string,
    container: string,
    addresses: { readonly address?: string; readonly address6?: string },
  ): Promise<void>
  /** Takes a container off a network, also while it runs. */
  detach(network: string, container: string): Promise<void>
  /**
   * Whether containers can have fixed addresses in a network: Docker gives them only where whoever made it chose a subnet.
   * Where the engine does not tell it is tried with a container that is never started; undefined where that cannot be done.
   *
   * @param dual - of both families, which are chosen apart
   */
  keepsAddresses(name: string, dual?: boolean): Promise<boolean | undefined>

  volumes(labels: readonly string[]): Promise<readonly EngineVolume[]>
  /** Gives the labels that it has: one that is there already keeps its own. */
  createVolume(
    name: string,
    labels: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>>
  removeVolume(name: string): Promise<void>

  image(ref: string): Promise<EngineImage | undefined>
  images(labels: readonly string[]): Promise<readonly EngineImage[]>
  /** Images whose tags are of one of these repositories, `rancher/k3s`. */
  imagesNamed(repositories: readonly string[]): Promise<readonly EngineImage[]>
  /**
   * Asks the registry, through the engine, whether an image is there to be pulled; pulls nothing. An engine that cannot ask
   * says yes. @throws AirliftError E_IMAGE_MISSING with what the registry, or the way to it, said
   */
  checkPull(ref: string): Promise<void>
  pullImage(ref: string, onProgress?: (line: string) => void): Promise<void>
  /** Makes an image of one layer from a tar of a root file system; `changes` are Dockerfile lines. */
  importImage(ref: string, tar: Readable, changes: readonly string[]): Promise<void>
  /** A docker archive of these images; only of one platform (`linux/amd64`) where the engine can choose. */
  saveImages(refs: readonly string[], platform?: string): Promise<Readable>
  removeImage(ref: string): Promise<void>

  close(): Promise<void>
}
