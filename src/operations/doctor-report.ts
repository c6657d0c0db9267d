import type { ClusterSpec, Role } from '../cluster/spec.js'
import type { RootfsManifest } from '../rootfs/manifest.js'
import type { Problem } from '../runtime/preflight/problem.js'

/** What `doctor` is asked for. */
export interface DoctorInput {
  /** Masters, nodes, ssh, config and ignore count. Without masters and nodes this computer is looked at. */
  readonly spec: ClusterSpec
  /** Lets the release, the architecture and the room for the files be checked as well. */
  readonly rootfs?: RootfsManifest
  /** Prove that nothing of airlift and k3s is on the machines, instead of looking for what would go wrong. */
  readonly clean?: boolean
}

/** One machine as doctor found it. */
export interface DoctorMachine {
  /** The machine's id; as it was typed when it could not be reached. */
  readonly machine: string
  readonly name: string
  readonly role: Role
  /** Whether nothing on it refuses. */
  readonly ok: boolean
  readonly hostname?: string
  readonly os?: string
  readonly arch?: string
  readonly init?: 'systemd' | 'openrc' | 'none'
  readonly address?: string
  readonly cpus?: number
  readonly memoryBytes?: number
}

/** What doctor found. */
export interface DoctorReport {
  /** Whether nothing refuses: no error but those that were ignored. */
  readonly ok: boolean
  readonly machines: readonly DoctorMachine[]
  readonly problems: readonly Problem[]
}
