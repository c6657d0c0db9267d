import type { Filterable } from '../filters.js'
import type { ConfigValue } from '../spec.js'

/** The flags of containers, as commander gives them. */
export interface ContainerFlags {
  readonly image?: string
  readonly port?: readonly string[]
  readonly ingress?: boolean
  readonly volume?: readonly string[]
  readonly env?: readonly string[]
  readonly k3sArg?: readonly string[]
  readonly runtimeLabel?: readonly string[]
  readonly file?: readonly string[]
  readonly apiPort?: string
  readonly network?: string
  readonly subnet?: string
  readonly ipFamily?: string
  /** False with `--no-lb`. */
  readonly lb?: boolean
  readonly memory?: readonly string[]
  readonly cpus?: readonly string[]
  readonly gpus?: string
  readonly hostAlias?: readonly string[]
  readonly dns?: readonly string[]
  readonly ulimit?: readonly string[]
  readonly ca?: readonly string[]
  readonly keep?: boolean
}

/** What the flags are about. */
export interface ContainerSubject {
  readonly cluster: string
  /** Masters, then workers; the first name of each is that of its container. */
  readonly nodes: readonly Filterable[]
  /** k3s configuration. */
  readonly config: Readonly<Record<string, ConfigValue>>
  /** Whether `--registries` was given. */
  readonly registries: boolean
  /** They join a cluster that is there: a load balancer, if it has one, is none of the containers that are made. */
  readonly joining?: boolean
}
