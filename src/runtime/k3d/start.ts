import { recordOfLabels } from '../../cluster/container-labels.js'
import { containerName } from '../../cluster/container-spec.js'
import { noMaster } from '../../cluster/no-master.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { containerId } from '../../machine/container-id.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import { type Plan, type Step, summarize } from '../../plan/plan.js'
import { hasLeft } from '../has-left.js'
import { usesEtcd } from '../k3s/config.js'
import { knownNode } from '../k3s/node-steps.js'
import { finishSteps, STARTED, startWaits, waitJoinableAgain } from '../k3s/start-waits.js'
import type { World } from '../runtime.js'
import { isUnfinished } from '../unfinished.js'
import { ENGINE_STEPS, engineSteps } from './engine-steps.js'
import { planOf } from './init.js'
import { containerOf, containersOf, engineOf, layoutOf } from './layout.js'
import { lbSteps } from './lb-steps.js'
import { attachAgain, isOffNetwork, wakeOp } from './lost-network.js'
import { settleSteps } from './next-balancer.js'
import { isBalancerLost, lostBalancerOptions } from './remembered-balancer.js'

/**
 * Starts the masters and the load balancer of the cluster at the same time, since none of etcd's members is ready alone,
 * then the workers, and waits inside each as on a host. A worker that asks a master too early loses 5 to 10 seconds. Nodes that
 * are unfinished are left alone, since only what made them knows what belongs into them, and so are masters that the cluster has
 * taken out. Empty where everything runs and is ready.
 * @throws AirliftError E_REFUSED where no master container is left, or the load balancer is gone and nobody knows its ports
 */
export function planStart(spec: ClusterSpec, world: World): Plan {
  const engine = engineOf(world)
  const lost = isBalancerLost(engine, spec.name)
  const containers = engine.containers.filter(
    (container) =>
      container.state !== 'removing' &&
      !isUnfinished(world, container.name) &&
      !hasLeft(world, container.name) &&
      !(lost && roleOf(container) === 'lb'),
  )
  const masters = containers.filter((container) => roleOf(container) === 'master')
  if (masters.length === 0) throw noMaster(spec)
  const voter = masters.length > 1 || usesEtcd(spec)
  const known = world.machines.find((machine) => machine.installed.apiReady)
  const first = masters.find((container) => containerId(container.name) === known?.id) ?? masters[0]
  const stopped = containers.filter(({ state }) => state !== 'running')
  const gate = stopped.some((container) => roleOf(container) === 'worker') && first && !known
  const joinable = gate ? [joinableStep(spec, first, stopped)] : []
  const settle = settleSteps(spec, world)
  const settled = settle.map((step) => step.id)
  // Those that run and are not to come back with the engine are left of a stop that was cut off.
  const begun = containers.filter(
    ({ name, state, restart }) => state !== 'running' || restart === 'no' || isOffNetwork(world, name),
  )
  const network = networkSteps(spec, world, containers)
  const balancer = balancerSteps(spec, world)
  const begins = begun.map((container) =>
    startStep(world, container, [
      ...network.map((step) => step.id),
      ...(roleOf(container) === 'worker' ? joinable.map((step) => step.id) : []),
      ...(roleOf(container) === 'lb' ? settled : []),
    ]),
  )
  const readies = containers.flatMap((container) => readySteps(spec, world, container, voter, begins))
  const steps: Step[] = [
    ...network,
    ...balancer.filter(({ id }) => !network.some((step) => step.id === id)),
    ...settle,
    ...begins,
    ...joinable,
    ...readies,
  ]
  const entry = containerId(first?.name ?? '')
  const drained = known?.installed.nodes?.filter((node) => node.drained).map((node) => node.name)
  const before = readies.filter((step) => step.machine === entry).map((step) => step.id)
  const { wait, timeoutMs } = spec
  const rest = finishSteps({ machine: entry, needs: before, drained, wait, timeoutMs })
  const idle = steps.length === 0
  steps.push(...rest.filter((step) => !idle || step.effect !== undefined))
  return { operation: 'start', name: spec.name, runtime: 'k3d', steps, summary: summarize(steps) }
}

const roleOf = (container: EngineContainer): string => container.labels['airlift.role'] ?? ''

/** The network of a stopped cluster, where somebody removed it: `docker network prune` takes what no container runs in. */
function networkSteps(spec: ClusterSpec, world: World, containers: readonly EngineContainer[]): Step[] {
  if (containers.every(({ name }) => attachAgain(world, name).length === 0)) return []
  return engineSteps(spec, world, layoutOf(spec, world)).filter(({ id }) => id === ENGINE_STEPS.network)
}

/**
 * The load balancer, where somebody removed it, or who made it was killed in the middle: with the ports that it had, which the
 * masters remember, or which its labels tell.
 */
function balancerSteps(spec: ClusterSpec, world: World): Step[] {
  const engine = engineOf(world)
  const empty = containerOf(world, containerName(spec.name, 'lb'))
  const isEmpty = empty !== undefined && isUnfinished(world, empty.name)
  if (engine.lbNext || !(isEmpty || isBalancerLost(engine, spec.name))) return []
  const record = isEmpty ? recordOfLabels(empty.labels) : undefined
  const lb = lostBalancerOptions(spec, engine.remembered ?? (record && { generation: 0, record }))
  const whole = { ...spec, containers: { ...containersOf(spec), lb } }
  return planOf(whole, world, lbSteps(whole, world, layoutOf(whole, world))).steps.slice()
}

function startStep(world: World, { name }: EngineContainer, needs: readonly string[]): Step {
  return {
    id: `${name}/start`,
    machine: containerId(name),
    title: `start ${name}`,
    needs,
    effect: 'change',
    journal: false,
    actions: [
      ...attachAgain(world, name),
      { kind: 'container', op: wakeOp(world, name), name, restart: 'always' },
    ],
  }
}

/** Until workers may be started. */
function joinableStep(
  spec: ClusterSpec,
  { name }: EngineContainer,
  stopped: readonly EngineContainer[],
): Step {
  return {
    id: `${name}/joinable`,
    machine: containerId(name),
    title: 'wait until nodes are taken in',
    needs: stopped.some((container) => container.name === name) ? [`${name}/start`] : [],
    actions: [waitJoinableAgain(name, spec.timeoutMs)],
  }
}

function readySteps(
  spec: ClusterSpec,
  world: World,
  container: EngineContainer,
  voter: boolean,
  begins: readonly Step[],
): Step[] {
  const { name } = container
  const role = roleOf(container)
  if (role !== 'master' && role !== 'worker') return []
  const begin = begins.find((step) => step.id === `${name}/start`)
  const machine = world.machines.find((entry) => entry.id === containerId(name))
  const ready =
    knownNode(world, name)?.ready === true && (role === 'worker' || machine?.installed.apiReady === true)
  if (!begin && ready) return []
  const { wait, timeoutMs } = spec
  const actions = startWaits({ node: name, role, voter, started: STARTED.container, wait, timeoutMs })
  if (actions.length === 0) return []
  return [
    {
      id: `${name}/ready`,
      machine: containerId(name),
      title: wait === 'api' ? 'wait for the API server' : `wait for node ${name}`,
      needs: begin ? [begin.id] : [],
      actions,
    },
  ]
}
