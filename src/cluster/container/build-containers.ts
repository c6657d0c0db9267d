import { type ContainerNodeSpec, type ContainerSpec, containerName } from '../container-spec.js'
import type { SpecProblem } from '../problems.js'
import type { GivenFor } from '../spec.js'
import type { LocalFacts, SpecIo } from '../spec-io.js'
import { type ApiPort, parseApiPort } from './api-port.js'
import { loadCertificates } from './ca-certificates.js'
import type { ContainerFlags, ContainerSubject } from './container-flags.js'
import { parseDns } from './dns.js'
import { createDrafts, finishDraft } from './drafts.js'
import { readFamilies } from './families.js'
import type { ContainerView } from './filter.js'
import { parseGpus } from './gpus.js'
import { mergeHostAliases, parseHostAlias } from './host-aliases.js'
import { checkImage } from './image.js'
import { checkNetworkName } from './network.js'
import { atFlag, isOptionProblem, type OptionProblem } from './option-problem.js'
import { placePerNode } from './per-node.js'
import { buildPorts } from './ports.js'
import { readProxy } from './proxy.js'
import { parseUlimit } from './ulimits.js'

/** What {@link buildContainers} gives. */
export interface BuiltContainers {
  readonly containers: ContainerSpec
  /** One for each node, in order. */
  readonly nodes: readonly ContainerNodeSpec[]
  /** For each of them, for whom its options were given. */
  readonly given: readonly ReadonlyMap<string, GivenFor>[]
}

/** A computer of which nothing is known; nothing is checked against it. */
const NOWHERE: LocalFacts = {
  env: {},
  absolutePath: (path) => path,
  pathKind: async () => 'other',
  lookup: async () => undefined,
  engineIsLocal: async () => false,
}

/** Makes the container part of a spec from flags. All that is wrong is added to `problems`; doubts go to `warnings`. */
export async function buildContainers(
  flags: ContainerFlags,
  subject: ContainerSubject,
  io: SpecIo,
  problems: SpecProblem[],
  warnings: string[],
): Promise<BuiltContainers> {
  const local = io.local ?? NOWHERE
  const masters = subject.nodes.filter((node) => node.role === 'master')
  const balancerRefused = flags.lb === false
  const view: ContainerView = {
    cluster: subject.cluster,
    nodes: subject.nodes,
    loadBalancer: !balancerRefused && !subject.joining && masters.length > 1,
  }
  const one = reader(problems)
  const drafts = createDrafts(view)
  await placePerNode(
    flags,
    { ...subject, view, drafts },
    { readFile: io.readFile, local },
    problems,
    warnings,
  )
  const api =
    (await one('--api-port', flags.apiPort, (text) => parseApiPort(text, local))) ??
    ({ address: '127.0.0.1' } satisfies ApiPort)
  const wanted = [...(flags.port ?? []), ...(flags.ingress ? ['80:80', '443:443'] : [])]
  const portView = subject.joining ? { ...view, loadBalancer: true } : view
  const { ports, problems: wrongPorts } = buildPorts(wanted, { view: portView, balancerRefused, api })
  problems.push(...wrongPorts.map((problem) => atFlag('--port', problem)))
  const { inside, ...families } = readFamilies(flags, subject, problems)
  if (flags.network !== undefined && flags.subnet !== undefined) {
    const message = `the network "${flags.network}" has its subnet, so "${flags.subnet}" cannot be chosen`
    problems.push(atFlag('--subnet', { message, hint: 'leave --network or --subnet out' }))
  }
  const optional = {
    image: await one('--image', flags.image, (text) => checkImage(text) ?? text),
    network: await one('--network', flags.network, (text) => checkNetworkName(text) ?? text),
    ...families,
    gpus: await one('--gpus', flags.gpus, parseGpus),
  }
  const names = [containerName(subject.cluster, 'lb'), ...masters.map((node) => node.names[0] ?? '')]
  const containers: ContainerSpec = {
    ...(dropUndefined(optional) as Partial<ContainerSpec>),
    loadBalancer: !balancerRefused,
    api,
    ports,
    ulimits: await readUlimits(flags.ulimit ?? [], problems),
    hostAliases: await readHostAliases(flags.hostAlias ?? [], problems),
    ...(await readDns(flags.dns ?? [], problems)),
    lb: finishDraft(drafts.lb),
    keep: flags.keep ?? false,
    proxy: await readProxy(io, [...inside, ...names], warnings),
    caCertificates: await loadCertificates(flags.ca ?? [], io, (problem) =>
      problems.push(atFlag('--ca', problem)),
    ),
  }
  return { containers, nodes: drafts.nodes.map(finishDraft), given: drafts.nodes.map(({ given }) => given) }
}

/** Reads the value of a flag where it is given; a problem gives undefined. */
function reader(problems: SpecProblem[]) {
  return async <T>(
    flag: string,
    text: string | undefined,
    read: (text: string) => T | OptionProblem | Promise<T | OptionProblem>,
  ): Promise<T | undefined> => {
    if (text === undefined) return undefined
    const value = await read(text)
    if (!isOptionProblem(value)) return value
    problems.push(atFlag(flag, value))
    return undefined
  }
}

async function readUlimits(
  texts: readonly string[],
  problems: SpecProblem[],
): Promise<ContainerSpec['ulimits']> {
  const one = reader(problems)
  const limits = new Map<string, ContainerSpec['ulimits'][number]>()
  for (const text of texts) {
    const limit = await one('--ulimit', text, parseUlimit)
    if (limit === undefined) continue
    if (limits.has(limit.name)) {
      const message = `"${text}" gives ${limit.name} a second time`
      problems.push(atFlag('--ulimit', { message, hint: 'give each limit once' }))
    }
    limits.set(limit.name, limit)
  }
  return [...limits.values()]
}

async function readHostAliases(
  texts: readonly string[],
  problems: SpecProblem[],
): Promise<ContainerSpec['hostAliases']> {
  const one = reader(problems)
  const aliases: ContainerSpec['hostAliases'][number][] = []
  for (const text of texts) {
    const alias = await one('--host-alias', text, parseHostAlias)
    if (alias !== undefined) aliases.push(alias)
  }
  const merged = mergeHostAliases(aliases)
  if (!isOptionProblem(merged)) return merged
  problems.push(atFlag('--host-alias', merged))
  return []
}

/** Resolvers in the order in which they are asked. */
async function readDns(
  texts: readonly string[],
  problems: SpecProblem[],
): Promise<Pick<ContainerSpec, 'dns'>> {
  const one = reader(problems)
  const found = await Promise.all(
    texts.flatMap((text) => text.split(',')).map((text) => one('--dns', text, parseDns)),
  )
  const dns = [...new Set(found.filter((address) => address !== undefined))]
  return dns.length > 0 ? { dns } : {}
}

function dropUndefined(record: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined))
}
