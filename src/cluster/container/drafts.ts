import { type ContainerNodeSpec, containerName, type MountSpec } from '../container-spec.js'
import { givenFor, noteGiven } from '../given.js'
import type { SpecProblem } from '../problems.js'
import type { GivenFor } from '../spec.js'
import { type ContainerView, namesBalancerAlone, selectContainers } from './filter.js'
import { atFlag, isOptionProblem, type OptionProblem } from './option-problem.js'
import { ownVolume } from './volumes.js'

/** What one container gets, while flags are read. */
export interface Draft {
  readonly name: string
  readonly role: 'master' | 'worker' | 'lb'
  readonly mounts: Map<string, MountSpec>
  readonly env: Map<string, string>
  readonly k3sArgs: Set<string>
  readonly files: Map<string, ContainerNodeSpec['files'][number]>
  readonly runtimeLabels: Map<string, string>
  readonly limits: Map<'memoryBytes' | 'cpus', number>
  /** For whom each of these was given. */
  readonly given: Map<string, GivenFor>
}

/** The drafts of all containers of a cluster; that of the load balancer is there even where there is none. */
export interface Drafts {
  readonly nodes: readonly Draft[]
  readonly lb: Draft
}

/** Empty drafts for the nodes of a view. */
export function createDrafts(view: ContainerView): Drafts {
  const draft = (name: string, role: Draft['role']): Draft => ({
    name,
    role,
    mounts: new Map(),
    env: new Map(),
    k3sArgs: new Set(),
    files: new Map(),
    runtimeLabels: new Map(),
    limits: new Map(),
    given: new Map(),
  })
  return {
    nodes: view.nodes.map((node) => draft(node.names[0] ?? '', node.role)),
    lb: draft(containerName(view.cluster, 'lb'), 'lb'),
  }
}

/** The containers that a filter chooses; without one every master and worker. */
export function chooseDrafts(
  filter: string | undefined,
  view: ContainerView,
  drafts: Drafts,
): readonly Draft[] | OptionProblem {
  if (filter === undefined) return drafts.nodes
  const selected = selectContainers(filter, view)
  if (isOptionProblem(selected)) return selected
  if (namesBalancerAlone(selected) && !view.loadBalancer) {
    return {
      message: `the filter "${filter}" matches nothing: there is no load balancer`,
      hint: 'there is one with two masters or more, and without --no-lb',
    }
  }
  const places = new Set([...selected.proxied, ...selected.direct])
  const nodes = drafts.nodes.filter((_, place) => places.has(place))
  return selected.loadBalancer && view.loadBalancer ? [...nodes, drafts.lb] : nodes
}

/** One value of a flag: how it is called in messages (no secrets), its key, its filter, and how a container takes it. */
export interface Placement {
  readonly shown: string
  /** Of `GIVEN`. */
  readonly key: string
  readonly filter: string | undefined
  /** Puts it into a container; false where another value is there already. */
  place(draft: Draft): boolean
}

/** Puts a value into the containers of its filter, or adds a problem. */
export function placeValue(
  flag: string,
  value: Placement,
  view: ContainerView,
  drafts: Drafts,
  problems: SpecProblem[],
): void {
  const chosen = chooseDrafts(value.filter, view, drafts)
  if (isOptionProblem(chosen)) {
    problems.push(atFlag(flag, { ...chosen, message: `${chosen.message}, in "${value.shown}"` }))
    return
  }
  const refused = chosen.find((draft) => !value.place(draft))
  for (const draft of chosen)
    if (draft.role !== 'lb') noteGiven(draft.given, value.key, givenFor(value.filter, draft.role))
  if (refused) {
    const message = `"${value.shown}" gives ${refused.name} a second value`
    problems.push(atFlag(flag, { message, hint: 'give each once for a node' }))
  }
}

/** Puts a value into a map unless another is there; tells whether that went well. */
export function putOnce<T>(map: Map<string, T>, key: string, value: T): boolean {
  if (map.has(key) && map.get(key) !== value) return false
  map.set(key, value)
  return true
}

/** The draft as it goes into the spec. */
export function finishDraft(draft: Draft): ContainerNodeSpec {
  return {
    mounts: [...draft.mounts.values()].map((mount) => ownVolume(mount, draft.name)),
    env: Object.fromEntries(draft.env),
    k3sArgs: [...draft.k3sArgs],
    files: [...draft.files.values()],
    runtimeLabels: Object.fromEntries(draft.runtimeLabels),
    ...Object.fromEntries(draft.limits),
  }
}
