import { createSocket } from 'node:dgram'
import { access, readFile, statfs } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { LABELS } from '../../cluster/container-labels.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import { groupsToIpv6, hexToIpv4 } from '../../machine/facts/proc-net.js'
import type { EngineComputer } from '../runtime.js'
import { lookAtModules } from './kernel-modules.js'
import { containersOf } from './layout.js'
import { pathExists } from './path-exists.js'

/** Where Docker keeps its data unless it was told otherwise. */
const DATA = '/var/lib/docker'

/**
 * Looks at this computer, where the engine is on it. What cannot be known is left out: it may be no Linux.
 * @param rootDir - where the engine says that it keeps its data; empty where it does not tell
 */
export async function lookAtComputer(
  spec: ClusterSpec,
  own: readonly EngineContainer[],
  rootDir = '',
): Promise<EngineComputer> {
  const [inotifyInstances, inotifyWatches, ipv6, modules, disk, missingPaths, published] = await Promise.all([
    readNumber('/proc/sys/fs/inotify/max_user_instances'),
    readNumber('/proc/sys/fs/inotify/max_user_watches'),
    hasIpv6(),
    lookAtModules(),
    diskOf(rootDir || DATA),
    missing(spec),
    tryPorts(spec, own),
  ])
  return {
    ...(inotifyInstances === undefined ? {} : { inotifyInstances }),
    ...(inotifyWatches === undefined ? {} : { inotifyWatches }),
    ...(ipv6 === undefined ? {} : { ipv6 }),
    ...(modules ? { modules } : {}),
    ...(disk ? { disk } : {}),
    missingPaths,
    ...published,
  }
}

async function readNumber(path: string): Promise<number | undefined> {
  const text = await readFile(path, 'utf8').catch(() => '')
  return /^\d+\s*$/.test(text) ? Number(text) : undefined
}

/** Whether the kernel has IPv6, be it switched off for its devices; undefined where there is no /proc, as on other systems. */
async function hasIpv6(): Promise<boolean | undefined> {
  return (await pathExists('/proc/sys/net/ipv4')) ? pathExists('/proc/sys/net/ipv6') : undefined
}

async function diskOf(path: string): Promise<EngineComputer['disk']> {
  try {
    const { bsize, blocks, bavail } = await statfs(path)
    return { path, sizeBytes: blocks * bsize, freeBytes: bavail * bsize }
  } catch {
    // The engine's data may be elsewhere, or in a virtual machine.
    return undefined
  }
}

/** Bind mounts whose source is not there: the engine would make an empty directory of it, or refuse in the middle. */
async function missing(spec: ClusterSpec): Promise<string[]> {
  const mounts = [
    ...[...spec.masters, ...spec.nodes].flatMap((node) => node.container?.mounts ?? []),
    ...containersOf(spec).lb.mounts,
  ]
  const paths = [...new Set(mounts.filter((mount) => mount.kind === 'bind').map((mount) => mount.source))]
  const there = await Promise.all(
    paths.map((path) =>
      access(path).then(
        () => true,
        (error: NodeJS.ErrnoException) => error.code !== 'ENOENT' && error.code !== 'ENOTDIR',
      ),
    ),
  )
  return paths.filter((_, i) => !there[i])
}

/** Tries the ports that the spec names: whether something else than this cluster has them, or nobody here the address. */
async function tryPorts(
  spec: ClusterSpec,
  own: readonly EngineContainer[],
): Promise<Pick<EngineComputer, 'busyPorts' | 'foreignAddresses'>> {
  const { api, ports } = containersOf(spec)
  const wanted = [
    ...(api.port === undefined ? [] : [{ address: api.address, port: api.port, protocol: 'tcp' }]),
    ...ports.map(({ address, hostPort, protocol }) => ({ address, port: hostPort, protocol })),
  ]
  const ours = own
    .filter((container) => container.labels[LABELS.cluster] === spec.name)
    .flatMap((container) => container.ports)
  const open = wanted.filter(
    ({ port, protocol }) => !ours.some((entry) => entry.hostPort === port && entry.protocol === protocol),
  )
  const tried = await Promise.all(
    open.map(({ address, port, protocol }) =>
      protocol === 'udp' ? tryUdp(address, port) : tryTcp(address, protocol === 'tcp' ? port : 0),
    ),
  )
  return {
    busyPorts: open.filter((_, i) => tried[i] === 'EADDRINUSE'),
    foreignAddresses: [
      ...new Set(open.filter((_, i) => tried[i] === 'EADDRNOTAVAIL').map(({ address }) => address)),
    ],
  }
}

/** The code of the error. A port below 1024 that this user may not bind is not taken for that: the engine may. */
function tryTcp(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    server.listen({ host, port, exclusive: true }, () => server.close(() => resolve(undefined)))
  })
}

function tryUdp(address: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4')
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code))
    socket.bind({ address, port, exclusive: true }, () => socket.close(() => resolve(undefined)))
  })
}

/** Free ports of this computer. All are held until the last one is chosen, so that none comes twice. */
export async function freePorts(count: number, host = '127.0.0.1'): Promise<number[]> {
  const servers: Server[] = []
  try {
    const ports: number[] = []
    for (let i = 0; i < count; i++) {
      const server = createServer()
      servers.push(server)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen({ host, port: 0, exclusive: true }, resolve)
      })
      const address = server.address()
      if (address !== null && typeof address === 'object') ports.push(address.port)
    }
    return ports
  } finally {
    await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
  }
}

/** Destinations of this computer's routes as CIDR, without the default ones; none where they cannot be read. */
export async function localRoutes(): Promise<string[]> {
  const read = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
  const [ipv4, ipv6] = await Promise.all([read('/proc/net/route'), read('/proc/net/ipv6_route')])
  return [...routesOf(ipv4), ...routes6Of(ipv6)]
}

/** `DESTINATION LENGTH SOURCE LENGTH NEXTHOP …`; what is link-local, multicast or the computer's own leads to no network. */
function routes6Of(text: string): string[] {
  const routes = text.split('\n').flatMap((line) => {
    const [hex = '', length = '', ...rest] = line.trim().split(/\s+/)
    const bits = Number.parseInt(length, 16)
    if (
      rest.at(-1) === 'lo' ||
      !/^[0-9a-f]{32}$/.test(hex) ||
      !(bits > 0) ||
      bits === 128 ||
      /^fe[89ab]|^ff/.test(hex)
    )
      return []
    return [`${groupsToIpv6(hex)}/${bits}`]
  })
  return [...new Set(routes)]
}

function routesOf(text: string): string[] {
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.trim().split(/\s+/)
      const network = hexToIpv4(fields[1] ?? '')
      const mask = hexToIpv4(fields[7] ?? '')
      if (network === undefined || mask === undefined || mask === '0.0.0.0') return []
      const bits = mask
        .split('.')
        .map((byte) => Number(byte).toString(2).replaceAll('0', '').length)
        .reduce((sum, count) => sum + count, 0)
      return [`${network}/${bits}`]
    })
}
