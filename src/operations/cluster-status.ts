import type { NodeStatus } from '../runtime/runtime.js'

/** One node in a status. */
export interface NodeReport
  extends Omit<NodeStatus, 'voter' | 'cordoned' | 'drained' | 'taints' | 'givenLabels' | 'asked'> {
  /** Id of its machine; null when the cluster knows a node whose machine is not known here. */
  readonly machine: string | null
}

/** Something that is wrong with the cluster. */
export interface StatusProblem {
  readonly code: string
  readonly machine: string | null
  readonly message: string
  readonly hint: string
}

/** The health of a cluster; the JSON of `airlift status`. */
export interface ClusterStatus {
  readonly name: string
  readonly runtime: string
  readonly version: string
  readonly health: 'ready' | 'degraded' | 'down'
  readonly endpoint: string
  readonly datastore: {
    readonly kind: 'etcd' | 'sqlite' | 'external'
    readonly members: number
    readonly healthy: number
  }
  readonly nodes: readonly NodeReport[]
  readonly problems: readonly StatusProblem[]
}
