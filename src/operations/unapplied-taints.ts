import type { ClusterSpec } from '../cluster/spec.js'
import { taintText } from '../cluster/taint-text.js'
import type { Context } from '../core/context.js'
import type { Plan } from '../plan/plan.js'
import type { World } from '../runtime/runtime.js'
import { touchedNodes } from './touched-nodes.js'

/**
 * Warns of taints that are asked for on nodes which registered long ago: k3s writes them down and gives them to nodes that
 * register, and to no others. Says nothing of nodes that the plan does not touch, from which somebody may have taken a taint on
 * purpose, as operators take those away that hold pods back until a node is prepared.
 */
export function warnOfUnappliedTaints(spec: ClusterSpec, world: World, plan: Plan, ctx: Context): void {
  for (const { id, node, there } of touchedNodes(world, plan)) {
    const { name } = there
    const missing = node.taints.map(taintText).filter((taint) => !there.taints?.includes(taint))
    if (missing.length === 0) continue
    ctx.events.emit({
      level: 'warn',
      code: 'taints.unapplied',
      machine: id,
      message: `${name} has registered without ${missing.join(', ')}, and k3s gives taints to new nodes only: kubectl taint nodes ${name} ${missing.join(' ')}`,
      data: { cluster: spec.name, node: name, taints: missing },
    })
  }
}
