import { containerName } from '../container-spec.js'
import { type Filterable, selectNodes } from '../filters.js'
import type { OptionProblem } from './option-problem.js'

/** The containers of a cluster as filters see them. */
export interface ContainerView {
  readonly cluster: string
  /** Masters, then workers. */
  readonly nodes: readonly Filterable[]
  /** Whether the cluster has a load balancer. */
  readonly loadBalancer: boolean
}

/** Containers that a filter selects. */
export interface ContainerSelection {
  /** Places in the view's nodes, in order, of parts without a suffix or with `:proxy`. */
  readonly proxied: readonly number[]
  /** Places of parts with `:direct`, which means something for ports only. */
  readonly direct: readonly number[]
  /** The load balancer is named, as `loadbalancer`, by its name, or as one of `all`. */
  readonly loadBalancer: boolean
}

/** A value with the filter behind its first `@` that has no backslash before it. */
export interface FilteredText {
  /** The value, each `\@` of it an `@`. */
  readonly body: string
  /** Absent: every master and worker. */
  readonly filter?: string
}

const BALANCER = /^(?:loadbalancer|lb)(?::?\[(?:0|\*)\]|:(?:0|\*))?$/
const SUFFIX = /^(.+):(proxy|direct)$/
const STRANGE_SUFFIX = /^[a-z]+:?(?:\[[^\]]*\]|[\d,*-]+):(\w+)$/

/** Takes the filter off a value, as k3d does: `KEY=a\@b@server:0`. */
export function splitFilteredText(text: string): FilteredText {
  const at = text.search(/(?<!\\)@/)
  const body = (at < 0 ? text : text.slice(0, at)).replaceAll('\\@', '@')
  return at < 0 ? { body } : { body, filter: text.slice(at + 1) }
}

/**
 * Selects containers by a filter of airlift or of k3d: `server:0`, `agents[0,2-3]`, `masters:*`, `all`, `loadbalancer`, names of
 * containers, each with `:proxy` or `:direct` behind it, several joined by `;`. A filter that matches nothing is a problem
 * whose hint says what there is.
 */
export function selectContainers(filter: string, view: ContainerView): ContainerSelection | OptionProblem {
  const proxied = new Set<number>()
  const direct = new Set<number>()
  let loadBalancer = false
  for (const text of filter.split(';').map((part) => part.trim())) {
    const strange = STRANGE_SUFFIX.exec(text)?.[1]
    if (strange !== undefined && strange !== 'proxy' && strange !== 'direct') {
      return {
        message: `"${strange}" in the filter "${text}" is not a way`,
        hint: 'write :proxy, :direct or nothing behind it',
      }
    }
    const [, bare = text, way] = SUFFIX.exec(text) ?? []
    if (BALANCER.test(bare) || bare === containerName(view.cluster, 'lb')) {
      loadBalancer = true
      continue
    }
    const found = selectNodes(bare, view.nodes)
    if (!found.ok) {
      return { message: found.message, hint: `${found.hint}${view.loadBalancer ? ', and loadbalancer' : ''}` }
    }
    if (/^all(?::?\*|\[\*\])?$/.test(bare)) loadBalancer = true
    for (const index of found.indexes) (way === 'direct' ? direct : proxied).add(index)
  }
  const ordered = (set: ReadonlySet<number>): number[] => [...set].sort((a, b) => a - b)
  return { proxied: ordered(proxied), direct: ordered(direct), loadBalancer }
}

/** Whether a filter names the load balancer on its own, not as one of `all`. */
export function namesBalancerAlone(selection: ContainerSelection): boolean {
  return selection.loadBalancer && selection.proxied.length + selection.direct.length === 0
}
