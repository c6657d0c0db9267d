import type { ClusterSpec } from '../../cluster/spec.js'
import { containerId } from '../../machine/container-id.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import { type Plan, type Step, summarize } from '../../plan/plan.js'
import { drainSteps } from '../k3s/drain-steps.js'
import type { StopOptions, World } from '../runtime.js'
import { settleSteps } from './next-balancer.js'

/** How long k3s may take to end by itself. Its pods end with it: they live in the container's process namespace. */
const GRACE_SECONDS = 10

/**
 * Stops all containers of the cluster at the same time; their volumes, addresses and labels stay. Members of etcd that stop
 * together agree on the log when they start together. A stopped container stays so when the engine starts again: that is what its
 * restart policy says from then on, so that one which is down for another reason is taken in, too.
 * @throws AirliftError E_REFUSED for `drain` where no master answers
 */
export function planStop(spec: ClusterSpec, world: World, options: StopOptions): Plan {
  const { containers = [], info } = world.engine ?? {}
  // Podman can neither change a policy nor starts anything by itself.
  const lasting = info?.kind !== 'podman'
  const running = containers.filter((one) => isRunning(one) || (lasting && comesBack(one)))
  const workers = running.filter((container) => container.labels['airlift.role'] === 'worker')
  const emptied = workers.map(({ name }) => ({ node: name, machine: containerId(name) }))
  const drains = options.drain ? drainSteps(world, emptied, spec.timeoutMs) : []
  const settle = settleSteps(spec, world)
  const needs = [...drains, ...settle].map((step) => step.id)
  const steps = [...drains, ...settle, ...running.map((container) => stopStep(container, needs))]
  return { operation: 'stop', name: spec.name, runtime: 'k3d', steps, summary: summarize(steps) }
}

/** A container that is restarted again and again would go on; a paused one holds its memory. */
function isRunning({ state }: EngineContainer): boolean {
  return state === 'running' || state === 'restarting' || state === 'paused'
}

/** One that ended by itself or by hand, which the engine would start when it starts. */
function comesBack({ state, restart }: EngineContainer): boolean {
  return (state === 'exited' || state === 'dead') && restart !== undefined && restart !== 'no'
}

function stopStep({ name }: EngineContainer, needs: readonly string[]): Step {
  return {
    id: `${name}/stop`,
    machine: containerId(name),
    title: `stop ${name}`,
    needs,
    effect: 'change',
    journal: false,
    actions: [{ kind: 'container', op: 'stop', name, timeoutSeconds: GRACE_SECONDS, restart: 'no' }],
  }
}
