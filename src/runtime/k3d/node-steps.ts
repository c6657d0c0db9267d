import { recordOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { wasStarted } from '../../machine/docker/was-started.js'
import { INITIALIZED } from '../../machine/state-paths.js'
import type { Action, ApiQuestion, Step } from '../../plan/plan.js'
import { hasLeft } from '../has-left.js'
import { usesEtcd } from '../k3s/config.js'
import { changedFiles, type DesiredFile } from '../k3s/desired.js'
import { machineOf } from '../k3s/first-master.js'
import { imagesFor, isAsked, isForgotten, isReady } from '../k3s/node-steps.js'
import { unitName } from '../k3s/paths.js'
import { STARTED, waitFreshNode } from '../k3s/start-waits.js'
import { checkImages, waitApi, waitJoinable, waitMasterReady, waitWorkerReady } from '../k3s/waits.js'
import type { MachineWorld, World } from '../runtime.js'
import type { Joining } from './config.js'
import { clusterLabels, nodeContainer, nodeOptions, ownMounts } from './container-config.js'
import { CONTAINER } from './contract.js'
import { ENGINE_STEPS, engineSteps } from './engine-steps.js'
import { containerOf, engineOf, type Layout } from './layout.js'
import { hasData } from './lost-data.js'
import { attachAgain, isOffNetwork, wakeOp } from './lost-network.js'
import { entries, nodeFiles } from './node-files.js'
import { staysUp } from './stays-up.js'

/** What planning one node starts from. */
export interface NodePlan {
  readonly spec: ClusterSpec
  readonly world: World
  readonly layout: Layout
  readonly node: NodeSpec
  readonly joining: Joining
  /** Makes the cluster forget what the node was before. */
  readonly forget?: Step
  /** A container of the name is there that cannot become the node. */
  readonly anew?: boolean
}

/** Ids of a container's steps, so that others can need them. */
export const stepId = {
  create: (name: string): string => `${name}/create`,
  start: (name: string): string => `${name}/start`,
  ready: (name: string): string => `${name}/ready`,
} as const

/** The steps that bring one node from what it is to what it must be; none where it is so already. */
export function nodeSteps(found: NodePlan, needs: readonly string[]): Step[] {
  const plan = mustBeMadeAnew(found) ? { ...found, world: withoutContainer(found), anew: true } : found
  const { spec, world, layout, node, joining } = plan
  const machine = machineOf(world, node)
  const running = containerOf(world, node.target.host)?.state === 'running'
  const files = nodeFiles(spec, world, layout, node, joining)
  const changed = running && !machine.made ? changedFiles(files, machine, world) : []
  const restart = mustRestart(plan, machine, changed)
  const stays = staysUp(world, node.target.host)
  if (running && !restart && isReady({ world, node, machine }))
    return [...stays, ...filesStep(machine, changed), ...imagesStep(plan, machine)]
  const { forget } = plan
  const steps = [...(forget ? [forget] : []), ...(running ? [] : [createStep(plan, machine, files)])]
  const before = [
    ...steps.map((step) => step.id),
    ...engineSteps(spec, world, layout)
      .map((step) => step.id)
      .filter((id) => id === ENGINE_STEPS.images),
    ...needs,
  ]
  return [...stays, ...steps, ...startSteps(plan, machine, { changed, restart }, before)]
}

/** The first master once the cluster has taken it out: its label says for ever that it founds one, and this one is there. */
function mustBeMadeAnew({ world, node: { target } }: NodePlan): boolean {
  return (
    recordOfLabels(containerOf(world, target.host)?.labels ?? {})?.founder === true &&
    hasLeft(world, target.host)
  )
}

/** The world as it is when the container of the node has been removed. */
function withoutContainer({ world, node }: NodePlan): World {
  const engine = engineOf(world)
  const { host } = node.target
  return {
    ...world,
    engine: { ...engine, containers: engine.containers.filter(({ name }) => name !== host) },
    machines: world.machines.map((machine) =>
      machine.node === node
        ? { ...machine, installed: { active: false, initialized: false, apiReady: false } }
        : machine,
    ),
  }
}

/**
 * One that runs with other files than it is to have, outside of the network, or that the cluster has forgotten; a start does
 * nothing for a paused one.
 */
function mustRestart(
  { spec, world, node, forget }: NodePlan,
  machine: MachineWorld,
  changed: readonly DesiredFile[],
): boolean {
  if (forget || changed.some((file) => file.restart) || isOffNetwork(world, node.target.host)) return true
  return (
    containerOf(world, node.target.host)?.state === 'paused' || isForgotten({ spec, world, node, machine })
  )
}

/** Files that k3s reads by itself, such as manifests. */
function filesStep(machine: MachineWorld, changed: readonly DesiredFile[]): Step[] {
  if (changed.length === 0) return []
  return [
    {
      id: `${machine.name}/files`,
      machine: machine.id,
      title: 'write changed files',
      needs: [],
      effect: 'change',
      actions: writes(changed),
    },
  ]
}

/** Images that a later rootfs brings: k3s imports what appears in its directory, without a restart. */
function imagesStep({ spec, world, layout, node }: NodePlan, machine: MachineWorld): Step[] {
  if (!engineSteps(spec, world, layout).some((step) => step.id === ENGINE_STEPS.images)) return []
  const names = imagesFor(world.rootfs?.manifest, machine)
  return [
    {
      id: `${node.target.host}/images`,
      machine: machine.id,
      title: 'import new images',
      needs: [ENGINE_STEPS.images],
      effect: 'change',
      actions: [
        { kind: 'script', script: `sh ${CONTAINER.entryScript} link-images` },
        checkImages(names, unitName(node.role), spec.timeoutMs),
      ],
    },
  ]
}

function writes(files: readonly DesiredFile[]): Action[] {
  return files.map(({ path, mode, content, base64 }) => ({
    kind: 'write',
    path,
    mode,
    content,
    ...(base64 ? { base64 } : {}),
  }))
}

/** Volumes and container, with all files before it ever starts. One that a dead run left half-made is completed. */
function createStep(
  { spec, world, layout, node, joining, forget, anew }: NodePlan,
  machine: MachineWorld,
  files: readonly DesiredFile[],
): Step {
  const name = node.target.host
  const labels = clusterLabels(spec.name)
  const made = containerOf(world, name) !== undefined
  return {
    id: stepId.create(name),
    machine: machine.id,
    title: `${made ? 'complete' : anew ? 'make anew' : 'create'} the container of a ${node.role}`,
    needs: [
      ...engineSteps(spec, world, layout)
        .map((step) => step.id)
        .filter((id) => id !== ENGINE_STEPS.images),
      ...(forget ? [forget.id] : []),
    ],
    effect: made ? 'change' : 'create',
    actions: [
      ...(anew ? [{ kind: 'container' as const, op: 'remove' as const, name }] : []),
      ...ownMounts(node).map(
        ({ source }): Action => ({ kind: 'volume', op: 'create', name: source, labels }),
      ),
      // Labelled, so that they go with the cluster; the engine makes other volumes itself, and they stay.
      ...clusterVolumes(spec.name, node).map(
        (volume): Action => ({ kind: 'volume', op: 'create', name: volume, labels }),
      ),
      {
        kind: 'container',
        op: 'create',
        config: nodeContainer(spec, world, layout, node, joining.founder),
        files: entries(files),
      },
    ],
  }
}

/** Volumes of the user that the cluster has for itself: those without a name of their own, and those named after it. */
function clusterVolumes(cluster: string, node: NodeSpec): string[] {
  const volumes = nodeOptions(node).mounts.filter(({ kind }) => kind === 'volume')
  return volumes.map(({ source }) => source).filter((source) => source.startsWith(`airlift-${cluster}-`))
}

/** Start and waits. The founder's are two steps: others join as soon as it listens, while it still becomes ready. */
function startSteps(
  plan: NodePlan,
  machine: MachineWorld,
  { changed, restart }: { readonly changed: readonly DesiredFile[]; readonly restart: boolean },
  needs: readonly string[],
): Step[] {
  const { spec, world, node, joining } = plan
  const name = node.target.host
  const state = containerOf(world, name)?.state
  const launch: Action[] = [
    ...writes(changed),
    ...attachAgain(world, name),
    ...(restart
      ? [{ kind: 'container' as const, op: 'restart' as const, name, timeoutSeconds: 20 }]
      : state === 'running'
        ? []
        : [{ kind: 'container' as const, op: wakeOp(world, name), name }]),
  ]
  // One that ran before is called Ready until the cluster misses its reports, 40 seconds later.
  const again =
    restart || (state === undefined ? mayBeKnown(plan) : state !== 'created' && state !== 'running')
  const waits = readyWaits(plan, machine, again)
  const others = spec.masters.length + spec.nodes.length > 1
  const listen =
    joining.founder && others
      ? [
          patient(waitJoinable(name, spec.timeoutMs), {
            of: 'joinable',
            node: name,
            role: 'master',
          }),
        ]
      : []
  const start: Step = {
    id: stepId.start(name),
    machine: machine.id,
    title: launch.length === 0 ? `wait for ${unitName(node.role)}` : `start ${unitName(node.role)}`,
    needs,
    ...(node.role === 'worker' ? { window: 'join' as const } : {}),
    ...(launch.length === 0 ? {} : { effect: restart ? ('change' as const) : ('create' as const) }),
    actions: [...launch, ...listen, ...(joining.founder ? [] : waits)],
  }
  if (!joining.founder || waits.length === 0) return start.actions.length > 0 ? [start] : []
  const ready: Step = {
    id: stepId.ready(name),
    machine: machine.id,
    title: spec.wait === 'api' ? 'wait for the API server' : `wait for node ${name}`,
    needs: [start.id],
    actions: waits,
  }
  return [start, ready]
}

/**
 * What a node must be before it counts as done, as far as the user wants to wait; of one that is started again only its own
 * report counts.
 */
function readyWaits(
  { spec, world, node, joining }: NodePlan,
  machine: MachineWorld,
  again: boolean,
): Action[] {
  const { wait, timeoutMs } = spec
  if (wait === 'none') return []
  const name = node.target.host
  const master = node.role === 'master'
  const { role } = node
  const actions: Action[] = master ? [patient(waitApi(timeoutMs), { of: 'ready', node: name, role })] : []
  if (wait === 'api') return actions
  const mark: Action = { kind: 'script', script: `: > ${INITIALIZED}` }
  // The founder's before the last wait, where it takes no time: the datastore is there as soon as its API answers. One that
  // joins is half-made until it was seen ready, so that an add that was killed is finished by the next one.
  if (joining.founder) actions.push(mark)
  const voter = usesEtcd(spec)
  actions.push(
    patient(master ? waitMasterReady(name, voter, timeoutMs) : waitWorkerReady(name, timeoutMs), {
      of: 'node',
      node: name,
      role,
      ...(master && voter ? { conditions: ['Ready', 'EtcdIsVoter'] } : {}),
    }),
  )
  if (again) actions.push(waitFreshNode({ node: name, role, started: STARTED.container, timeoutMs }))
  const names = imagesFor(world.rootfs?.manifest, machine)
  if (names.length > 0) actions.push(checkImages(names, unitName(node.role), timeoutMs))
  if (!joining.founder) actions.push(mark)
  return actions
}

/** Whether the cluster may have a node of this name, from a container that somebody removed; what it forgets first it has not. */
function mayBeKnown({ world, node }: NodePlan): boolean {
  if (hasData(world, node.target.host)) return true
  return !isAsked(world) && engineOf(world).containers.some(wasStarted)
}

/**
 * A wait of a container: asked from outside where that can be done, and without the way out that only hosts have, since a
 * container that ends is started again by the engine.
 */
function patient({ recover: _, ...wait }: Extract<Action, { kind: 'wait' }>, ask: ApiQuestion): Action {
  return { ...wait, ask }
}
