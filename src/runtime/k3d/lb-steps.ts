import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { containerId } from '../../machine/container-id.js'
import type { Step } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { lbContainer } from './container-config.js'
import { CONTAINER } from './contract.js'
import { ENGINE_STEPS, engineSteps } from './engine-steps.js'
import { containerOf, engineOf, type Layout, layoutOf } from './layout.js'
import { attachAgain, isOffNetwork, wakeOp } from './lost-network.js'
import { settleSteps } from './next-balancer.js'
import { entries, lbFiles, lbTargets } from './node-files.js'
import { stepId } from './node-steps.js'
import { staysUp } from './stays-up.js'

/** The load balancer, where there is one: made before the masters, whose addresses are known; its targets kept right. */
export function lbSteps(spec: ClusterSpec, world: World, layout: Layout): Step[] {
  const name = layout.lb ?? layout.portsLb
  const settle = settleSteps(spec, world)
  const settled = settle.map((step) => step.id)
  if (name === undefined) return settle
  const machine = containerId(name)
  // One that lacks what it is to publish is replaced: an engine gives no port to a container that exists.
  const there = containerOf(world, name)
  const found = layout.balancer ? undefined : there
  const start = (needs: readonly string[]): Step => ({
    id: stepId.start(name),
    machine,
    title: 'start the load balancer',
    needs,
    effect: 'create',
    actions: [
      ...attachAgain(world, name),
      { kind: 'container', op: found ? wakeOp(world, name) : 'start', name },
    ],
  })
  if (found?.state === 'running') {
    const targets = targetsStep(spec, world, layout, name, settle)
    const told = [...staysUp(world, name), ...(targets.length > 0 ? targets : settle)]
    return isOffNetwork(world, name) ? [...told, start(told.map((step) => step.id))] : told
  }
  const create: Step = {
    id: stepId.create(name),
    machine,
    title: layout.balancer
      ? 'make the load balancer again, with its ports'
      : `${found ? 'complete' : 'create'} the load balancer`,
    needs: [
      ...engineSteps(spec, world, layout)
        .map((step) => step.id)
        .filter((id) => id !== ENGINE_STEPS.images),
      ...settled,
    ],
    effect: found ? 'change' : 'create',
    actions: [
      ...(there && !found ? [{ kind: 'container' as const, op: 'remove' as const, name }] : []),
      {
        kind: 'container',
        op: 'create',
        config: lbContainer(spec, world, layout, name),
        files: entries(lbFiles(spec, world, layout, name)),
      },
    ],
  }
  return [...settle, create, start([create.id])]
}

/** Steps after which the load balancer leads to the masters; none where it does already. */
export function lbReady(spec: ClusterSpec, world: World, layout: Layout): string[] {
  // One that only publishes ports is nothing that nodes wait for.
  if (layout.lb === undefined) return []
  return lbSteps(spec, world, layout)
    .map((step) => step.id)
    .slice(-1)
}

function targetsStep(
  spec: ClusterSpec,
  world: World,
  layout: Layout,
  name: string,
  settle: readonly Step[],
): Step[] {
  const content = lbTargets(spec, layout, name)
  if (engineOf(world).lbTargets === content) return []
  return [
    {
      id: `${name}/targets`,
      machine: containerId(name),
      title: layout.lb === name ? 'tell the load balancer its masters' : 'tell the load balancer its nodes',
      needs: [],
      effect: 'change',
      journal: false,
      actions: [
        ...settle.flatMap((step) => step.actions),
        { kind: 'write', path: CONTAINER.lbConfig, mode: '0644', content },
      ],
    },
  ]
}

/**
 * Takes nodes that have left off the load balancer's list: another node may get their addresses. It only edits, so that it
 * agrees with whatever else was written meanwhile.
 */
export function forgetTargets(spec: ClusterSpec, world: World, leaving: readonly NodeSpec[]): Step[] {
  const layout = layoutOf(spec, world)
  const name = layout.lb ?? layout.portsLb
  const gone = leaving.flatMap((node) => layout.addresses.get(node.target.host) ?? [])
  if (name === undefined || containerOf(world, name)?.state !== 'running' || gone.length === 0) return []
  const text = ` ${engineOf(world).lbTargets ?? ''} `.replace(/\s+/g, ' ')
  if (!gone.some((address) => [' ', ',', ':'].some((end) => text.includes(` ${address}${end}`)))) return []
  const pattern = gone.map((address) => address.replaceAll('.', '[.]')).join('|')
  const left = `{ line = $1 " " $2; n = 0; for (i = 3; i <= NF; i++) if ($i !~ /^(${pattern})([:,]|$)/) { line = line " " $i; n++ } if (n) print line }`
  const file = CONTAINER.lbConfig
  return [
    {
      id: `${name}/forget`,
      machine: containerId(name),
      title: 'tell the load balancer which nodes have left',
      needs: [],
      effect: 'change',
      journal: false,
      actions: [
        {
          kind: 'script',
          script: `awk '${left}' ${file} > ${file}.left && chmod 0644 ${file}.left && mv -f ${file}.left ${file}`,
        },
      ],
    },
  ]
}
