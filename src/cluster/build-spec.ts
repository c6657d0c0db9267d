import { isAirliftError } from '../core/errors.js'
import { networkProblems } from './cluster-networks.js'
import { readConfig } from './config.js'
import { buildContainers } from './container/build-containers.js'
import type { ContainerFlags, ContainerSubject } from './container/container-flags.js'
import { containerTargets, NEW_PLACES, type Places } from './container/container-targets.js'
import { parseDuration } from './duration.js'
import { filterIndex, filterNames } from './filters.js'
import { givenOf } from './given.js'
import { findHostConflicts } from './host-conflicts.js'
import { collectHostList, type HostList } from './host-list.js'
import { K3S_OPTIONS } from './k3s-options.js'
import { decorateNodes, type NodeDecoration } from './node-decorations.js'
import { type SpecProblem, throwProblems } from './problems.js'
import type { ClusterSpec, NodeSpec, RegistriesSpec, Role, RuntimeName } from './spec.js'
import { readForFlag, type SpecIo } from './spec-io.js'
import { readSshFlags, type SshFlags } from './ssh-flags.js'

/** The flags that make a spec, as commander gives them: names in camel case, values not yet checked. */
export interface SpecFlags extends SshFlags, NodeDecoration, ContainerFlags {
  readonly name?: string
  readonly runtime?: string
  readonly masters?: string
  readonly nodes?: string
  readonly config?: string
  readonly set?: readonly string[]
  readonly registries?: string
  readonly dockerLogins?: boolean
  readonly manifests?: readonly string[]
  readonly ignore?: readonly string[]
  readonly wait?: string
  /** `10m`, `90s`. Default 10m. */
  readonly timeout?: string
}

/** What {@link buildSpec} gives. */
export interface BuiltSpec {
  readonly spec: ClusterSpec
  /** Doubtful but taken; shown to the user. */
  readonly warnings: readonly string[]
  /** Numbers of containers, where the lists were plain numbers. */
  readonly counts?: { readonly masters: number; readonly nodes: number }
}

/** What a command needs of the spec beside what every command does. */
export interface BuildSpecOptions {
  /** Whether --masters must be given. Default true. */
  readonly mastersRequired?: boolean
  /** Indexes of the containers of each role that a number asks for, where the cluster has some already. Default: from 0 on. */
  readonly places?: Readonly<Record<Role, Places>>
  /** Whether they come to a cluster that is there, whose load balancer is none of them. Default false. */
  readonly joining?: boolean
}

const RUNTIMES: readonly RuntimeName[] = ['k3s', 'k3d', 'k0s']
const WAITS = ['none', 'api', 'nodes', 'system'] as const
const DEFAULT_TIMEOUT_MS = 600_000

/**
 * Makes the spec from the flags of a command. Everything is checked before anything is done: one error tells all that is
 * wrong, each with its flag or file and line, the wrong value and the remedy (`data.errors`).
 */
export async function buildSpec(
  flags: SpecFlags,
  io: SpecIo,
  options: BuildSpecOptions = {},
): Promise<BuiltSpec> {
  const problems: SpecProblem[] = []
  const warnings: string[] = []
  const name = checkClusterName(flags.name ?? 'default', problems)
  const ssh = readSshFlags(flags, problems)
  const listed = {
    masters: await readList('--masters', flags.masters, io, problems),
    nodes: await readList('--nodes', flags.nodes, io, problems),
  }
  if (flags.masters === undefined && options.mastersRequired !== false) {
    problems.push(
      usage(
        '--masters',
        'no master is named',
        'give --masters root@10.0.0.1, --masters local for this computer, or --masters 1 for a container on it',
      ),
    )
  }
  const runtime = chooseRuntime(flags, listed.masters, listed.nodes, problems)
  const counted = listed.masters.count !== undefined || listed.nodes.count !== undefined
  const places = options.places ?? NEW_PLACES
  const targets = (role: Role, list: HostList) =>
    list.count === undefined ? list.targets : containerTargets(name, role, list.count, places[role])
  const masters = targets('master', listed.masters)
  const nodes = targets('worker', listed.nodes)
  problems.push(...findHostConflicts(masters, nodes, ssh.port))
  const decorated = decorateNodes(flags, masters, nodes, problems)
  const file =
    flags.config === undefined ? undefined : await readForFlag(io, '--config', flags.config, problems)
  const { config, warnings: doubts } = await readConfig(
    {
      ...(flags.config === undefined || file === undefined
        ? {}
        : { file: { path: flags.config, text: file.toString('utf8') } }),
      set: flags.set ?? [],
    },
    problems,
  )
  warnings.push(...doubts)
  checkConfigFits(config, masters.length, nodes.length, counted, problems)
  // Of containers those are checked together with their own network.
  if (!counted && runtime === 'k3s') problems.push(...networkProblems(config, false))
  const registries = await readRegistries(flags, io, warnings, problems)
  const manifests = flags.manifests?.length
    ? await (await import('./manifests.js')).readManifests(flags.manifests, io, problems)
    : []
  const registriesGiven = flags.registries !== undefined || flags.dockerLogins === true
  const subject = { cluster: name, config, registries: registriesGiven, joining: options.joining === true }
  const containers = counted
    ? await addContainers(flags, decorated, subject, io, problems, warnings)
    : undefined
  const spec: ClusterSpec = {
    name,
    runtime,
    ...decorated,
    ...containers,
    ssh,
    config,
    ...(registries === undefined ? {} : { registries }),
    manifests,
    ignore: readIgnore(flags.ignore ?? [], problems),
    wait: readWait(flags.wait, problems),
    timeoutMs: readTimeout(flags.timeout, problems),
  }
  throwProblems(problems)
  return {
    spec,
    warnings,
    ...(counted ? { counts: { masters: listed.masters.count ?? 0, nodes: listed.nodes.count ?? 0 } } : {}),
  }
}

/** The nodes as containers, and what holds for all of them. */
async function addContainers(
  flags: ContainerFlags,
  decorated: Pick<ClusterSpec, 'masters' | 'nodes'>,
  subject: Omit<ContainerSubject, 'nodes'>,
  io: SpecIo,
  problems: SpecProblem[],
  warnings: string[],
): Promise<Pick<ClusterSpec, 'masters' | 'nodes' | 'containers'>> {
  const view = ({ role, target }: NodeSpec, place: number) => ({
    role,
    index: filterIndex(target, place),
    names: filterNames(target),
  })
  const nodes = [...decorated.masters.map(view), ...decorated.nodes.map(view)]
  const built = await buildContainers(flags, { ...subject, nodes }, io, problems, warnings)
  const withContainer = (node: NodeSpec, place: number): NodeSpec => {
    const container = built.nodes[place]
    if (container === undefined) return node
    return { ...node, container, ...givenOf(Object.entries(node.given ?? {}), built.given[place] ?? []) }
  }
  const members = [...decorated.masters, ...decorated.nodes].map(withContainer)
  const { length } = decorated.masters
  return { masters: members.slice(0, length), nodes: members.slice(length), containers: built.containers }
}

/** A name that can be part of host names, contexts and paths: lower-case letters, digits and dashes, at most 40. */
export function checkClusterName(name: string, problems: SpecProblem[]): string {
  if (name.length > 40 || !/^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/.test(name)) {
    problems.push(
      usage(
        '--name',
        `"${name}" is not a cluster name`,
        'use lower-case letters, digits and dashes inside, at most 40',
      ),
    )
  }
  return name
}

async function readList(
  flag: string,
  text: string | undefined,
  io: SpecIo,
  problems: SpecProblem[],
): Promise<HostList> {
  if (text === undefined) return { targets: [] }
  return collectHostList(text, { flag }, async (path) => (await io.readFile(path)).toString('utf8'), problems)
}

function chooseRuntime(
  flags: SpecFlags,
  masters: HostList,
  nodes: HostList,
  problems: SpecProblem[],
): RuntimeName {
  const named = RUNTIMES.find((runtime) => runtime === flags.runtime)
  if (flags.runtime !== undefined && named === undefined) {
    problems.push(usage('--runtime', `"${flags.runtime}" is not a runtime`, `choose ${RUNTIMES.join(', ')}`))
  }
  const counts = [masters.count, nodes.count].filter((count) => count !== undefined)
  const hosts = masters.targets.length + nodes.targets.length
  if (counts.length > 0 && hosts > 0) {
    problems.push(
      usage(
        '--nodes',
        'hosts and a number of containers cannot be one cluster',
        'give hosts in both lists, or numbers in both',
      ),
    )
  }
  if (masters.count === 0) problems.push(usage('--masters', '0 masters make no cluster', 'give at least 1'))
  if (counts.length > 0 && named === 'k3s') {
    problems.push(
      usage(
        '--masters',
        `"${flags.masters}" is a number of containers, which the runtime k3s does not make`,
        'name hosts, or leave --runtime out',
      ),
    )
  }
  if (hosts > 0 && named === 'k3d') {
    problems.push(
      usage('--masters', 'the runtime k3d makes its own containers and takes no hosts', 'use --runtime k3s'),
    )
  }
  return named ?? (counts.length > 0 ? 'k3d' : 'k3s')
}

/** Refuses what names one node where there are several, and a datastore that the masters cannot share. */
function checkConfigFits(
  config: Readonly<Record<string, unknown>>,
  masters: number,
  nodes: number,
  containers: boolean,
  problems: SpecProblem[],
): void {
  for (const key of Object.keys(config)) {
    if (K3S_OPTIONS[key]?.perNode && (masters + nodes > 1 || containers)) {
      const message = containers
        ? `"${key}" names one node, and containers have their names and addresses`
        : `"${key}" names one node, and every node would get it`
      problems.push({
        code: 'E_CONFIG_INVALID',
        path: '--set',
        message,
        hint: 'leave it out: airlift sets it for each node',
      })
    }
  }
  if (config['cluster-init'] === false && masters > 1 && config['datastore-endpoint'] === undefined) {
    const message = `cluster-init is false, but ${masters} masters share their data through embedded etcd`
    problems.push({
      code: 'E_CONFIG_INVALID',
      path: '--set',
      message,
      hint: 'leave it out, or set datastore-endpoint',
    })
  }
  if (config['cluster-init'] === true && config['datastore-endpoint'] !== undefined) {
    const message = 'cluster-init and datastore-endpoint are two datastores'
    problems.push({ code: 'E_CONFIG_INVALID', path: '--set', message, hint: 'set one of them' })
  }
}

async function readRegistries(
  { registries: path, dockerLogins = false }: SpecFlags,
  io: SpecIo,
  warnings: string[],
  problems: SpecProblem[],
): Promise<RegistriesSpec | undefined> {
  if (path === undefined && !dockerLogins) return undefined
  try {
    const loaded = await io.loadRegistries(path, { dockerLogins })
    warnings.push(...loaded.warnings)
    return loaded.registries
  } catch (error) {
    if (!isAirliftError(error)) throw error
    const inner = error.data?.errors as readonly SpecProblem[] | undefined
    problems.push(
      ...(inner ?? [
        {
          code: error.code,
          path: path === undefined ? '--docker-logins' : '--registries',
          message: error.message,
          ...(error.hint ? { hint: error.hint } : {}),
        },
      ]),
    )
    return undefined
  }
}

function readIgnore(flags: readonly string[], problems: SpecProblem[]): string[] {
  const codes = flags.flatMap((text) => text.split(',')).map((code) => code.trim())
  for (const code of codes) {
    if (!/^[A-Za-z][A-Za-z0-9_-]*$/.test(code)) {
      problems.push(
        usage(
          '--ignore',
          `"${code}" is not a code`,
          'give codes as the refusal prints them, separated by commas',
        ),
      )
    }
  }
  return [...new Set(codes)]
}

function readWait(text: string | undefined, problems: SpecProblem[]): ClusterSpec['wait'] {
  const found = WAITS.find((known) => known === (text ?? 'nodes'))
  if (found === undefined)
    problems.push(usage('--wait', `"${text}" is not a choice`, `choose ${WAITS.join(', ')}`))
  return found ?? 'nodes'
}

function readTimeout(text: string | undefined, problems: SpecProblem[]): number {
  if (text === undefined) return DEFAULT_TIMEOUT_MS
  const ms = parseDuration(text)
  if (ms === undefined)
    problems.push(usage('--timeout', `"${text}" is not a duration`, 'write 90s, 10m or 1h30m; at most 24h'))
  return ms ?? DEFAULT_TIMEOUT_MS
}

function usage(path: string, message: string, hint: string): SpecProblem {
  return { code: 'E_USAGE', path, message, hint }
}
