import type { LockFact } from '../lock-script.js'

/** Facts of one machine, from one probe. Times are milliseconds, sizes bytes. Absent means that the machine cannot tell. */
export interface Facts {
  readonly hostname: string
  readonly machineId?: string
  readonly bootId?: string
  readonly os: { readonly id: string; readonly versionId: string; readonly name: string }
  readonly kernel: string
  /** `uname -m` as it is: `x86_64`, `aarch64`, `armv7l`, `i686`. */
  readonly unameArch: string
  /** 32 or 64: the width of user space (`getconf LONG_BIT`). */
  readonly bits?: number
  /** OpenRC wins when both are there, as in k3s' own installer. */
  readonly init: 'systemd' | 'openrc' | 'none'
  readonly libc?: 'glibc' | 'musl'
  readonly virtualization?: string
  readonly cpus: number
  readonly memoryBytes: number
  readonly memoryAvailableBytes?: number
  readonly swapBytes: number
  readonly cgroups: { readonly version: 1 | 2 | 0; readonly controllers: readonly string[] }
  /** File systems that hold the paths that airlift and k3s write. */
  readonly filesystems: readonly FilesystemFact[]
  /** Modules that k3s needs: loaded, built in or loadable. */
  readonly modules: Readonly<Record<string, 'loaded' | 'available' | 'missing' | 'unknown'>>
  /** Listening sockets. */
  readonly listeners: readonly ListenerFact[]
  /** The machine's clock minus this computer's, corrected by half the round trip. */
  readonly clockSkewMs: number
  /** How sure that is: half the round trip. */
  readonly clockErrorMs: number
  readonly timeSynchronized?: boolean
  readonly defaultRoute?: { readonly device: string; readonly source?: string }
  readonly addresses: readonly {
    readonly device: string
    readonly address: string
    readonly prefix: number
    /** Of IPv6: it will be given up (a privacy address, or a deprecated one). */
    readonly temporary?: true
  }[]
  /** The longest packet of each device, in bytes. */
  readonly mtus?: Readonly<Record<string, number>>
  /** Routes to networks, without the default ones, multicast and link-local. */
  readonly routes?: readonly RouteFact[]
  /** The source address that the route to `routeTo` of the probe's options would use. */
  readonly routeSource?: { readonly to: string; readonly address: string; readonly device: string }
  readonly resolv: {
    readonly path: string
    readonly nameservers: readonly string[]
    readonly search: readonly string[]
  }
  /** Nameservers of /run/systemd/resolve/resolv.conf, when it exists. */
  readonly resolvedNameservers?: readonly string[]
  readonly firewall: readonly ('firewalld' | 'ufw' | 'nftables' | 'iptables')[]
  readonly iptables?: { readonly version: string; readonly mode: 'nft' | 'legacy' | 'unknown' }
  readonly selinux?: 'enforcing' | 'permissive' | 'disabled'
  readonly apparmor?: { readonly enabled: boolean; readonly parser: boolean }
  readonly sysctls: Readonly<Record<string, string>>
  readonly tools: Readonly<Record<string, boolean>>
  /** Other Kubernetes distributions and container engines found, such as `kubeadm`, `k0s`, `rke2`, `microk8s`, `docker`. */
  readonly leftovers: readonly { readonly what: string; readonly evidence: string }[]
  readonly nmCloudSetup?: boolean
  readonly proxyEnv: readonly string[]
  /** What airlift and k3s have on it. */
  readonly managed: ManagedFacts
}

/** One file system. */
export interface FilesystemFact {
  /** The path that was asked for; the nearest parent that exists was looked at. */
  readonly path: string
  readonly mountPoint: string
  readonly type: string
  readonly sizeBytes: number
  readonly freeBytes: number
  readonly freeInodes?: number
  readonly options: readonly string[]
  /** Whether root could create a file there (a read-only mount cannot). */
  readonly writable: boolean
}

/** One route of the main table. */
export interface RouteFact {
  /** CIDR: `10.0.0.0/24`. */
  readonly destination: string
  readonly device: string
}

/** One listening socket. */
export interface ListenerFact {
  readonly protocol: 'tcp' | 'udp'
  readonly address: string
  readonly port: number
  readonly process?: string
}

/** State that airlift compares with what it wants. */
export interface ManagedFacts {
  /** Hex sha256 of blobs in /var/lib/airlift/blobs/sha256. A blob is renamed there only after it was verified. */
  readonly blobs: readonly { readonly sha256: string; readonly sizeBytes: number }[]
  /** Files that were asked for and exist. `blob` is set when the file is a hard link into the store. */
  readonly files: readonly {
    readonly path: string
    readonly sha256?: string
    readonly mode: string
    readonly sizeBytes: number
    readonly inode?: number
    readonly blob?: string
  }[]
  readonly units: readonly {
    readonly unit: string
    readonly loaded: boolean
    readonly enabled: boolean
    readonly active: string
    readonly sub?: string
    readonly restarts?: number
  }[]
  /** Lines of /var/lib/airlift/journal, newest last. */
  readonly journal: readonly string[]
  /** /var/lib/airlift/cluster.json, when it is there and can be read. */
  readonly record?: Readonly<Record<string, unknown>>
  /** Who works on it, or worked last: src/machine/lock-script.ts. */
  readonly lock?: LockFact
  /** Text of fragments that the runtime added to the probe, by name. May hold secrets; never print. */
  readonly fragments: Readonly<Record<string, string>>
}
