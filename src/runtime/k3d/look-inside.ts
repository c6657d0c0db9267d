import { LABELS, nodeOfLabels } from '../../cluster/container-labels.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { Context } from '../../core/context.js'
import type { Engine, EngineContainer } from '../../machine/docker/engine.js'
import { collectManaged } from '../../machine/facts/collect-facts.js'
import type { ManagedFacts } from '../../machine/facts/facts.js'
import type { Machine } from '../../machine/machine.js'
import { KEPT_INITIALIZED } from '../../machine/state-paths.js'
import { k3sFragments } from '../k3s/fragments.js'
import { watchedFiles } from '../k3s/observe.js'
import { K3S } from '../k3s/paths.js'
import type { NodeFiles, ObserveInput } from '../runtime.js'
import { listUserFiles, USER_FILES, USER_FILES_SCRIPT } from '../user-files.js'
import { nodeOptions } from './container-config.js'
import { CONTAINER } from './contract.js'
import { ARCHIVES } from './engine-steps.js'
import { plannedManaged } from './facts.js'
import { certificateFiles } from './node-files.js'

/** What a container itself is asked. The rest of {@link k3sFragments} is for hosts, and each takes a dozen milliseconds. */
const OF_CONTAINER = [
  ...['k3s-initialized', 'k3s-token', 'k3s-kubeconfig', 'k3s-datastore', 'k3s-server', 'k3s-node-password'],
  ARCHIVES,
]
const OF_API = ['k3s-api', 'k3s-nodes', 'k3s-members']

/**
 * One round trip into a container, for what only it knows. Its release is in its labels, and its API is asked from outside at
 * the same time: each call of k3s in the container would cost a quarter of a second. Only where that cannot be done, or
 * the API does not answer, the container is asked for that too.
 */
export async function lookInside(
  spec: ClusterSpec,
  input: ObserveInput,
  machine: Machine,
  container: EngineContainer,
  ctx: Context,
): Promise<ManagedFacts> {
  const { files, fragments } = probeOptions(spec, input)
  const look = (names: readonly string[], paths: readonly string[]): Promise<ManagedFacts> =>
    collectManaged(machine, { files: paths, fragments: pick(fragments, names) }, ctx)
  const version = container.labels[LABELS.version] ? [] : ['k3s-version']
  const userFiles = input.toJoin ? [USER_FILES] : []
  const [found, told] = await Promise.all([
    look([...OF_CONTAINER, ...version, ...userFiles], files),
    askApi(input, container),
  ])
  const answers = told ?? (await look([...OF_API, 'k3s-etcd'], [])).fragments
  // etcd is asked itself only where nobody else can tell how it is.
  const etcd =
    told && isMaster(container) && told['k3s-api'] !== 'ok' ? await look(['k3s-etcd'], []) : undefined
  return { ...found, fragments: { ...found.fragments, ...answers, ...etcd?.fragments } }
}

/**
 * What there is to know of a container that this operation has made and brought up: what its API says, and its kubeconfig.
 * Undefined where the API cannot be asked from here.
 */
export async function lookAtMade(
  input: ObserveInput,
  container: EngineContainer,
): Promise<ManagedFacts | undefined> {
  const [answers, files] = await Promise.all([
    askApi(input, container),
    isMaster(container) ? input.readFiles?.(container.name) : undefined,
  ])
  if (!answers) return undefined
  const kubeconfig = textOf(files, K3S.kubeconfig)
  const fragments = {
    ...answers,
    'k3s-initialized': 'yes',
    ...(kubeconfig ? { 'k3s-kubeconfig': kubeconfig } : {}),
  }
  return plannedManaged(fragments)
}

/**
 * What those who join need to know of a node that stays as it is, from the engine and the API alone: a command in a container
 * takes as long as the rest of what is done before a new one starts. Of a worker that is nothing. Undefined where the API cannot
 * be asked from here, or is not ready: then the container is looked into.
 */
export async function lookBeside(
  input: ObserveInput,
  engine: Engine,
  container: EngineContainer,
): Promise<ManagedFacts | undefined> {
  const { name } = container
  const has = (path: string): Promise<boolean> => engine.hasPath(name, path)
  const initialized = has(KEPT_INITIALIZED)
  if (!isMaster(container)) return plannedManaged({ 'k3s-initialized': yes(await initialized) })
  const [answers, files, marked, etcd, sqlite, archives] = await Promise.all([
    askApi(input, container),
    input.readFiles?.(name),
    initialized,
    has(`${K3S.dataDir}/server/db/etcd`),
    has(`${K3S.dataDir}/server/db/state.db`),
    archivesOf(input, has),
  ])
  const token = textOf(files, K3S.tokenFile)
  if (answers?.['k3s-api'] !== 'ok' || !files || token === '') return undefined
  return plannedManaged({
    ...answers,
    'k3s-initialized': yes(marked),
    'k3s-token': token,
    'k3s-kubeconfig': textOf(files, K3S.kubeconfig),
    'k3s-datastore': [...(etcd ? ['etcd'] : []), ...(sqlite ? ['sqlite'] : [])].join('\n'),
    [USER_FILES]: listUserFiles(files),
    [ARCHIVES]: archives.join('\n'),
  })
}

/** Digests of the rootfs' image archives that the volume of all nodes has. */
async function archivesOf(
  { rootfs }: ObserveInput,
  has: (path: string) => Promise<boolean>,
): Promise<readonly string[]> {
  const digests = (rootfs?.manifest.files ?? []).flatMap(({ role, sha256 }) =>
    role === 'images' ? sha256 : [],
  )
  const there = await Promise.all(digests.map((digest) => has(`${CONTAINER.images}/.airlift/${digest}`)))
  return digests.filter((_, i) => there[i])
}

const yes = (is: boolean): string => (is ? 'yes' : '')

function textOf(files: NodeFiles | undefined, path: string): string {
  return files?.get(path)?.content.toString('utf8') ?? ''
}

/** What the API of a master says, as the fragments would tell it. Undefined where it cannot be asked from here. */
async function askApi(
  { readApi }: ObserveInput,
  container: EngineContainer,
): Promise<Record<string, string> | undefined> {
  if (!isMaster(container)) return { 'k3s-api': '', 'k3s-nodes': '', 'k3s-members': '' }
  const [api, nodes, members] = await Promise.all(
    ['/readyz', '/api/v1/nodes', '/db/info'].map((path) => readApi?.(container.name, path)),
  )
  if (api === undefined || nodes === undefined || api === 'unavailable') return undefined
  if (api !== 'ok') return { 'k3s-api': api, 'k3s-nodes': '', 'k3s-members': '' }
  return { 'k3s-api': api, 'k3s-nodes': nodes, 'k3s-members': members ?? '' }
}

function isMaster({ labels }: EngineContainer): boolean {
  return nodeOfLabels(labels)?.role === 'master'
}

function pick(fragments: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(fragments).filter(([name]) => names.includes(name)))
}

function probeOptions(
  spec: ClusterSpec,
  input: ObserveInput,
): { readonly files: readonly string[]; readonly fragments: Readonly<Record<string, string>> } {
  const own = [
    ...[...spec.masters, ...spec.nodes].flatMap((node) => nodeOptions(node).files),
    ...certificateFiles(spec),
  ]
  const files = [
    ...watchedFiles(spec, input),
    CONTAINER.entryScript,
    CONTAINER.balancer,
    ...own.map((file) => file.path),
  ]
  return {
    files: [...new Set(files)],
    fragments: {
      ...k3sFragments(),
      [USER_FILES]: USER_FILES_SCRIPT,
      [ARCHIVES]: `ls -A ${CONTAINER.images}/.airlift 2>/dev/null`,
    },
  }
}
