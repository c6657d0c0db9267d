import { containerIndex } from './container-spec.js'
import { parseHostPattern } from './host-range.js'
import { parseHostWord } from './host-target.js'
import type { MachineTarget, Role } from './spec.js'

/** A node as filters see it. */
export interface Filterable {
  readonly role: Role
  /** What filters count it as, see {@link filterIndex}. */
  readonly index: number
  /** Everything that a user may call it: node name, host, target as typed, machine id. */
  readonly names: readonly string[]
}

/** What a filter selected, or why it selects nothing. */
export type FilterResult =
  | { readonly ok: true; readonly indexes: readonly number[] }
  | { readonly ok: false; readonly message: string; readonly hint: string }

const GROUP =
  /^(all|masters?|servers?|workers?|agents?|nodes?|loadbalancer|lb)(?::?\[([^\]]*)\]|:([^:]*))?(?::\w+)?$/

/**
 * Selects nodes by `all`, `masters:0`, `workers:*`, `masters:0,2-3`, k3d's `server:0` and `agents[0,2-3]`, or by a node's
 * name or host (ranges too); several joined by `;`. Gives places in `nodes`, in order. A filter that matches nothing is an
 * error that says what there is: a label that silently goes nowhere is found weeks later.
 */
export function selectNodes(filter: string, nodes: readonly Filterable[]): FilterResult {
  const chosen = new Set<number>()
  for (const part of filter.split(';').map((text) => text.trim())) {
    const found = part === '' ? 'the filter is empty' : selectOne(part, nodes)
    if (typeof found === 'string') return { ok: false, message: found, hint: available(nodes) }
    for (const index of found) chosen.add(index)
  }
  return { ok: true, indexes: [...chosen].sort((a, b) => a - b) }
}

/** The roles of which a filter names every node by a word, and so those that come later too: `all`, `workers:*`, `servers`. */
export function groupRoles(filter: string): readonly Role[] {
  const roles = filter.split(';').flatMap((text): Role[] => {
    const [, word = '', inBrackets, afterColon] =
      GROUP.exec(text.trim().replace(/:(?:proxy|direct)$/, '')) ?? []
    if (word === '' || word === 'loadbalancer' || word === 'lb') return []
    if ((inBrackets ?? afterColon ?? '*') !== '*') return []
    const role = roleOf(word)
    return role === undefined ? ['master', 'worker'] : [role]
  })
  return [...new Set(roles)]
}

function selectOne(part: string, nodes: readonly Filterable[]): number[] | string {
  const places = nodes.map((_, place) => place)
  const group = GROUP.exec(part)
  if (group === null) return selectByName(part, nodes)
  const [, word = '', inBrackets, afterColon] = group
  if (word === 'loadbalancer' || word === 'lb')
    return `the filter "${part}" matches nothing: there is no load balancer`
  const role = roleOf(word)
  const members = places.filter((place) => role === undefined || nodes[place]?.role === role)
  const numbers = inBrackets ?? afterColon
  const wanted = numbers === undefined || numbers === '*' ? undefined : parseNumbers(numbers)
  if (wanted === null) return `"${numbers}" in the filter "${part}" is not a list of numbers`
  if (wanted !== undefined && role === undefined) return `the filter "${part}" counts, but "all" has no order`
  if (wanted === undefined) return members.length > 0 ? members : `the filter "${part}" matches no node`
  const missing = wanted.find(([from, to]) => !hasIndexes(members, nodes, from, to))
  if (missing)
    return `the filter "${part}" matches nothing at ${missing[0] === missing[1] ? missing[0] : missing.join('-')}`
  return members.filter((place) => {
    const index = nodes[place]?.index ?? -1
    return wanted.some(([from, to]) => index >= from && index <= to)
  })
}

function roleOf(word: string): Role | undefined {
  if (word === 'all') return undefined
  return /^(master|server)/.test(word) ? 'master' : 'worker'
}

function hasIndexes(
  members: readonly number[],
  nodes: readonly Filterable[],
  from: number,
  to: number,
): boolean {
  const found = members.filter(
    (place) => (nodes[place]?.index ?? -1) >= from && (nodes[place]?.index ?? -1) <= to,
  )
  return found.length === to - from + 1
}

/** `0,2-3` as pairs; null when it is none. */
function parseNumbers(text: string): [number, number][] | null {
  const pairs: [number, number][] = []
  for (const piece of text.split(',')) {
    const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(piece.trim())
    if (!match) return null
    const from = Number(match[1])
    const to = Number(match[2] ?? match[1])
    if (to < from) return null
    pairs.push([from, to])
  }
  return pairs
}

function selectByName(part: string, nodes: readonly Filterable[]): number[] | string {
  const pattern = parseHostPattern(part)
  const names = 'message' in pattern || pattern.size > 5000 ? [part] : pattern.expand()
  const found = new Set<number>()
  for (const name of names) {
    const word = parseHostWord(name)
    const target = word.ok ? word.expand()[0] : undefined
    const bare = target && !('message' in target) && target.user === undefined && target.port === undefined
    const wanted = [name, ...(bare ? [target.host] : [])].map((text) => text.toLowerCase())
    const places = nodes.flatMap((node, place) =>
      node.names.some((known) => wanted.includes(known.toLowerCase())) ? [place] : [],
    )
    if (places.length === 0) return `the filter "${name}" matches no node`
    for (const place of places) found.add(place)
  }
  return [...found]
}

/** What a filter could have been, for the message. */
function available(nodes: readonly Filterable[]): string {
  const ranges = (role: Role): string[] =>
    rangesOf(nodes.filter((node) => node.role === role).map(({ index }) => index)).map(([from, to]) =>
      from === to ? `${role}s:${from}` : `${role}s:${from} to ${role}s:${to}`,
    )
  const names = nodes.slice(0, 5).map((node) => node.names[0])
  if (nodes.length === 0) return 'there is none'
  const groups = [...ranges('master'), ...ranges('worker'), 'all']
  return `there are ${groups.join(', ')}, and ${names.join(', ')}${nodes.length > 5 ? ', …' : ''}`
}

/** Numbers as ranges without holes. */
function rangesOf(numbers: readonly number[]): [number, number][] {
  const ranges: [number, number][] = []
  for (const number of [...numbers].sort((a, b) => a - b)) {
    const last = ranges.at(-1)
    if (last && number <= last[1] + 1) last[1] = number
    else ranges.push([number, number])
  }
  return ranges
}

/**
 * The number by which filters name a node: that in the name of its container, so that it means the same node whichever others
 * have left; of a host, which has none, its place in the list of its role, from 0.
 */
export function filterIndex({ kind, host }: Pick<MachineTarget, 'kind' | 'host'>, place: number): number {
  return kind === 'container' ? containerIndex(host) : place
}

/** The node as filters see it, from its target: its host, the text as typed and the machine id. */
export function filterNames(target: { kind: string; host: string; text: string }): string[] {
  const schemes: Readonly<Record<string, string>> = { ssh: 'ssh://', container: 'docker://' }
  return [...new Set([target.host, target.text, `${schemes[target.kind] ?? ''}${target.text}`])]
}
