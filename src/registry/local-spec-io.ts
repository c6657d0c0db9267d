import { lookup } from 'node:dns/promises'
import { readdir, readFile, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import type { LocalFacts, SpecIo } from '../cluster/spec-io.js'
import type { DockerLogins } from './registries.js'

/** What {@link createSpecIo} may be told. */
export interface LocalSpecOptions {
  /** Default: that of this process. */
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Default: it is where DOCKER_HOST names no other computer. */
  readonly engineIsLocal?: () => Promise<boolean>
}

/** Reads from this computer, with paths relative to `directory` (default: the working directory). */
export function createSpecIo(directory = process.cwd(), options: LocalSpecOptions = {}): SpecIo {
  const io: SpecIo = {
    readFile: (path) => readFile(resolve(directory, path)),
    async listDirectory(path) {
      try {
        return (await readdir(resolve(directory, path))).sort()
      } catch {
        // No directory, or none that can be listed: reading it as a file gives the error with its reason.
        return undefined
      }
    },
    async loadRegistries(path, { dockerLogins = false } = {}) {
      const { loadRegistries } = await import('./registries.js')
      return loadRegistries(path, io, dockerLogins ? await readDockerLogins(options.env) : undefined)
    },
    local: localFacts(directory, options),
  }
  return io
}

/** What docker of this computer is logged in with, by host. @throws AirliftError E_CONFIG_INVALID, E_LOCAL_FILE */
async function readDockerLogins(env: LocalSpecOptions['env'] = process.env): Promise<DockerLogins> {
  const { readDockerConfig } = await import('../machine/docker/docker-context.js')
  const { registryLogins } = await import('../machine/docker/registry-auth.js')
  const dir = env.DOCKER_CONFIG || join(env.HOME ?? homedir(), '.docker')
  return registryLogins(await readDockerConfig(dir))
}

function localFacts(directory: string, options: LocalSpecOptions): LocalFacts {
  const { env = process.env } = options
  return {
    env,
    absolutePath: (path) =>
      /^~(?:\/|$)/.test(path)
        ? resolve(env.HOME ?? homedir(), `.${path.slice(1)}`)
        : resolve(directory, path),
    async pathKind(path) {
      try {
        const found = await stat(path)
        return found.isDirectory() ? 'directory' : found.isFile() ? 'file' : 'other'
      } catch (error) {
        // What may not be looked at is there: the engine, which is root, can mount it.
        return (error as NodeJS.ErrnoException).code === 'EACCES' ? 'other' : undefined
      }
    },
    async lookup(name) {
      try {
        return (await lookup(name)).address
      } catch {
        return undefined
      }
    },
    engineIsLocal:
      options.engineIsLocal ?? (async () => !env.DOCKER_HOST || env.DOCKER_HOST.startsWith('unix:')),
  }
}
