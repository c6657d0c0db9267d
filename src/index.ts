/**
 * The library: what the command line does, without printing. Every operation takes a spec and a context and resolves with data.
 */
export { type BuiltSpec, buildSpec, type SpecFlags } from './cluster/build-spec.js'
export type { ContainerNodeSpec, ContainerSpec } from './cluster/container-spec.js'
export type { ClusterSpec, MachineTarget, NodeSpec, Role, RuntimeName, SshOptions } from './cluster/spec.js'
export { type Context, createContext, defaultLimits, type Limits } from './core/context.js'
export { AirliftError, ERROR_CODES, type ErrorCode, isAirliftError } from './core/errors.js'
export { type AirliftEvent, createEvents, type Events } from './core/events.js'
export { Secret } from './core/secret.js'
export type { Facts } from './machine/facts/facts.js'
export type { Machine, PutRequest, RunOptions, RunResult } from './machine/machine.js'
export { createSecretSource, type SecretSource } from './machine/ssh/secret-source.js'
export { type AddInput, type AddOutcome, add } from './operations/add.js'
export type { ClusterStatus } from './operations/cluster-status.js'
export { type CopyInput, type CopyResult, copy } from './operations/copy.js'
export { type DeleteInput, type DeleteOutcome, deleteNodes } from './operations/delete.js'
export { doctor } from './operations/doctor.js'
export type { DoctorInput, DoctorReport } from './operations/doctor-report.js'
export { type ExecInput, type ExecResult, exec } from './operations/exec.js'
export { type ImportInput, type ImportResult, importImages } from './operations/images/import-images.js'
export { type ImageList, listImages } from './operations/images/list-images.js'
export { type KubeconfigResult, kubeconfig, saveKubeconfig } from './operations/kubeconfig.js'
export { type ListedCluster, list } from './operations/list.js'
export { type LogsInput, type LogsMachine, type LogsResult, logs } from './operations/logs/logs.js'
export { changePublishedPorts, type PortsInput, type PortsOutcome } from './operations/ports.js'
export { findLeftovers, type Pruning } from './operations/prune.js'
export type { MachineReport, OperationReport } from './operations/report.js'
export { type ResetInput, type ResetOutcome, reset } from './operations/reset.js'
export type { ClusterRef } from './operations/resolve-cluster.js'
export { type RunInput, type RunOutcome, run } from './operations/run.js'
export type { OperationDeps } from './operations/session.js'
export { status } from './operations/status.js'
export {
  type StartInput,
  type StopInput,
  type StopStartOutcome,
  start,
  stop,
} from './operations/stop-start.js'
export type { Action, Plan, Step } from './plan/plan.js'
export { createSpecIo } from './registry/local-spec-io.js'
export { buildBundle } from './rootfs/build-bundle.js'
export type { Rootfs, RootfsManifest } from './rootfs/manifest.js'
export { openRootfs } from './rootfs/open-rootfs.js'
export { newRuntime } from './runtime/new-runtime.js'
export type { Runtime, RuntimeInfo, World } from './runtime/runtime.js'
