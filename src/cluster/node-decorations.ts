import { type Filterable, filterIndex, filterNames, selectNodes } from './filters.js'
import { GIVEN, givenFor, givenOf, noteGiven } from './given.js'
import { type ForNodes, type LabelProblem, parseNodeLabel, parseNodeTaint } from './labels.js'
import type { SpecProblem } from './problems.js'
import type { GivenFor, MachineTarget, NodeSpec, Role, Taint } from './spec.js'

/** The flags that say something about nodes. */
export interface NodeDecoration {
  readonly nodeLabel?: readonly string[]
  readonly nodeTaint?: readonly string[]
}

/** Makes the node specs, with each label and taint on the nodes that its filter selects. */
export function decorateNodes(
  flags: NodeDecoration,
  masters: readonly MachineTarget[],
  workers: readonly MachineTarget[],
  problems: SpecProblem[],
): { masters: NodeSpec[]; nodes: NodeSpec[] } {
  const draft = (role: Role) => (target: MachineTarget, place: number) => ({
    role,
    index: filterIndex(target, place),
    target,
    names: filterNames(target),
    labels: new Map<string, string>(),
    taints: new Map<string, Taint>(),
    given: new Map<string, GivenFor>(),
  })
  const all = [...masters.map(draft('master')), ...workers.map(draft('worker'))]
  forEachNode(
    '--node-label',
    flags.nodeLabel ?? [],
    parseNodeLabel,
    all,
    problems,
    (node, { key, value }, filter) => {
      noteGiven(node.given, GIVEN.label(key), givenFor(filter, node.role))
      return put(node.labels, key, value, (before) => before === value)
    },
  )
  forEachNode('--node-taint', flags.nodeTaint ?? [], parseNodeTaint, all, problems, (node, taint, filter) => {
    noteGiven(node.given, GIVEN.taint(taint), givenFor(filter, node.role))
    return put(node.taints, `${taint.key}:${taint.effect}`, taint, (before) => before.value === taint.value)
  })
  const specs = all.map(
    ({ target, role, labels, taints, given }): NodeSpec => ({
      target,
      role,
      labels: Object.fromEntries(labels),
      taints: [...taints.values()],
      ...givenOf(given),
    }),
  )
  return { masters: specs.slice(0, masters.length), nodes: specs.slice(masters.length) }
}

/** Puts a value unless another is there; tells whether that went well. */
function put<T>(map: Map<string, T>, key: string, value: T, equal: (before: T) => boolean): boolean {
  const before = map.get(key)
  if (before !== undefined && !equal(before)) return false
  map.set(key, value)
  return true
}

function forEachNode<T, N extends Filterable>(
  flag: string,
  texts: readonly string[],
  parse: (text: string) => ForNodes<T> | LabelProblem,
  nodes: readonly N[],
  problems: SpecProblem[],
  apply: (node: N, value: T, filter: string | undefined) => boolean,
): void {
  for (const text of texts) {
    const refuse = (message: string, hint: string): void => {
      problems.push({ code: 'E_SPEC_INVALID', path: flag, message, hint })
    }
    const parsed = parse(text)
    if ('message' in parsed) {
      refuse(parsed.message, parsed.hint)
      continue
    }
    const selected = selectNodes(parsed.filter ?? 'all', nodes)
    if (!selected.ok) {
      // Without hosts the missing list is the problem, and it is told already.
      if (nodes.length > 0) refuse(`${selected.message}, in "${text}"`, selected.hint)
      continue
    }
    const conflict = selected.indexes.find((index) => {
      const node = nodes[index]
      return node !== undefined && !apply(node, parsed.value, parsed.filter)
    })
    if (conflict !== undefined) {
      refuse(`"${text}" gives ${nodes[conflict]?.names[0]} a second value`, 'give each key once for a node')
    }
  }
}
