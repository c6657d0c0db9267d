import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { waitsForNodes } from '../../cluster/waits-for-nodes.js'
import { formatBytes } from '../../core/bytes.js'
import { INITIALIZED } from '../../machine/state-paths.js'
import type { Action, Step } from '../../plan/plan.js'
import { archOf } from '../../rootfs/arch-of.js'
import type { RootfsManifest } from '../../rootfs/manifest.js'
import type { MachineWorld, NodeStatus, World } from '../runtime.js'
import { type JoinPoint, nodeName, usesEtcd } from './config.js'
import { type Desired, type Difference, desiredState, difference } from './desired.js'
import { mastersOf } from './first-master.js'
import { K3S, STARTING } from './paths.js'
import { MARK_START, STARTED, waitFreshNode } from './start-waits.js'
import { hasImageCache } from './versions.js'
import { checkImages } from './waits.js'

/** What planning one node starts from. */
export interface NodePlan {
  readonly spec: ClusterSpec
  readonly world: World
  readonly node: NodeSpec
  readonly machine: MachineWorld
  /** The master that it joins through; absent for the first one. */
  readonly join?: JoinPoint
}

/** Ids of a node's steps, so that others can need them. */
export const stepId = {
  stage: (machine: MachineWorld): string => `${nodeName(machine)}/stage`,
  install: (machine: MachineWorld): string => `${nodeName(machine)}/install`,
  start: (machine: MachineWorld): string => `${nodeName(machine)}/start`,
  ready: (machine: MachineWorld): string => `${nodeName(machine)}/ready`,
}

/** How a node's last steps wait, which depends on its role. */
export interface StartOptions {
  /** Steps of other machines that must be done before the service starts. */
  readonly needs: readonly string[]
  /** Actions after the start, in the same round trip. */
  readonly waits: readonly Action[]
  /** Unpacks k3s' own data before the start, while another machine is still being waited for. */
  readonly warmUp: boolean
  /** Steps after which its upload begins. */
  readonly uploadAfter?: readonly string[]
  /** Restarts a service that runs already: the cluster has forgotten its node, and only a start registers it again. */
  readonly restart?: boolean
  /** Others cannot join before it has been waited for, however it is itself. */
  readonly awaited?: boolean
}

/** The steps that bring one node from what it is to what it must be; none where it is so already. */
export function nodeSteps(plan: NodePlan, options: StartOptions): Step[] {
  const desired = desiredState(plan.spec, plan.world, plan.node, plan.machine, plan.join)
  const found = difference(desired, plan.machine, plan.world)
  const diff: Difference =
    options.restart && found.service === 'none' ? { ...found, service: 'restart' } : found
  const steps: Step[] = []
  const { machine } = plan
  if (diff.missingBlobs.length > 0) steps.push(stageStep(machine, diff, options.uploadAfter ?? []))
  const install = installActions(plan, desired, diff, options.warmUp)
  if (install.length > 0) {
    steps.push({
      id: stepId.install(machine),
      machine: machine.id,
      title: `install k3s ${plan.world.rootfs?.manifest.version ?? ''} as ${plan.node.role}`,
      needs: steps.map((step) => step.id),
      effect: machine.installed.version ? 'change' : 'create',
      actions: install,
    })
  }
  if (diff.service !== 'none' || options.awaited || !isAsWanted(plan))
    steps.push(startStep(plan, desired, diff, options, steps))
  return steps
}

/**
 * The master that a node's configuration names. A node that joined through another one keeps it: which master happens to
 * answer first today is no reason to rewrite a file and restart a service. So does a node whose master has left the cluster:
 * k3s needs that one only to join, and keeps a list of all masters since.
 */
export function joinThrough(
  spec: ClusterSpec,
  world: World,
  machine: MachineWorld,
  entry: MachineWorld,
): JoinPoint {
  const others = mastersOf(spec, world).filter((master) => master !== machine)
  const server = machine.facts.managed.fragments['k3s-server']?.trim()
  const named = server && isReady({ world, machine, node: machine.node }) ? [{ server }] : []
  const kept = [...others, ...named].find((join) => {
    const desired = desiredState(spec, world, machine.node, machine, join)
    return difference(desired, machine, world).files.every((file) => file.path !== K3S.config)
  })
  return kept ?? (entry === machine ? (others[0] ?? entry) : entry)
}

/**
 * The first master's upload, where there is one: the others begin after it, so that it has the whole line and starts while
 * they still receive. What everybody waits for is that master.
 */
export function firstUpload(spec: ClusterSpec, world: World, first: MachineWorld | undefined): string[] {
  if (!first || first.installed.active || !world.rootfs) return []
  const desired = desiredState(spec, world, first.node, first)
  return difference(desired, first, world).missingBlobs.length > 0 ? [stepId.stage(first)] : []
}

/** The node as the cluster knows it, wherever its API answers. */
export function knownNode(world: World, name: string): NodeStatus | undefined {
  for (const machine of world.machines) {
    const found = machine.installed.nodes?.find((node) => node.name === name)
    if (found) return found
  }
  return undefined
}

/** Whether the cluster has told its nodes. */
export function isAsked(world: World): boolean {
  return world.machines.some(({ installed }) => installed.apiReady && (installed.nodes ?? []).length > 0)
}

/**
 * Whether a node runs that the cluster does not know any more, such as after `kubectl delete node`: it registers when it is
 * started, and never again. A member of etcd is left alone: k3s took it out of the datastore with its Node.
 */
export function isForgotten({ spec, world, machine, node }: NodePlan): boolean {
  const { active, initialized } = machine.installed
  const member = node.role === 'master' && usesEtcd(spec)
  return (
    isAsked(world) && active && initialized && !member && knownNode(world, nodeName(machine)) === undefined
  )
}

/** Whether nothing of a node that runs is left to be waited for, as far as the user wants to wait. */
export function isAsWanted(plan: Pick<NodePlan, 'spec' | 'world' | 'machine' | 'node'>): boolean {
  const { spec, machine, node } = plan
  if (!machine.installed.active) return false
  if (waitsForNodes(spec)) return isReady(plan) && !isStarting(machine)
  return spec.wait === 'none' || node.role === 'worker' || machine.installed.apiReady
}

/** Whether a node is what its start was to make of it: Ready, seen so before, and on a master with an API that answers. */
export function isReady({ world, machine, node }: Pick<NodePlan, 'world' | 'machine' | 'node'>): boolean {
  if (knownNode(world, nodeName(machine))?.ready !== true || !isMarked(machine)) return false
  return node.role === 'worker' || machine.installed.apiReady
}

/** Whether a run has waited for the node to the end. */
function isMarked({ installed }: MachineWorld): boolean {
  return installed.initialized && !installed.unmarked
}

/** Marks a node that has been ready and does not tell, before its service ends: what it holds is then not begun anew. */
export function markReady({ installed }: MachineWorld): Action[] {
  return installed.unmarked ? [{ kind: 'script', script: MARK_READY }] : []
}

const MARK_READY = `: > ${INITIALIZED}`

/** Whether a node that the cluster knows was started again, and nobody has seen it report since. */
export function isStarting({ facts }: MachineWorld): boolean {
  return (facts.managed.fragments['k3s-starting'] ?? '').trim() !== ''
}

/** A node that was Ready before its service began anew is called so for another 40 seconds: only its own report counts. */
function waitReport(machine: MachineWorld, { role }: NodeSpec, timeoutMs: number): Action {
  return waitFreshNode({ node: nodeName(machine), role, started: STARTED.host, timeoutMs })
}

function stageStep(machine: MachineWorld, diff: Difference, needs: readonly string[]): Step {
  const bytes = diff.missingBlobs.reduce((sum, file) => sum + file.size, 0)
  return {
    id: stepId.stage(machine),
    machine: machine.id,
    title: `send ${diff.missingBlobs.length} files (${formatBytes(bytes)})`,
    needs,
    window: 'upload',
    effect: 'create',
    actions: [
      {
        kind: 'stage',
        blobs: diff.missingBlobs.map((file) => ({
          sha256: file.sha256,
          sizeBytes: file.size,
          name: file.path,
        })),
      },
    ],
  }
}

/** Everything that does not need another machine. The token comes later: a joining node's is known only when the master runs. */
function installActions({ world }: NodePlan, desired: Desired, diff: Difference, warmUp: boolean): Action[] {
  const actions: Action[] = diff.links.map((link) => ({
    kind: 'link',
    sha256: link.file.sha256,
    path: link.path,
    mode: link.mode,
  }))
  for (const file of diff.files) if (file.path !== K3S.tokenFile) actions.push(writeAction(file))
  if (desired.stale.length > 0) actions.push({ kind: 'remove', paths: desired.stale })
  if (diff.links.some((link) => link.path === K3S.binary))
    actions.push({ kind: 'script', script: linkTools() })
  if (
    diff.links.some((link) => link.file.role === 'images') &&
    hasImageCache(world.rootfs?.manifest.version ?? '')
  ) {
    // The file's presence makes k3s remember what it imported; without it every restart imports everything again.
    actions.push({
      kind: 'script',
      script: `[ -e ${K3S.images}/.cache.json ] || : > ${K3S.images}/.cache.json`,
    })
  }
  if (diff.enable) actions.push({ kind: 'service', unit: desired.unit, op: 'enable', init: desired.init })
  if (warmUp && diff.links.some((link) => link.path === K3S.binary)) {
    // Unpacks about 250 MB of k3s' own programs, which its first start would otherwise do while others wait.
    actions.push({
      kind: 'script',
      script: `${K3S.binary} kubectl version --client >/dev/null 2>&1; :`,
      timeoutMs: 120_000,
    })
  }
  return actions
}

function writeAction(file: Desired['files'][number]): Action {
  return {
    kind: 'write',
    path: file.path,
    mode: file.mode,
    content: file.content,
    ...(file.base64 ? { base64: true } : {}),
  }
}

/** kubectl, crictl and ctr beside k3s, unless the host has its own: k3s' installer does the same. */
function linkTools(): string {
  return `for tool in kubectl crictl ctr; do if [ ! -e /usr/local/bin/$tool ] && ! command -v $tool >/dev/null 2>&1; then ln -s k3s /usr/local/bin/$tool; fi; done`
}

function startStep(
  { spec, world, node, machine }: NodePlan,
  desired: Desired,
  diff: Difference,
  options: StartOptions,
  before: readonly Step[],
): Step {
  const token = diff.files.find((file) => file.path === K3S.tokenFile)
  const actions: Action[] = diff.service === 'none' ? [] : [...markReady(machine)]
  const again = machine.installed.initialized && waitsForNodes(spec)
  if (token) actions.push(writeAction(token))
  if (again && diff.service !== 'none') actions.push({ kind: 'script', script: MARK_START })
  if (diff.service !== 'none')
    actions.push({ kind: 'service', unit: desired.unit, op: diff.service, init: desired.init })
  // A worker's wait for Ready is part of the wait for its report; masters have more to wait for.
  if (spec.wait !== 'none' && (!again || node.role === 'master')) actions.push(...options.waits)
  if (waitsForNodes(spec)) {
    if (again) actions.push(waitReport(machine, node, spec.timeoutMs))
    const names = imagesFor(world.rootfs?.manifest, machine)
    if (names.length > 0) actions.push(checkImages(names, desired.unit, spec.timeoutMs))
    actions.push({ kind: 'script', script: MARK_READY })
    if (again) actions.push({ kind: 'remove', paths: [STARTING] })
  }
  const verb = diff.service === 'none' ? 'wait for' : diff.service
  return {
    id: stepId.start(machine),
    machine: machine.id,
    title: `${verb} ${desired.unit}`,
    needs: [...before.map((step) => step.id), ...options.needs],
    ...(node.role === 'worker' ? { window: 'join' as const } : {}),
    ...(diff.service === 'none'
      ? {}
      : { effect: machine.installed.active ? ('change' as const) : ('create' as const) }),
    actions,
  }
}

/** Names of the images that the rootfs brings for a machine. */
export function imagesFor(manifest: RootfsManifest | undefined, machine: MachineWorld): string[] {
  if (!manifest) return []
  const arch = archOf(machine.facts)
  return manifest.images.filter((image) => image.arch === arch).flatMap((image) => image.names)
}
