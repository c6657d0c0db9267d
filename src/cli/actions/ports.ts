import type { PublishedPort } from '../../cluster/container/published-ports.js'
import { changePublishedPorts } from '../../operations/ports.js'
import { finishOperation } from '../finish.js'
import type { ActionIo } from '../io.js'
import { clusterRef, operationDeps } from '../operation-io.js'
import { renderPlan } from '../render/plan.js'

/** `airlift ports add` and `airlift ports remove`. */
export async function portsCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  op: 'add' | 'remove',
  texts: readonly string[],
): Promise<number> {
  const cluster = await clusterRef(flags)
  const input = { cluster, change: { op, texts }, dryRun: flags.dryRun === true }
  const { plan, report, ports, error } = await changePublishedPorts(input, io.ctx, operationDeps(io))
  if (report) {
    if (!io.json && !error) io.print(ports.map(portLine).join('\n') || 'no port is published beside the API')
    return finishOperation(io, report, error, { extra: { ports } })
  }
  if (io.json) io.printJson(plan)
  else io.print(renderPlan(plan, io.style.out))
  return 0
}

/** `127.0.0.1:8080 -> 80/tcp of airlift-dev-worker-0, airlift-dev-worker-1`. */
function portLine({ address, hostPort, containerPort, protocol, nodes, at }: PublishedPort): string {
  const host = address.includes(':') ? `[${address}]` : address
  // What a node publishes itself leads to itself.
  const to = !at.endsWith('-lb') ? at : nodes.length > 4 ? `${nodes.length} nodes` : nodes.join(', ')
  return `${host}:${hostPort} -> ${containerPort}/${protocol} of ${to}`
}
