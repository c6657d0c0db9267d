import type { Context } from '../core/context.js'
import { AirliftError, isAirliftError } from '../core/errors.js'
import type { Engine } from '../machine/docker/engine.js'
import { readMembers } from '../rootfs/tar/read-file.js'
import type { ReadApi } from '../runtime/runtime.js'
import { type ApiAccess, getApi, NO_WAY, readAccess } from './api-request.js'

const KUBECONFIG = '/etc/rancher/k3s/k3s.yaml'

/**
 * The way to the API of a master in a container, from here: through a published port or, on Linux, at the container's own
 * address. `no-way`: there is none. Undefined while the container does not run, or has no keys yet.
 */
export async function openApi(
  engine: Engine,
  name: string,
  port: number,
): Promise<ApiAccess | 'no-way' | undefined> {
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
  const text = await readText(engine, name, KUBECONFIG)
  return text ? readAccess(text, place) : undefined
}

/** A text file of a container; undefined where it is not there. @throws AirliftError E_ENGINE_NOT_FOUND and what the engine throws */
export async function readText(engine: Engine, name: string, path: string): Promise<string | undefined> {
  const tar = await engine.getArchive(name, path)
  return tar && (await readMembers(tar))[0]?.content.toString('utf8')
}

/**
 * Reads from the APIs of masters in containers without their help: a question costs milliseconds, where `k3s kubectl` in the
 * container costs 160 of processor time. The keys are read once for each master.
 */
export function createApiReader(engine: Engine, port: number, ctx: Context): ReadApi {
  const doors = new Map<string, Promise<ApiAccess | 'no-way' | undefined>>()
  const doorOf = (name: string): Promise<ApiAccess | 'no-way' | undefined> => {
    const door = doors.get(name) ?? openApi(engine, name, port)
    doors.set(name, door)
    return door
  }
  return async (name, path) => {
    // Of another computer only what it publishes can be reached, and that may be closed from here.
    if (!engine.endpoint.local) return 'unavailable'
    ctx.signal.throwIfAborted()
    try {
      const door = await doorOf(name)
      if (door === 'no-way') return 'unavailable'
      if (!door) {
        doors.delete(name)
        return ''
      }
      const { status, body, error } = await getApi(door, path)
      if (error && NO_WAY.has(error)) return 'unavailable'
      // A master that was made anew has other keys.
      if (status === 401 || status === 403) doors.delete(name)
      return status === 200 ? body : ''
    } catch (error) {
      doors.delete(name)
      if (isAirliftError(error) && error.code === 'E_ENGINE_NOT_FOUND') return ''
      // Keys that are not whole: the file was read while k3s wrote it.
      if (!(error instanceof AirliftError)) return ''
      throw error
    }
  }
}
