import type { ClusterSpec } from '../cluster/spec.js'
import type { Rootfs } from '../rootfs/manifest.js'

/** What says where k3s comes from. */
export interface SourceInput {
  readonly spec: ClusterSpec
  /** Of the caller, who closes it. */
  readonly rootfs?: Rootfs
  /** A release or a channel, where there is no rootfs. */
  readonly version?: string | undefined
}

/** Where k3s comes from. */
export interface FoundSource {
  /** With the image of the containers, where one was chosen. */
  readonly spec: ClusterSpec
  /** Absent for containers that run an image alone. */
  readonly rootfs?: Rootfs
  /** Absent where an image does not tell. */
  readonly version?: string
}
