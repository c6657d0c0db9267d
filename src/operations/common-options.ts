import { createHash } from 'node:crypto'
import { ownVolume } from '../cluster/container/volumes.js'
import { type ContainerNodeSpec, type MountSpec, PLAIN_CONTAINER } from '../cluster/container-spec.js'
import { GIVEN, givenOf } from '../cluster/given.js'
import { k3sOption } from '../cluster/k3s-options.js'
import type { GivenFor, NodeSpec, Role } from '../cluster/spec.js'
import { taintText } from '../cluster/taint-text.js'

/** One option of one node, in a form in which those of several nodes can be compared. */
interface Option {
  /** Of `GIVEN`. */
  readonly key: string
  /** What there can be only once on a node; mostly the key. */
  readonly place: string
  /** Two nodes that have the same have the option in common. */
  readonly value: string
  give(node: NodeSpec): NodeSpec
}

/** An option that the nodes which are there have in common, so that one which joins gets it too. */
export interface CommonOption extends Option {
  readonly givenFor: GivenFor
}

/**
 * What `run` would have given to a node of a role: every option that all who are there of the role have, except where it was given
 * to one of them alone; where there is none of the role, what was given to every master and worker. Pure.
 */
export function commonOptions(role: Role, nodes: readonly NodeSpec[]): CommonOption[] {
  const told = nodes.map((node) => ({ node, options: optionsOf(node) }))
  const alike = told.filter(({ node }) => node.role === role)
  const found = new Map<string, CommonOption>()
  for (const { node, options } of alike.length > 0 ? alike : told) {
    for (const option of options) {
      const scope = node.given?.[option.key]
      if (scope === 'node' || found.has(option.key)) continue
      const common = alike.length === 0 ? scope === 'all' : alike.every((other) => agrees(other, option))
      // Of one that nobody noted, as of labels that a later run gave, no more is known.
      if (common) found.set(option.key, { ...option, givenFor: scope ?? 'role' })
    }
  }
  return [...found.values()]
}

interface Told {
  readonly node: NodeSpec
  readonly options: readonly Option[]
}

/** Whether a node has an option like the others; one that has another alone in its place says nothing about it. */
function agrees({ node: { given }, options }: Told, { key, place, value }: Option): boolean {
  const isAlone = (other: string): boolean => given?.[other] === 'node'
  if (isAlone(key) || options.some((other) => other.place === place && isAlone(other.key))) return true
  return options.some((other) => other.key === key && other.value === value)
}

/** A node that joins, with the common options that it was not given otherwise; those come first, as `run` had them. Pure. */
export function withCommon(node: NodeSpec, common: readonly CommonOption[]): NodeSpec {
  const own = optionsOf(node)
  const isSame = (a: Option, b: Option): boolean => a.key === b.key && a.value === b.value
  const inherited = common.filter(
    (option) => !own.some((other) => other.place === option.place && !isSame(other, option)),
  )
  const more = own.filter((option) => !inherited.some((other) => isSame(other, option)))
  const { given: _, ...rest } = node
  const bare: NodeSpec = {
    ...rest,
    labels: {},
    taints: [],
    ...(node.container ? { container: PLAIN_CONTAINER } : {}),
    ...givenOf(
      inherited.map(({ key, givenFor }) => [key, givenFor] as const),
      // Whoever they are for among those that join now, others that join later do not get them.
      more.map(({ key }) => [key, 'node'] as const),
    ),
  }
  return [...inherited, ...more].reduce((made, option) => option.give(made), bare)
}

/** Everything that a node was given, in the order of its lists. */
function optionsOf(node: NodeSpec): Option[] {
  const { container } = node
  return [
    ...Object.entries(node.labels).map(([key, value]) =>
      option(GIVEN.label(key), value, (to) => ({ labels: { ...to.labels, [key]: value } })),
    ),
    ...node.taints.map((taint) =>
      option(GIVEN.taint(taint), taintText(taint), (to) => ({ taints: [...to.taints, taint] })),
    ),
    ...(container ? containerOptions(node.target.host, container) : []),
  ]
}

function containerOptions(name: string, container: ContainerNodeSpec): Option[] {
  const { mounts, env, k3sArgs, files, runtimeLabels, memoryBytes, cpus } = container
  return [
    ...mounts.map((mount) => {
      const shared = withoutOwner(mount, name)
      const text = JSON.stringify(shared)
      const key = GIVEN.volume(mount.target)
      return inside(
        key,
        text,
        (to, its) => ({ mounts: [...to.mounts, ownVolume(shared, its)] }),
        mount.target,
      )
    }),
    ...Object.entries(env).map(([key, value]) =>
      inside(GIVEN.env(key), value, (to) => ({ env: { ...to.env, [key]: value } })),
    ),
    ...k3sArgs.map((arg) =>
      inside(GIVEN.k3sArg(arg), arg, (to) => ({ k3sArgs: [...to.k3sArgs, arg] }), argPlace(arg)),
    ),
    ...files.map((file) =>
      inside(
        GIVEN.file(file.path),
        createHash('sha256').update(file.content).digest('hex'),
        (to) => ({ files: [...to.files, file] }),
        file.path,
      ),
    ),
    ...Object.entries(runtimeLabels).map(([key, value]) =>
      inside(GIVEN.runtimeLabel(key), value, (to) => ({
        runtimeLabels: { ...to.runtimeLabels, [key]: value },
      })),
    ),
    ...(memoryBytes === undefined
      ? []
      : [inside(GIVEN.memory, String(memoryBytes), () => ({ memoryBytes }))]),
    ...(cpus === undefined ? [] : [inside(GIVEN.cpus, String(cpus), () => ({ cpus }))]),
  ]
}

function option(key: string, value: string, change: (to: NodeSpec) => Partial<NodeSpec>): Option {
  return { key, place: key, value, give: (node) => ({ ...node, ...change(node) }) }
}

function inside(
  key: string,
  value: string,
  change: (to: ContainerNodeSpec, name: string) => Partial<ContainerNodeSpec>,
  place = key,
): Option {
  const give = (node: NodeSpec): NodeSpec => {
    const to = node.container ?? PLAIN_CONTAINER
    return { ...node, container: { ...to, ...change(to, node.target.host) } }
  }
  return { key, place, value, give }
}

/** A volume that each container has for itself, as the user wrote it. */
function withoutOwner(mount: MountSpec, name: string): MountSpec {
  const bare = { ...mount, source: '' }
  return mount.kind === 'volume' && ownVolume(bare, name).source === mount.source ? bare : mount
}

/** An option of k3s that is no list can be given once; another value takes its place. */
function argPlace(arg: string): string {
  const key = /^--?([^=]+)/.exec(arg)?.[1] ?? arg
  return k3sOption(key)?.kind === 'list' ? `--k3s-arg ${arg}` : `--k3s-arg --${key}`
}
