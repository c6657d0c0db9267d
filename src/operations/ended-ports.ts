import { portNodes, portText, publishedPorts } from '../cluster/container/published-ports.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Context } from '../core/context.js'
import type { World } from '../runtime/runtime.js'

type Nodes = Pick<ClusterSpec, 'name' | 'masters' | 'nodes'>

/** Warns of published ports that lead nowhere any more once nodes have left. `after` is the cluster without them. */
export function warnOfEndedPorts(spec: Nodes, after: Nodes, world: World, ctx: Context): void {
  for (const message of endedPorts(spec, after, world))
    ctx.events.emit({ level: 'warn', code: 'ports.ended', message })
}

/** What is to be said of each such port. Pure. */
export function endedPorts(spec: Nodes, after: Nodes, world: World): string[] {
  const stay = new Set([...after.masters, ...after.nodes].map(({ target }) => target.host))
  const leave = new Set(
    [...spec.masters, ...spec.nodes].map(({ target }) => target.host).filter((name) => !stay.has(name)),
  )
  return publishedPorts(world.engine?.containers ?? [], spec).flatMap((port): string[] => {
    const which = `the published port ${portText(port)}`
    // What a master publishes for the whole cluster, the load balancer publishes after it.
    if (leave.has(port.at) && port.via === 'direct') return [`${which} ends: ${port.at} publishes it itself`]
    if (port.nodes.length === 0 || portNodes(port, after).length > 0) return []
    const why = `${which} leads nowhere: of ${port.nodes.join(', ')} none stays`
    return [
      port.group === undefined
        ? `${why}; to take it away: airlift ports remove --name ${spec.name} ${portText(port)}`
        : `${why}; it leads to the ${port.group} that are added later`,
    ]
  })
}
