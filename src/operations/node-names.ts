import { type Filterable, filterIndex, filterNames } from '../cluster/filters.js'
import { parseHostWord } from '../cluster/host-target.js'
import type { ClusterSpec, MachineTarget, NodeSpec, Role } from '../cluster/spec.js'
import type { World } from '../runtime/runtime.js'

/** A node of a cluster as words name it. */
export interface NamedNode extends Filterable {
  readonly node: NodeSpec
}

/** The nodes of a cluster that was looked at, masters first, as filters and names see them. Pure. */
export function filterableNodes(spec: Pick<ClusterSpec, 'masters' | 'nodes'>, world: World): NamedNode[] {
  const named = (node: NodeSpec, place: number): NamedNode => ({
    node,
    role: roleOf(node, world),
    index: filterIndex(node.target, place),
    names: namesInWorld(node, world),
  })
  return [...spec.masters.map(named), ...spec.nodes.map(named)]
}

/** The hosts of a word; none when it is no host, such as a filter. */
export function hostsOf(word: string, role: Role): NodeSpec[] {
  const parsed = parseHostWord(word)
  if (!parsed.ok || parsed.size > 5000) return []
  return parsed
    .expand()
    .flatMap((target) => ('message' in target ? [] : [{ target, role, labels: {}, taints: [] }]))
}

/** What a machine is counts more than the list that it was named in. */
function roleOf(node: NodeSpec, world: World): Role {
  return world.machines.find((machine) => machine.node === node)?.installed.role ?? node.role
}

function namesInWorld(node: NodeSpec, world: World): string[] {
  const machine = world.machines.find((entry) => entry.node === node)
  if (machine) return namesOf(node.target, machine.facts.hostname.toLowerCase(), machine.id)
  const status = world.machines.find(({ installed }) => installed.nodes)?.installed.nodes ?? []
  const id = world.unreachable.find((entry) => entry.node === node)?.id ?? ''
  return namesOf(node.target, status.find((entry) => entry.address === node.target.host)?.name ?? '', id)
}

/** Everything that a node may be called; its own name first, where that is known. `id` is that of its machine. */
export function namesOf(target: MachineTarget, name: string, id: string): string[] {
  const plain = id.replace(/^ssh:\/\//, '')
  const names = [name, ...filterNames(target), id, plain, plain.replace(/:22$/, '')]
  return [...new Set(names.filter(Boolean))]
}
