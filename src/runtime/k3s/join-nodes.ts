import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import { waitsForNodes } from '../../cluster/waits-for-nodes.js'
import { type Plan, type Step, summarize } from '../../plan/plan.js'
import type { World } from '../runtime.js'
import { nodeName } from './config.js'
import { entryOf, founderOf, machineOf } from './first-master.js'
import { ANSWERS } from './init.js'
import { forgetStep } from './leftover-node.js'
import { firstUpload, isAsWanted, isForgotten, joinThrough, nodeSteps, stepId } from './node-steps.js'
import { waitWorkerReady } from './waits.js'

/**
 * Workers: staged and installed at once, while the first master still starts; each is started as soon as that one can be
 * asked. A worker that asks before would back off and lose seconds. One that was installed anew is forgotten first.
 */
export function planJoinNodes(spec: ClusterSpec, world: World, nodes: readonly NodeSpec[]): Plan {
  const entry = entryOf(spec, world)
  const needs = world.secrets.has('join-token')
    ? entry.installed.apiReady || isAsWanted({ spec, world, node: entry.node, machine: entry })
      ? []
      : [stepId.start(entry)]
    : [ANSWERS]
  const uploadAfter = firstUpload(spec, world, founderOf(spec, world))
  const steps: Step[] = []
  for (const node of nodes) {
    const machine = machineOf(world, node)
    const waits = waitsForNodes(spec) ? [waitWorkerReady(nodeName(machine), spec.timeoutMs)] : []
    const forget = forgetStep(world, machine, entry, [])
    steps.push(
      ...(forget ? [forget] : []),
      ...nodeSteps(
        { spec, world, node, machine, join: joinThrough(spec, world, machine, entry) },
        {
          needs: forget ? [...needs, forget.id] : needs,
          waits,
          warmUp: true,
          uploadAfter,
          restart: forget !== undefined || isForgotten({ spec, world, node, machine }),
        },
      ),
    )
  }
  return { operation: 'run', name: spec.name, runtime: 'k3s', steps, summary: summarize(steps) }
}
