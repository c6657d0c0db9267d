import { type Filterable, selectNodes } from './filters.js'
import { parseHostPattern } from './host-range.js'
import type { SpecProblem } from './problems.js'
import type { Role } from './spec.js'

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
  /** Words that may be hosts which are not in the list. */
  readonly unknown: readonly string[]
}

/**
 * Selects nodes of one role by names, hosts, ranges and filters. A word that selects only nodes of the other role is an error
 * that says so: removing a master takes more thought than removing a worker.
 */
export function selectOfRole(
  words: readonly string[],
  role: Role,
  nodes: readonly Filterable[],
  problems: SpecProblem[],
): SelectedNodes {
  const flag = role === 'master' ? '--masters' : '--nodes'
  const own = nodes.flatMap((node, place) => (node.role === role ? [{ node, place }] : []))
  const places = new Set<number>()
  const unknown: string[] = []
  for (const word of words.flatMap(expand)) {
    if (/^\d+$/.test(word)) {
      const hint = `name them, or choose by number: ${flag} ${role === 'master' ? 'masters' : 'workers'}:${word}`
      problems.push({ code: 'E_HOST_INVALID', path: flag, message: `"${word}" is a number`, hint })
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
    const elsewhere = selectNodes(word, nodes)
    if (elsewhere.ok) {
      const is = role === 'master' ? 'worker' : 'master'
      const hint = `name it under ${is === 'master' ? '--masters' : '--nodes'}`
      problems.push({ code: 'E_REMOVE_REFUSED', path: flag, message: `"${word}" is a ${is}`, hint })
    } else if (isFilter(word)) {
      const hint = `${found.hint}; one that was deleted already is not there any more`
      problems.push({ code: 'E_HOST_INVALID', path: flag, message: found.message, hint })
    } else unknown.push(word)
  }
  return { places: [...places].sort((a, b) => a - b), unknown }
}

/** Whether a word names nodes by their numbers. */
export function countsNodes(word: string): boolean {
  return word
    .split(';')
    .some((part) => /^\s*(?:masters?|servers?|workers?|agents?|nodes?)(?::?\[|:)\d/.test(part))
}

/** A range of hosts as its hosts, so that those which are there are found when others are not. */
function expand(word: string): string[] {
  if (isFilter(word)) return [word]
  const pattern = parseHostPattern(word)
  return 'message' in pattern || pattern.size > 5000 ? [word] : pattern.expand()
}

/** Whether a word can only be a filter, and no name of a host. */
function isFilter(word: string): boolean {
  return (
    /^(all|loadbalancer|lb)$/.test(word) ||
    /^(masters?|servers?|workers?|agents?|nodes?)(\[|:)/.test(word) ||
    word.includes(';')
  )
}
