import { type Filterable, selectNodes } from './filters.js'
import { parseHostPattern } from './host-range.js'
import type { SpecProblem } from './problems.js'
import { flagOf } from './role-flag.js'
import type { Role } from './spec.js'

/** Which nodes a command is for, as they were typed: names, hosts, ranges or filters. */
export interface NodeWords {
  readonly masters: readonly string[]
  readonly nodes: readonly string[]
}

/** Splits what `delete --nodes` takes at commas, outside brackets; `workers:0,2-3` stays one word. */
export function splitNodeWords(text: string): string[] {
  const words: string[] = []
  for (const [word] of text.matchAll(/(?:\[[^\]\s]*\]|[^\s,])+/g)) {
    const last = words.at(-1)
    const counted = last !== undefined && /^(masters?|servers?|workers?|agents?):\d[\d,-]*$/.test(last)
    if (counted && /^\d+(-\d+)?$/.test(word)) words[words.length - 1] = `${last},${word}`
    else words.push(word)
  }
  return words
}

/** What words selected: places in the list of nodes, and words that name none of them. */
export interface SelectedNodes {
  readonly places: readonly number[]
  /** Words that select only nodes of the other role. */
  readonly elsewhere: readonly { readonly word: string; readonly places: readonly number[] }[]
  /** Words that may be hosts which are not in the list. */
  readonly unknown: readonly string[]
}

/** Selects nodes of one role by names, hosts, ranges and filters. */
export function selectOfRole(
  words: readonly string[],
  role: Role,
  nodes: readonly Filterable[],
  problems: SpecProblem[],
): SelectedNodes {
  const flag = flagOf(role)
  const own = nodes.flatMap((node, place) => (node.role === role ? [{ node, place }] : []))
  const places = new Set<number>()
  const unknown: string[] = []
  const elsewhere: { word: string; places: readonly number[] }[] = []
  for (const word of words.flatMap(expandNodeWord)) {
    const number = numberProblem(word, role)
    if (number) {
      problems.push(number)
      continue
    }
    const found = selectNodes(
      word,
      own.map(({ node }) => node),
    )
    if (found.ok) {
      for (const index of found.indexes) places.add(own[index]?.place ?? -1)
      continue
    }
    const other = selectNodes(word, nodes)
    if (other.ok) {
      elsewhere.push({ word, places: other.indexes })
    } else if (isFilter(word)) {
      const hint = `${found.hint}; one that was deleted already is not there any more`
      problems.push({ code: 'E_HOST_INVALID', path: flag, message: found.message, hint })
    } else unknown.push(word)
  }
  return { places: [...places].sort((a, b) => a - b), elsewhere, unknown }
}

/** That a word is a bare number, which names no node: it might be how many, or which. */
export function numberProblem(word: string, role: Role): SpecProblem | undefined {
  if (!/^\d+$/.test(word)) return undefined
  const flag = flagOf(role)
  const hint = `name them, or choose by number: ${flag} ${role}s:${word}`
  return { code: 'E_HOST_INVALID', path: flag, message: `"${word}" is a number`, hint }
}

/** That a word names nodes of the other role than its flag. */
export function otherRoleProblem(word: string, role: Role, code: SpecProblem['code']): SpecProblem {
  const [flag, is, other] =
    role === 'master' ? ['--masters', 'worker', '--nodes'] : ['--nodes', 'master', '--masters']
  return { code, path: flag, message: `"${word}" is a ${is}`, hint: `name it under ${other}` }
}

/** Whether a word names nodes by their numbers. */
export function countsNodes(word: string): boolean {
  return word
    .split(';')
    .some((part) => /^\s*(?:masters?|servers?|workers?|agents?|nodes?)(?::?\[|:)\d/.test(part))
}

/** A range of hosts as its hosts, so that those which are there are found when others are not. */
export function expandNodeWord(word: string): string[] {
  if (isFilter(word)) return [word]
  const pattern = parseHostPattern(word)
  return 'message' in pattern || pattern.size > 5000 ? [word] : pattern.expand()
}

/** Whether a word can only be a filter, and no name of a host. */
export function isFilter(word: string): boolean {
  return (
    /^(all|loadbalancer|lb)$/.test(word) ||
    /^(masters?|servers?|workers?|agents?|nodes?)(\[|:)/.test(word) ||
    word.includes(';')
  )
}
