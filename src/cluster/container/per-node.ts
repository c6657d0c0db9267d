import { GIVEN, givenFor, noteGiven } from '../given.js'
import type { SpecProblem } from '../problems.js'
import type { LocalFacts, SpecIo } from '../spec-io.js'
import type { ContainerFlags, ContainerSubject } from './container-flags.js'
import { parseCpus } from './cpus.js'
import { chooseDrafts, type Draft, type Drafts, placeValue, putOnce } from './drafts.js'
import { parseEnv } from './env.js'
import { parseFile } from './files.js'
import { type ContainerView, selectContainers, splitFilteredText } from './filter.js'
import { type K3sArg, parseK3sArg } from './k3s-args.js'
import { parseMemory } from './memory.js'
import { atFlag, isOptionProblem, type OptionProblem } from './option-problem.js'
import { parseRuntimeLabel } from './runtime-labels.js'
import { parseVolume } from './volumes.js'

/** The flags that take filters, other than ports. */
export type PerNodeFlags = Pick<
  ContainerFlags,
  'volume' | 'env' | 'k3sArg' | 'runtimeLabel' | 'file' | 'memory' | 'cpus'
>

/** The subject with the drafts that are filled. */
export interface PerNodeSubject extends ContainerSubject {
  readonly view: ContainerView
  readonly drafts: Drafts
}

/** Puts what the flags with filters give into the drafts of the containers that they choose. */
export async function placePerNode(
  flags: PerNodeFlags,
  subject: PerNodeSubject,
  io: Pick<SpecIo, 'readFile'> & { readonly local: LocalFacts },
  problems: SpecProblem[],
  warnings: string[],
): Promise<void> {
  const { view, drafts } = subject
  for (const text of flags.env ?? []) {
    const variable = parseEnv(text, io.local.env)
    if (isOptionProblem(variable)) {
      problems.push(atFlag('--env', variable))
      continue
    }
    const { key, value, filter } = variable
    if (value === undefined) warnings.push(`--env: ${key} is not set here, so no node gets it`)
    // A filter that matches nothing is told for a variable that is not set, too.
    placeValue(
      '--env',
      {
        shown: key,
        key: GIVEN.env(key),
        filter,
        place: (draft) => value === undefined || putOnce(draft.env, key, value),
      },
      view,
      drafts,
      problems,
    )
  }
  for (const text of flags.runtimeLabel ?? []) {
    const label = parseRuntimeLabel(text)
    if (isOptionProblem(label)) problems.push(atFlag('--runtime-label', label))
    else
      placeValue(
        '--runtime-label',
        {
          shown: text,
          key: GIVEN.runtimeLabel(label.key),
          filter: label.filter,
          place: (draft) => putOnce(draft.runtimeLabels, label.key, label.value),
        },
        view,
        drafts,
        problems,
      )
  }
  placeLimits(flags, subject, problems)
  for (const text of flags.k3sArg ?? []) {
    const arg = parseK3sArg(text)
    if (isOptionProblem(arg)) problems.push(atFlag('--k3s-arg', arg))
    else placeK3sArg(arg, subject, problems)
    if (!isOptionProblem(arg) && arg.warning !== undefined) warnings.push(arg.warning)
  }
  for (const text of flags.volume ?? []) {
    const request = await parseVolume(text, subject.cluster, io.local)
    const refused = isOptionProblem(request) ? request : registriesTwice(request.mount.target, subject)
    if (refused) problems.push(atFlag('--volume', refused))
    else if (!isOptionProblem(request))
      placeValue(
        '--volume',
        {
          shown: text,
          key: GIVEN.volume(request.mount.target),
          filter: request.filter,
          place: (draft) => putOnce(draft.mounts, request.mount.target, request.mount),
        },
        view,
        drafts,
        problems,
      )
  }
  for (const text of flags.file ?? []) {
    const request = await parseFile(text, io)
    const refused = isOptionProblem(request) ? request : registriesTwice(request.file.path, subject)
    if (refused) problems.push(atFlag('--file', refused))
    else if (!isOptionProblem(request)) {
      const { file, filter } = request
      placeValue(
        '--file',
        {
          shown: text,
          key: GIVEN.file(file.path),
          filter,
          place: (draft) => !draft.mounts.has(file.path) && putOnce(draft.files, file.path, file),
        },
        view,
        drafts,
        problems,
      )
    }
  }
}

/** Memory and processors. The load balancer, which `all` names too, has no limits: it works in the kernel. */
function placeLimits(
  flags: Pick<PerNodeFlags, 'memory' | 'cpus'>,
  { view, drafts }: PerNodeSubject,
  problems: SpecProblem[],
): void {
  const limits = [
    { flag: GIVEN.memory, key: 'memoryBytes', texts: flags.memory ?? [], parse: parseMemory },
    { flag: GIVEN.cpus, key: 'cpus', texts: flags.cpus ?? [], parse: parseCpus },
  ] as const
  for (const { flag, key, texts, parse } of limits) {
    for (const text of texts) {
      const { body, filter } = splitFilteredText(text)
      const value = parse(body)
      if (isOptionProblem(value)) {
        problems.push(atFlag(flag, value))
        continue
      }
      const place = (draft: Draft): boolean => draft.role === 'lb' || putOnce(draft.limits, key, value)
      placeValue(flag, { shown: text, key: flag, filter, place }, view, drafts, problems)
    }
  }
}

function registriesTwice(path: string, subject: ContainerSubject): OptionProblem | undefined {
  if (!subject.registries || path !== '/etc/rancher/k3s/registries.yaml') return undefined
  return { message: `"${path}" is what --registries writes`, hint: 'give one of them' }
}

/** An option that only one role's k3s has goes to that role; a filter that asks for the other one is refused. */
function placeK3sArg(arg: K3sArg, subject: PerNodeSubject, problems: SpecProblem[]): void {
  const { view, drafts } = subject
  const refuse = (problem: OptionProblem): void => {
    problems.push(atFlag('--k3s-arg', { ...problem, message: `${problem.message}, in "${arg.arg}"` }))
  }
  const chosen = chooseDrafts(arg.filter, view, drafts)
  if (isOptionProblem(chosen)) {
    refuse(chosen)
    return
  }
  const nodes = chosen.filter((draft) => draft.role !== 'lb')
  const every = arg.filter === undefined || isEveryNode(arg.filter, view)
  if (nodes.length === 0 && view.nodes.length > 0) {
    refuse({
      message: `the filter "${arg.filter}" names the load balancer, which runs no k3s`,
      hint: 'name masters or workers',
    })
    return
  }
  const fitting = nodes.filter((draft) => arg.onlyRole === undefined || draft.role === arg.onlyRole)
  const other = nodes.find((draft) => !fitting.includes(draft))
  if (other && (!every || fitting.length === 0)) {
    refuse({
      message: `only ${arg.onlyRole}s have the option --${arg.key}, and ${other.name} is a ${other.role}`,
      hint: `name ${arg.onlyRole}s: @${arg.onlyRole}s:*`,
    })
    return
  }
  for (const draft of fitting) {
    draft.k3sArgs.add(arg.arg)
    if (draft.role === 'lb') continue
    const scope = givenFor(arg.filter, draft.role)
    // What only one role's k3s has is not for the first node of the other one.
    noteGiven(draft.given, GIVEN.k3sArg(arg.arg), scope === 'all' && arg.onlyRole ? 'role' : scope)
  }
}

function isEveryNode(filter: string, view: ContainerView): boolean {
  const selected = selectContainers(filter, view)
  return !isOptionProblem(selected) && selected.loadBalancer && selected.proxied.length === view.nodes.length
}
