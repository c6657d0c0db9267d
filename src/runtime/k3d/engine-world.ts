import { LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import { containerName } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import { isAirliftError } from '../../core/errors.js'
import type { Engine, EngineContainer, EngineInfo } from '../../machine/docker/engine.js'
import { readContainerFile } from '../../rootfs/tar/read-container-file.js'
import type { EngineWorld, RootfsRef } from '../runtime.js'
import { candidateImages, engineArch } from './choose-image.js'
import { freePorts, localRoutes, lookAtComputer } from './computer.js'
import { CONTAINER, objectNames } from './contract.js'
import { findLeft } from './find-left.js'
import { findUnfinished } from './find-unfinished.js'
import { containersOf } from './layout.js'
import { withoutNextBalancer } from './next-balancer.js'
import { readRemembered } from './remembered-balancer.js'

/** Ports that a remote engine's computer may have free: above what programs ask for by number. */
const REMOTE_PORTS = { first: 20_000, last: 29_999 }

/** What there is on an engine, without what takes longer to find out. */
export type EngineListing = Pick<EngineWorld, 'info' | 'networks' | 'volumes'> & {
  /** Of all clusters, and what is of none. */
  readonly all: readonly EngineContainer[]
}

/** Lists what is on an engine. Nothing is changed. */
export async function listEngine({ name }: ClusterSpec, engine: Engine): Promise<EngineListing> {
  const [info, all, networks, volumes] = await Promise.all([
    engine.info(),
    engine.containers([]),
    engine.networks(),
    engine.volumes([`${LABELS.cluster}=${name}`]),
  ])
  return { info, all, networks, volumes }
}

/** Nothing that concerns what a cluster has already depends on it, and an engine takes 40 milliseconds to tell it. */
const NOT_ASKED: EngineInfo = {
  kind: 'docker',
  version: '',
  apiVersion: '',
  arch: '',
  os: '',
  cgroupVersion: '2',
  rootless: false,
  usernsRemap: false,
  memoryBytes: 0,
  cpus: 0,
  storageDriver: '',
  containerdStore: false,
  serverName: '',
  rootDir: '',
  gpuReady: false,
}

/** Lists what an engine has of a cluster and nothing else: enough to remove it, and to see that nothing is left. */
export async function lookAtOwn({ name }: ClusterSpec, engine: Engine): Promise<EngineWorld> {
  const labels = [`${LABELS.cluster}=${name}`]
  const [all, networks, volumes] = await Promise.all([
    engine.containers(labels),
    engine.networks(labels),
    engine.volumes(labels),
  ])
  return {
    endpoint: engine.endpoint,
    info: NOT_ASKED,
    ...sortedContainers(name, all),
    others: [],
    networks,
    volumes,
    images: new Map(),
    routes: [],
    freePorts: [],
  }
}

/** Looks at an engine: what is of the cluster, what others have, what could be chosen. Nothing is changed. */
export async function lookAtEngine(
  spec: ClusterSpec,
  engine: Engine,
  rootfs: RootfsRef | undefined,
  { info, all, networks, volumes }: EngineListing,
): Promise<EngineWorld> {
  const ours = all.filter((container) => container.labels[LABELS.cluster] === spec.name)
  const sorted = sortedContainers(spec.name, ours)
  const { containers, temporary, lbNext } = sorted
  const others = all.filter((container) => container.labels[LABELS.cluster] !== spec.name)
  const [from, lb] =
    lbNext === 'rename'
      ? [temporary, objectNames.lbNext(spec.name)]
      : [containers, containerName(spec.name, 'lb')]
  const { local, host } = engine.endpoint
  const [
    automatic,
    images,
    routes,
    ports,
    lbTargets,
    remembered,
    unfinished,
    left,
    computer,
    privilegeRefused,
  ] = await Promise.all([
    isAutomatic(spec, engine, networks, ours),
    lookAtImages(spec, engine, rootfs, containers, info.arch),
    local ? localRoutes() : [],
    local && /^127\.|^localhost$/.test(host) ? freePorts(wantedPorts(spec)) : remotePorts(spec, others),
    readTargets(
      from.find(({ name }) => name === lb),
      engine,
    ),
    lbNext === undefined ? readRemembered(spec, containers, engine) : undefined,
    findUnfinished(containers, engine),
    findLeft(containers, engine),
    local ? lookAtComputer(spec, ours, info.rootDir) : undefined,
    refusalOf(spec, engine, info, ours),
  ])
  return {
    endpoint: engine.endpoint,
    info,
    ...sorted,
    ...(unfinished.length > 0 ? { unfinished } : {}),
    ...(left.length > 0 ? { left } : {}),
    others,
    networks,
    ...(automatic ? { automaticNetwork: true } : {}),
    volumes,
    images,
    routes,
    freePorts: ports,
    ...(lbTargets === undefined ? {} : { lbTargets }),
    ...(remembered ? { remembered } : {}),
    ...(computer ? { computer } : {}),
    ...(privilegeRefused === undefined ? {} : { privilegeRefused }),
  }
}

/** Why nodes cannot be made, where some are yet to be. */
async function refusalOf(
  { masters, nodes }: ClusterSpec,
  engine: Engine,
  { usernsRemap }: EngineInfo,
  ours: readonly EngineContainer[],
): Promise<string | undefined> {
  const there = new Set(ours.map(({ name }) => name))
  if ([...masters, ...nodes].every(({ target }) => there.has(target.host))) return undefined
  try {
    await engine.checkPrivileged(usernsRemap ? 'host' : undefined)
    return undefined
  } catch (error) {
    if (!isAirliftError(error) || error.code !== 'E_ENGINE_PRIVILEGE') throw error
    return error.message
  }
}

/** The containers of a cluster, and apart from them what was left behind and is only removed. */
function sortedContainers(
  cluster: string,
  ours: readonly EngineContainer[],
): Pick<EngineWorld, 'containers' | 'lbNext'> & { readonly temporary: readonly EngineContainer[] } {
  const isTemporary = ({ labels }: EngineContainer): boolean => labels[LABELS.temporary] !== undefined
  const { containers, next, lbNext } = withoutNextBalancer(
    cluster,
    ours.filter((container) => !isTemporary(container)),
  )
  return {
    containers,
    temporary: [...ours.filter(isTemporary), ...(next ? [next] : [])],
    ...(lbNext ? { lbNext } : {}),
  }
}

/** Asked before the cluster has anything: later its nodes have their addresses there. */
async function isAutomatic(
  spec: ClusterSpec,
  engine: Engine,
  networks: EngineWorld['networks'],
  ours: readonly EngineContainer[],
): Promise<boolean> {
  const named = spec.containers?.network
  if (named === undefined || ours.length > 0 || !networks.some(({ name }) => name === named)) return false
  return (await engine.keepsAddresses(named, spec.containers?.ipFamily === 'dual')) === false
}

async function lookAtImages(
  spec: ClusterSpec,
  engine: Engine,
  rootfs: RootfsRef | undefined,
  containers: readonly EngineContainer[],
  arch: string,
): Promise<EngineWorld['images']> {
  const used = containers.flatMap((container) => recordOfLabels(container.labels)?.image ?? [])
  const refs = [...new Set([...candidateImages(spec, rootfs, engineArch(arch)), ...used])]
  const found = await Promise.all(refs.map(async (ref) => [ref, await engine.image(ref)] as const))
  return new Map(found.flatMap(([ref, image]) => (image ? [[ref, image] as const] : [])))
}

/** How many ports airlift may have to choose: the API's, and each that was left to it. */
function wantedPorts(spec: ClusterSpec): number {
  return containersOf(spec)
    .ports.filter((port) => port.hostPort === 0)
    .reduce((sum, port) => sum + Math.max(1, port.via === 'direct' ? port.nodes.length : 1), 1)
}

/** Of a computer that cannot be asked: ports that no container there has, picked at random. */
function remotePorts(spec: ClusterSpec, others: readonly EngineContainer[]): number[] {
  const taken = new Set(others.flatMap((container) => container.ports.map((port) => port.hostPort)))
  const { first, last } = REMOTE_PORTS
  const chosen = new Set<number>()
  for (let tries = 0; chosen.size < wantedPorts(spec) && tries < 10_000; tries++) {
    const port = first + Math.floor(Math.random() * (last - first + 1))
    if (!taken.has(port)) chosen.add(port)
  }
  return [...chosen]
}

async function readTargets(lb: EngineContainer | undefined, engine: Engine): Promise<string | undefined> {
  return lb && (await readContainerFile(engine, lb.name, CONTAINER.lbConfig))?.toString('utf8')
}
