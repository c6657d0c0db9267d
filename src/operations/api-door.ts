import { connect } from 'node:net'
import type { Context } from '../core/context.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import type { Engine } from '../machine/docker/engine.js'
import { readContainerFile } from '../rootfs/tar/read-container-file.js'
import { readMembers } from '../rootfs/tar/read-file.js'
import type { NodeFiles, ReadApi } from '../runtime/runtime.js'
import { type ApiAccess, getApi, NO_WAY, readAccess, STRANGER } from './api-request.js'

const DIRECTORY = '/etc/rancher/k3s'
const KUBECONFIG = `${DIRECTORY}/k3s.yaml`
const TOKEN = `${DIRECTORY}/token`
/** Above this a file is none of k3s' own. Bytes. */
const MAX_FILE = 1 << 20
/** How long an address of this computer may take to answer. */
const KNOCK_MS = 50

/** A way to the API of a master, and its files of k3s' configuration. Holds the admin's key. */
export interface ApiDoor extends ApiAccess {
  readonly files: NodeFiles
}

/** The ways to the APIs of a cluster's masters in containers. A way that was found is kept: the keys are read once. */
export interface ApiDoors {
  /**
   * Through a published port or, on Linux, at the container's own address. `no-way`: there is none. Undefined while the
   * container does not run, or has no keys yet.
   */
  open(name: string): Promise<ApiDoor | 'no-way' | undefined>
  /** A master that refuses the keys was made anew. */
  forget(name: string): void
  /** Masters to which a way was found. */
  readonly known: ReadonlyMap<string, ApiDoor>
}

/** Opens doors of masters whose API is at this port in their containers; `found` before are open. */
export function createApiDoors(
  engine: Engine,
  port: number,
  found: ReadonlyMap<string, ApiDoor> = new Map(),
): ApiDoors {
  const known = new Map(found)
  const silent = new Set<string>()
  const opening = new Map<string, Promise<ApiDoor | 'no-way' | undefined>>()
  const find = async (name: string): Promise<ApiDoor | 'no-way' | undefined> => {
    try {
      const door = await openApi(engine, name, port, silent)
      if (door && door !== 'no-way') known.set(name, door)
      return door
    } finally {
      opening.delete(name)
    }
  }
  return {
    known,
    forget: (name) => void known.delete(name),
    async open(name) {
      const door = known.get(name) ?? opening.get(name) ?? find(name)
      if (door instanceof Promise) opening.set(name, door)
      return door
    },
  }
}

async function openApi(
  engine: Engine,
  name: string,
  port: number,
  silent: Set<string>,
): Promise<ApiDoor | 'no-way' | undefined> {
  const container = await engine.container(name)
  if (container?.state !== 'running') return undefined
  const published = container.ports.find(
    (entry) => entry.containerPort === port && entry.protocol === 'tcp' && entry.hostPort > 0,
  )
  const address = Object.values(container.addresses).find(Boolean)
  const place = published
    ? { host: engine.endpoint.host, port: published.hostPort }
    : process.platform === 'linux' && address
      ? { host: address, port }
      : undefined
  if (!place) return 'no-way'
  // While nothing listens there its files are left alone: reading them takes an engine longer than anything else that is asked
  // of it, at a time when k3s needs all the processors.
  if (engine.endpoint.local && process.platform === 'linux' && address && !silent.has(address)) {
    const said = await knock(address, port)
    if (said === 'refused') return undefined
    // There is no way there from here, or something in between.
    if (said === 'nothing') silent.add(address)
  }
  const files = await readDirectory(engine, name)
  const text = files.get(KUBECONFIG)?.content.toString('utf8')
  const access = text ? readAccess(text, place) : undefined
  const password = files
    .get(TOKEN)
    ?.content.toString('utf8')
    .trim()
    .replace(/^K10[0-9a-f]+::server:/, '')
  return access ? { ...access, ...(password ? { password } : {}), files } : undefined
}

/** All of k3s' configuration at once, since each archive costs an engine a process; none before the admin's key is there. */
async function readDirectory(engine: Engine, name: string): Promise<NodeFiles> {
  if (!(await engine.hasPath(name, KUBECONFIG))) return new Map()
  const tar = await engine.getArchive(name, DIRECTORY)
  const members = tar ? await readMembers(tar, { maxMember: MAX_FILE }) : []
  return new Map(
    members.map(({ path, ...file }) => [`${DIRECTORY}/${path.split('/').slice(1).join('/')}`, file] as const),
  )
}

/** Whether something listens there. A published port does not tell: the engine listens on it itself. */
function knock(host: string, port: number): Promise<'open' | 'refused' | 'nothing'> {
  return new Promise((resolve) => {
    const socket = connect({ host, port, timeout: KNOCK_MS })
    const end = (said: 'open' | 'refused' | 'nothing'): void => {
      socket.destroy()
      resolve(said)
    }
    socket.once('connect', () => end('open')).once('timeout', () => end('nothing'))
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      end(code === 'ECONNREFUSED' ? 'refused' : 'nothing'),
    )
  })
}

/** A text file of a container; undefined where it is not there. @throws AirliftError E_ENGINE_NOT_FOUND and what the engine throws */
export async function readText(engine: Engine, name: string, path: string): Promise<string | undefined> {
  return (await readContainerFile(engine, name, path))?.toString('utf8')
}

/**
 * Reads from the APIs of masters in containers without their help: a question costs milliseconds, where `k3s kubectl` in the
 * container costs 160 of processor time.
 */
export function createApiReader(engine: Engine, doors: ApiDoors, ctx: Context): ReadApi {
  return async (name, path) => {
    // Of another computer only what it publishes can be reached, and that may be closed from here.
    if (!engine.endpoint.local) return 'unavailable'
    ctx.signal.throwIfAborted()
    try {
      const door = await doors.open(name)
      if (door === 'no-way') return 'unavailable'
      if (!door) return ''
      const { status, body, error } = await getApi(door, path)
      if (error && NO_WAY.has(error)) return 'unavailable'
      if (status === 401 || status === 403 || STRANGER.test(error ?? '')) doors.forget(name)
      return status === 200 ? body : ''
    } catch (error) {
      doors.forget(name)
      if (isAirliftError(error) && error.code === 'E_ENGINE_NOT_FOUND') return ''
      // Keys that are not whole: the file was read while k3s wrote it.
      if (!(error instanceof AirliftError)) return ''
      throw error
    }
  }
}
