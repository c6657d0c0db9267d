import type { ClusterSpec, NodeSpec } from '../cluster/spec.js'
import { RECORD } from '../machine/state-paths.js'
import type { Step } from '../plan/plan.js'
import { recordedHost } from '../runtime/recorded-host.js'
import type { MachineWorld } from '../runtime/runtime.js'

/**
 * The steps that make the record on machines name the members of `spec`: masters know all, workers the masters. It is
 * airlift's own memory; nothing that k3s reads is touched. Machines that are right already, and those that keep no record
 * (containers have labels), get none. Pure.
 *
 * @param all - `machines` and those that are only named
 */
export function recordSteps(
  spec: ClusterSpec,
  machines: readonly MachineWorld[],
  needs: readonly string[],
  all: readonly MachineWorld[] = machines,
): Step[] {
  const texts = (nodes: readonly NodeSpec[]): string[] => nodes.map((node) => recordedHost(node, all))
  const members = { masters: texts(spec.masters), nodes: texts(spec.nodes) }
  return machines.flatMap((machine): Step[] => {
    const { record } = machine.facts.managed
    if (record?.name !== spec.name) return []
    // Keys keep their places, so that the text is what a run would write.
    const wanted = {
      ...record,
      masters: members.masters,
      ...(record.role === 'master' ? { nodes: members.nodes } : {}),
    }
    if (JSON.stringify(wanted) === JSON.stringify(record)) return []
    const name = machine.facts.hostname.toLowerCase()
    return [
      {
        id: `${name}/record`,
        machine: machine.id,
        title: 'note the members of the cluster',
        needs,
        actions: [
          { kind: 'write', path: RECORD, mode: '0600', content: `${JSON.stringify(wanted, null, 2)}\n` },
        ],
      },
    ]
  })
}
