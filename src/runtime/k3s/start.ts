import type { ClusterSpec } from '../../cluster/spec.js'
import { waitsForNodes } from '../../cluster/waits-for-nodes.js'
import { AirliftError } from '../../core/errors.js'
import { type Action, type Plan, type Step, summarize } from '../../plan/plan.js'
import type { MachineWorld, World } from '../runtime.js'
import { nodeName } from './config.js'
import { isStarting, knownNode, stepId } from './node-steps.js'
import { STARTING, unitName } from './paths.js'
import { finishSteps, MARK_START, STARTED, startWaits, waitJoinableAgain } from './start-waits.js'
import { isStartable, neverStarted } from './startable.js'

/**
 * Starts what is stopped, but not what is only half installed, which would wait for ever. All masters start at the same time: a member of etcd that is alone waits for the majority and
 * would never be ready. Workers follow as soon as one master can be asked. Empty where everything runs and is ready.
 * @throws AirliftError E_REFUSED where too few masters can be reached for etcd to have a majority
 */
export function planStart(spec: ClusterSpec, world: World): Plan {
  const own = world.machines.filter((machine) => isMember(spec, machine) && isStartable(machine))
  const masters = own.filter((machine) => machine.installed.role === 'master')
  const etcd = masters.some(hasEtcd)
  requireMasters(spec, world, masters, etcd)
  const entry = masters.find((machine) => machine.installed.apiReady) ?? masters[0]
  const steps: Step[] = []
  const followers = own.some(({ installed }) => installed.role === 'worker' && !installed.active)
  for (const machine of own) {
    const isMaster = machine.installed.role === 'master'
    const needs = isMaster || !entry || entry.installed.apiReady ? [] : [stepId.start(entry)]
    const awaited = machine === entry && followers && !machine.installed.apiReady
    const begin = startStep(spec, machine, needs, awaited)
    const ready = readyStep(spec, world, machine, etcd, begin)
    steps.push(...(begin ? [begin] : []), ...(ready ? [ready] : []))
  }
  const idle = steps.length === 0
  if (entry) {
    const drained = entry.installed.nodes?.filter((node) => node.drained).map((node) => node.name)
    const before = [stepId.ready(entry)].filter((id) => steps.some((step) => step.id === id))
    const { wait, timeoutMs } = spec
    const rest = finishSteps({ machine: entry.id, needs: before, drained, wait, timeoutMs })
    // A cluster that runs is asked for its system pods by `status`; here only what was started is waited for.
    steps.push(...rest.filter((step) => !idle || step.effect !== undefined))
  }
  return { operation: 'start', name: spec.name, runtime: 'k3s', steps, summary: summarize(steps) }
}

/** Whether k3s of this cluster is installed on a machine. */
export function isMember(spec: ClusterSpec, { installed }: MachineWorld): boolean {
  return installed.cluster === spec.name && installed.role !== undefined
}

/** Whether a master keeps its data in embedded etcd. */
function hasEtcd({ facts }: MachineWorld): boolean {
  return (facts.managed.fragments['k3s-datastore'] ?? '').includes('etcd')
}

function requireMasters(
  spec: ClusterSpec,
  world: World,
  startable: readonly MachineWorld[],
  etcd: boolean,
): void {
  // A master on which k3s has never run is no member of etcd.
  const all = world.machines.filter(({ node }) => node.role === 'master')
  const members = spec.masters.length - (etcd ? all.filter(neverStarted).length : 0)
  const needed = etcd ? Math.floor(members / 2) + 1 : 1
  if (startable.length >= needed || all.some(({ installed }) => installed.apiReady)) return
  const lost = world.unreachable.filter(({ node }) => node.role === 'master')
  const unfinished = all.filter((machine) => !startable.includes(machine))
  const why = etcd ? `etcd needs ${needed} to start` : 'a cluster needs one to start'
  const names = unfinished.map(({ name }) => name).join(', ')
  throw new AirliftError(
    'E_REFUSED',
    `${startable.length} of ${members} masters can be started, and ${why}`,
    {
      log: [
        ...lost.map(({ node, error }) => `${node.target.text}: ${error.message}`),
        ...unfinished.map(({ name, installed }) => `${name}: ${whyNot(installed)}`),
      ],
      hint:
        startable.length + unfinished.length >= needed
          ? `run the airlift run command of the cluster again: it installs what is missing on ${names}`
          : 'bring the other masters back first, or restore a snapshot onto one master',
    },
  )
}

function whyNot({ lacks = [] }: MachineWorld['installed']): string {
  return lacks.length > 0 ? `${lacks.join(', ')} is missing` : 'k3s is not installed'
}

/** `awaited`: workers follow, also where an earlier start was cut off and the service runs without being ready. */
function startStep(
  spec: ClusterSpec,
  machine: MachineWorld,
  needs: readonly string[],
  awaited: boolean,
): Step | undefined {
  const { facts, installed } = machine
  const unit = unitName(installed.role ?? machine.node.role)
  const joinable = awaited ? [waitJoinableAgain(nodeName(machine), spec.timeoutMs)] : []
  const about = { id: stepId.start(machine), machine: machine.id }
  if (installed.active)
    return awaited ? { ...about, title: `wait for ${unit}`, needs, actions: joinable } : undefined
  const actions: Action[] = [
    ...(waitsForNodes(spec) ? [{ kind: 'script' as const, script: MARK_START }] : []),
    { kind: 'service', unit, op: 'start', init: facts.init === 'openrc' ? 'openrc' : 'systemd' },
    ...joinable,
  ]
  return {
    ...about,
    title: `start ${unit}`,
    needs,
    ...(installed.role === 'worker' ? { window: 'join' as const } : {}),
    effect: 'change',
    actions,
  }
}

function readyStep(
  spec: ClusterSpec,
  world: World,
  machine: MachineWorld,
  etcd: boolean,
  begin: Step | undefined,
): Step | undefined {
  const { installed } = machine
  const role = installed.role ?? machine.node.role
  const node = nodeName(machine)
  const known = knownNode(world, node)?.ready === true && (role === 'worker' || installed.apiReady)
  if (!begin && known && !isStarting(machine)) return undefined
  const { wait, timeoutMs } = spec
  const waits = startWaits({ node, role, voter: etcd, started: STARTED.host, wait, timeoutMs })
  if (waits.length === 0) return undefined
  return {
    id: stepId.ready(machine),
    machine: machine.id,
    title: wait === 'api' ? 'wait for the API server' : `wait for node ${node}`,
    needs: begin ? [begin.id] : [],
    actions: [...waits, ...(wait === 'api' ? [] : [{ kind: 'remove' as const, paths: [STARTING] }])],
  }
}
