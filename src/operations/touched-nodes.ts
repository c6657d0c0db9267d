import type { NodeSpec } from '../cluster/spec.js'
import type { Plan } from '../plan/plan.js'
import type { NodeStatus, World } from '../runtime/runtime.js'

/** A machine that a plan does something on, and the Node that the cluster has of it. */
export interface TouchedNode {
  /** The machine's id. */
  readonly id: string
  readonly node: NodeSpec
  readonly there: NodeStatus
}

/** The nodes that a plan touches and that the cluster knows already. Pure. */
export function touchedNodes(world: World, plan: Plan): TouchedNode[] {
  const changed = new Set(plan.steps.map((step) => step.machine))
  const known = new Map(
    world.machines.flatMap(({ installed }) => installed.nodes ?? []).map((node) => [node.name, node]),
  )
  return world.machines.flatMap(({ id, node, facts }) => {
    const there = known.get(facts.hostname.toLowerCase())
    return there && changed.has(id) ? [{ id, node, there }] : []
  })
}
