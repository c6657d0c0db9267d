import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { Plan } from '../plan/plan.js'
import type { World } from '../runtime/runtime.js'
import { touchedNodes } from './touched-nodes.js'

/**
 * Warns of labels that nodes have since an earlier command named them, and that this one does not name: k3s gives labels at every
 * start and never takes one away, and neither does airlift, since somebody may count on it. Says nothing of nodes that the
 * plan does not touch.
 */
export function warnOfKeptLabels(spec: ClusterSpec, world: World, plan: Plan, ctx: Context): void {
  for (const { id, node, there } of touchedNodes(world, plan)) {
    const { name } = there
    const keys = (there.givenLabels ?? [])
      .map((label) => label.split('=')[0] ?? '')
      .filter((key) => !(key in node.labels) && !isConfigured(spec, key))
    if (keys.length === 0) continue
    ctx.events.emit({
      level: 'warn',
      code: 'labels.kept',
      machine: id,
      message: `${name} keeps ${keys.join(', ')}, which the command does not name any more, and k3s takes no label away: kubectl label nodes ${name} ${keys.map((key) => `${key}-`).join(' ')}`,
      data: { cluster: spec.name, node: name, labels: keys },
    })
  }
}

/** Whether the configuration of k3s, which may name labels too, still has one. */
function isConfigured({ config }: ClusterSpec, key: string): boolean {
  return [config['node-label'] ?? []].flat().some((label) => String(label).split('=')[0] === key)
}
