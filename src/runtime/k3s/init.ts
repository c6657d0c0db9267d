import type { ClusterSpec } from '../../cluster/spec.js'
import { INITIALIZED } from '../../machine/state-paths.js'
import { type Plan, type Step, summarize } from '../../plan/plan.js'
import type { MachineWorld, World } from '../runtime.js'
import { nodeName, usesEtcd } from './config.js'
import { founderOf } from './first-master.js'
import { requireMajority } from './lost-majority.js'
import { nodeSteps, stepId } from './node-steps.js'
import { packagedDeployments, waitApi, waitJoinable, waitMasterReady, waitSystem } from './waits.js'

/** Id of the step after which other nodes can join. */
export const ANSWERS = 'cluster/answers'

/**
 * The first master: staged, installed, started; two steps wait, one until others can join and one until it is ready.
 * @throws AirliftError E_REFUSED where etcd has lost its majority for good
 */
export function planInit(spec: ClusterSpec, world: World): Plan {
  requireMajority(spec, world)
  const machine = founderOf(spec, world)
  if (!machine)
    return { operation: 'run', name: spec.name, runtime: 'k3s', steps: [], summary: summarize([]) }
  const steps = nodeSteps(
    { spec, world, node: machine.node, machine },
    { needs: [], waits: [], warmUp: false, awaited: alone(spec) ? false : !world.secrets.has('join-token') },
  )
  const start = steps.find((step) => step.id === stepId.start(machine))
  const all = start
    ? [...steps.filter((step) => step !== start), ...startSteps(spec, world, machine, start)]
    : steps
  return { operation: 'run', name: spec.name, runtime: 'k3s', steps: all, summary: summarize(all) }
}

/** Whether the cluster is one node. */
function alone({ masters, nodes }: ClusterSpec): boolean {
  return masters.length + nodes.length === 1
}

/**
 * The master's start is cut in two: others join as soon as its supervisor answers, while it still works on being ready.
 * Both halves wait on the machine, at the same time.
 */
function startSteps(spec: ClusterSpec, world: World, machine: MachineWorld, start: Step): Step[] {
  // The image check and the mark of success belong to the second half: they need a node that runs.
  const split = start.actions.findIndex(
    (action) => action.kind === 'wait' || (action.kind === 'script' && action.script.includes(INITIALIZED)),
  )
  const launch = split < 0 ? start.actions : start.actions.slice(0, split)
  const rest = split < 0 ? [] : start.actions.slice(split)
  const joinable =
    spec.wait === 'none' && alone(spec) ? [] : [waitJoinable(nodeName(machine), spec.timeoutMs)]
  const steps: Step[] = [{ ...start, actions: [...launch, ...joinable] }]
  const known = world.secrets.has('join-token')
  if (!known && !alone(spec)) {
    steps.push({
      id: ANSWERS,
      machine: machine.id,
      title: 'read the join token',
      needs: [start.id],
      actions: [{ kind: 'capture', secret: 'join-token', script: 'cat /var/lib/rancher/k3s/server/token' }],
    })
  }
  if (spec.wait === 'none') return steps
  const waits = [waitApi(spec.timeoutMs)]
  if (spec.wait !== 'api') waits.push(waitMasterReady(nodeName(machine), usesEtcd(spec), spec.timeoutMs))
  steps.push({
    id: stepId.ready(machine),
    machine: machine.id,
    title: spec.wait === 'api' ? 'wait for the API server' : `wait for node ${nodeName(machine)}`,
    needs: [start.id],
    actions: spec.wait === 'api' ? waits : [...waits, ...rest],
  })
  if (spec.wait === 'system') steps.push(systemStep(spec, machine))
  return steps
}

/** The last step of `--wait system`; the first node is enough for the system's pods to run on. */
function systemStep(spec: ClusterSpec, machine: MachineWorld): Step {
  return {
    id: 'cluster/system',
    machine: machine.id,
    title: 'wait for the system pods',
    needs: [stepId.ready(machine)],
    actions: [waitSystem(spec.timeoutMs, packagedDeployments(spec))],
  }
}
