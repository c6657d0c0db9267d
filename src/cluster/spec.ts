import type { Secret } from '../core/secret.js'
import type { ContainerNodeSpec, ContainerSpec } from './container-spec.js'

/** Which implementation installs and runs the cluster. */
export type RuntimeName = 'k3s' | 'k3d' | 'k0s'

/** `master` is a k3s server or k0s controller, `worker` an agent. */
export type Role = 'master' | 'worker'

/** A machine as the user named it, before ~/.ssh/config is asked. */
export interface MachineTarget {
  readonly kind: 'ssh' | 'local' | 'container'
  /** As typed, after expansion of ranges: `root@10.0.0.1:22`; the name of a container. */
  readonly text: string
  /** Host name, IPv4, or IPv6 without brackets; for `local` it is `local`; the name of a container. */
  readonly host: string
  readonly user?: string
  readonly port?: number
}

/** How machines are reached: the flags that mean the same everywhere. */
export interface SshOptions {
  readonly user?: string
  readonly port?: number
  /** Private key files, in the order they are offered. */
  readonly identities: readonly string[]
  /** `[user@]host[:port]`, several hops separated by commas. Overrides ProxyJump of the config. */
  readonly jump?: string
  /** As --host-keys says; absent: what the configuration of ssh says, else accept-new. */
  readonly hostKeys?: 'strict' | 'accept-new' | 'off'
  readonly knownHosts?: string
  /** Ask for the SSH password on the terminal (or AIRLIFT_SSH_PASSWORD). */
  readonly askPass: boolean
  /** Ask for sudo's password on the terminal (or AIRLIFT_SUDO_PASSWORD). */
  readonly askSudoPass: boolean
  /** `auto` uses sudo when the user is not root; `always` and `never` say so. Default auto. */
  readonly sudo: 'auto' | 'always' | 'never'
  /** `auto` picks OpenSSH's own client where only that can do what the config asks. */
  readonly transport: 'auto' | 'ssh' | 'openssh'
  /** Default ~/.ssh/config, then /etc/ssh/ssh_config. */
  readonly configFile?: string
}

/** A value of k3s' configuration file. */
export type ConfigValue =
  | string
  | number
  | boolean
  | readonly (string | number | boolean)[]
  | { readonly [key: string]: ConfigValue }

/** Kubernetes taint. */
export interface Taint {
  readonly key: string
  readonly value: string
  readonly effect: 'NoSchedule' | 'PreferNoSchedule' | 'NoExecute'
}

/** For whom an option was given: for one node alone, for all of its role, or for every master and worker. */
export type GivenFor = 'node' | 'role' | 'all'

/** For whom each option of a node was given, by its key of `GIVEN`. Nodes that join later get those of a role and of all. */
export type Given = Readonly<Record<string, GivenFor>>

/** One node that the user wants. */
export interface NodeSpec {
  readonly target: MachineTarget
  readonly role: Role
  readonly labels: Readonly<Record<string, string>>
  readonly taints: readonly Taint[]
  /** Of a container only: what the user gave for it. */
  readonly container?: ContainerNodeSpec
  /** For whom each of its labels, taints and options of a container was given; those that are not in it nobody knows of. */
  readonly given?: Given
}

/** A file that goes onto machines because the user named it. */
export interface SpecFile {
  /** Absolute path on the machine. */
  readonly path: string
  readonly content: Buffer
  /** Octal, `0600`. */
  readonly mode: string
}

/** registries.yaml as checked and rendered for the machines. */
export interface RegistriesSpec {
  /** The text of /etc/rancher/k3s/registries.yaml. It may hold passwords. */
  readonly content: Secret
  /** CA, certificate and key files that it refers to, at the paths it names. */
  readonly files: readonly SpecFile[]
  /** Registry names of its mirrors. */
  readonly mirrors: readonly string[]
}

/** A manifest that the cluster applies when it is up. */
export interface ManifestSpec {
  /** File name, kept: `app.yaml`. */
  readonly name: string
  readonly content: string
}

/** What the user wants, from flags or from a file; validated. */
export interface ClusterSpec {
  readonly name: string
  readonly runtime: RuntimeName
  readonly masters: readonly NodeSpec[]
  readonly nodes: readonly NodeSpec[]
  readonly ssh: SshOptions
  /** k3s configuration that is passed through. */
  readonly config: Readonly<Record<string, ConfigValue>>
  readonly registries?: RegistriesSpec
  readonly manifests: readonly ManifestSpec[]
  /** Present when the machines are containers. */
  readonly containers?: ContainerSpec
  /** Preflight codes that may not refuse. */
  readonly ignore: readonly string[]
  readonly wait: 'none' | 'api' | 'nodes' | 'system'
  readonly timeoutMs: number
}
