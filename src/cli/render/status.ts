import type { ClusterStatus } from '../../operations/cluster-status.js'
import { machineLabel } from './machine-label.js'
import { count } from './quantity.js'
import type { Style } from './style.js'
import { renderTable } from './table.js'

/** The health of a cluster for people: one line of summary, the nodes, and each problem with its remedy. */
export function renderStatus(status: ClusterStatus, style: Style): string {
  const color = { ready: style.green, degraded: style.yellow, down: style.red }[status.health]
  const { datastore } = status
  const members =
    datastore.kind === 'etcd' ? `etcd ${datastore.healthy}/${datastore.members} healthy` : datastore.kind
  const head = [
    `cluster ${style.bold(status.name)}: ${color(status.health)}`,
    [status.runtime, status.version].filter(Boolean).join(' '),
    members,
    status.endpoint,
  ].filter(Boolean)
  const rows = status.nodes.map((node) => [
    node.name,
    node.role,
    node.ready ? 'ready' : 'not ready',
    node.version,
    (node.addresses ?? [node.address]).join(', '),
    node.machine === null ? '-' : machineLabel(node.machine),
    node.message,
  ])
  const parts = [
    head.join(', '),
    renderTable(['node', 'role', 'state', 'version', 'address', 'machine', 'message'], rows),
  ]
  if (status.problems.length > 0) {
    const lines = status.problems.flatMap((problem) => [
      `${style.red('✗')} ${problem.message} [${problem.code}]`,
      `  hint: ${problem.hint}`,
    ])
    parts.push([`${count(status.problems.length, 'problem')}:`, ...lines].join('\n'))
  }
  return parts.join('\n\n')
}
