import type { ClusterSpec, ConfigValue, NodeSpec } from '../../cluster/spec.js'
import type { Facts } from '../../machine/facts/facts.js'
import { INITIALIZED } from '../../machine/state-paths.js'
import { archOfUname } from '../../rootfs/arch-of.js'
import type { RootfsFile, RootfsManifest } from '../../rootfs/manifest.js'
import type { InstalledState } from '../runtime.js'

/** What preflight looks at: a machine of the world, or the same without an installation. */
export interface PreflightMachine {
  readonly name: string
  readonly node: NodeSpec
  readonly facts: Facts
  readonly installed?: InstalledState
}

/** What every check is handed. */
export interface CheckInput {
  readonly spec: ClusterSpec
  readonly machine: PreflightMachine
  /** All machines of the operation, in the order of the spec. */
  readonly machines: readonly PreflightMachine[]
  /** Absent when only the machines are looked at. */
  readonly rootfs?: RootfsManifest
}

/** Whether airlift made what is on the machine: its record or its journal is there. */
export function isOurs({ facts }: PreflightMachine): boolean {
  return facts.managed.record !== undefined || facts.managed.journal.length > 0
}

/** Whether the node has been ready before: then its space is already taken and its images are unpacked. */
export function isJoined({ installed, facts }: PreflightMachine): boolean {
  return installed?.initialized === true || facts.managed.files.some((file) => file.path === INITIALIZED)
}

/** A value of the k3s configuration as a list of texts; none when it is absent. */
export function configList(spec: ClusterSpec, key: string): readonly string[] {
  const value: ConfigValue | undefined = spec.config[key]
  if (value === undefined) return []
  if (Array.isArray(value)) return value.map(String)
  return typeof value === 'object' ? [] : String(value).split(',')
}

/** A value of the k3s configuration as text. */
export function configText(spec: ClusterSpec, key: string): string | undefined {
  return configList(spec, key)[0]
}

/** Whether the k3s configuration says yes. */
export function configFlag(spec: ClusterSpec, key: string): boolean {
  return configText(spec, key) === 'true'
}

/** Whether the masters keep the data in embedded etcd. */
export function wantsEtcd(spec: ClusterSpec): boolean {
  if (spec.config['datastore-endpoint'] !== undefined) return false
  return spec.masters.length > 1 || configFlag(spec, 'cluster-init')
}

/** Files of the rootfs that this machine needs; none where it holds nothing for the processor. */
export function filesFor(rootfs: RootfsManifest, machine: PreflightMachine): readonly RootfsFile[] {
  const arch = archOfUname(machine.facts.unameArch)
  if (arch === undefined || !rootfs.arch.includes(arch)) return []
  return rootfs.files.filter((file) => file.arch === undefined || file.arch === arch)
}

/** Sizes for people: `2.1 GiB`, `300 MiB`. */
export function sizeText(bytes: number): string {
  const mebibytes = bytes / 1024 ** 2
  return mebibytes >= 1000 ? `${(mebibytes / 1024).toFixed(1)} GiB` : `${Math.floor(mebibytes)} MiB`
}

/** Whether a machine is a container, whose kernel and clock are another's. */
export function isContainer(virtualization: string | undefined): boolean {
  return virtualization !== undefined && /docker|podman|lxc|container|nspawn|wsl/.test(virtualization)
}
