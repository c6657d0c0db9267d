import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { bareHost } from '../../core/bare-host.js'
import { AirliftError } from '../../core/errors.js'
import type { DockerContext } from './docker-context.js'
import { readDockerConfig, readDockerContext, readTlsFiles } from './docker-context.js'
import type { EngineEndpoint } from './engine.js'
import type { EngineAddress, EngineTls } from './modem-http.js'

/** An engine that may be there, and how it would be spoken to. */
export interface EndpointCandidate {
  readonly endpoint: EngineEndpoint
  readonly address: EngineAddress | { readonly ssh: SshTarget }
}

/** `ssh://user@host:port/path` taken apart. */
export interface SshTarget {
  readonly host: string
  readonly user?: string
  readonly port?: number
  /** Socket on the other side, where it is not the one that docker takes there by itself. */
  readonly socketPath?: string
}

/** What finding an engine asks of this computer; tests give their own. */
export interface EndpointFacts {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly home: string
  readonly uid: number
  readonly exists: (path: string) => boolean
  /** Sockets to look at instead of the usual ones. */
  readonly paths?: readonly string[]
}

const WINDOWS_PIPE = '//./pipe/docker_engine'

/**
 * The engines to try, in order. One that the user named (DOCKER_HOST, DOCKER_CONTEXT, the current docker context, in
 * docker's own order) is the only one; else Docker's default socket, rootless Docker, Docker Desktop and Podman.
 * @throws AirliftError E_CONFIG_INVALID, E_LOCAL_FILE
 */
export async function findEndpoints(facts: EndpointFacts): Promise<readonly EndpointCandidate[]> {
  const { env, home } = facts
  const dir = env.DOCKER_CONFIG || join(home, '.docker')
  if (env.DOCKER_HOST) {
    const wantsTls = Boolean(env.DOCKER_TLS_VERIFY || env.DOCKER_TLS)
    const tls = wantsTls
      ? await readTlsFiles(env.DOCKER_CERT_PATH || dir, Boolean(env.DOCKER_TLS_VERIFY))
      : undefined
    return [candidate({ url: env.DOCKER_HOST, ...(tls ? { tls } : {}) }, 'DOCKER_HOST')]
  }
  const name = env.DOCKER_CONTEXT || (await readDockerConfig(dir)).currentContext
  if (name && name !== 'default') {
    return [candidate(await readDockerContext(dir, name), `context ${name}`)]
  }
  return defaultPaths(facts)
    .filter((path, index) => index === 0 || facts.exists(path))
    .map((path) =>
      candidate({ url: path === WINDOWS_PIPE ? `npipe://${path}` : `unix://${path}` }, 'default'),
    )
}

/** What {@link findEndpoints} asks of the real computer. */
export function endpointFacts(env: EndpointFacts['env'], home: string, uid: number): EndpointFacts {
  return { env, home, uid, exists: existsSync }
}

/** The sockets that are looked for, for the message when there is none. */
export function defaultPaths({ env, home, uid, paths }: EndpointFacts): readonly string[] {
  if (paths) return paths
  if (process.platform === 'win32') return [WINDOWS_PIPE]
  const run = env.XDG_RUNTIME_DIR || `/run/user/${uid}`
  return [
    '/var/run/docker.sock',
    join(run, 'docker.sock'),
    join(home, '.docker', 'run', 'docker.sock'),
    join(run, 'podman', 'podman.sock'),
    '/run/podman/podman.sock',
    join(home, '.local', 'share', 'containers', 'podman', 'machine', 'podman.sock'),
  ]
}

function candidate(context: DockerContext, source: string): EndpointCandidate {
  const { url } = context
  const scheme = /^([a-z]+):\/\//.exec(url)?.[1] ?? (url.startsWith('/') ? 'unix' : 'tcp')
  const rest = url.replace(/^[a-z]+:\/\//, '')
  if (scheme === 'unix' || scheme === 'npipe') {
    const socketPath = rest || (scheme === 'unix' ? '/var/run/docker.sock' : WINDOWS_PIPE)
    return {
      endpoint: { url: `${scheme}://${socketPath}`, source, local: true, host: '127.0.0.1' },
      address: { socketPath },
    }
  }
  if (scheme === 'ssh') return sshCandidate(url, source)
  if (scheme === 'tcp' || scheme === 'http' || scheme === 'https') {
    const tls = context.tls ?? (scheme === 'https' ? { verify: true } : undefined)
    return tcpCandidate(rest, source, tls)
  }
  throw invalid(url, source, 'it must begin with unix://, tcp://, ssh:// or npipe://')
}

function tcpCandidate(rest: string, source: string, tls: EngineTls | undefined): EndpointCandidate {
  const parsed = parse(`http://${rest}`)
  if (!parsed?.hostname) throw invalid(`tcp://${rest}`, source, 'it has no host')
  const host = bareHost(parsed)
  // The default ports are those that IANA gave to Docker.
  const port = Number(/:(\d+)\/?$/.exec(rest)?.[1] ?? (tls ? 2376 : 2375))
  const url = `tcp://${host.includes(':') ? `[${host}]` : host}:${port}`
  return {
    endpoint: { url, source, local: isLoopback(host), host },
    address: { host, port, ...(tls ? { tls } : {}) },
  }
}

function sshCandidate(url: string, source: string): EndpointCandidate {
  const parsed = parse(url)
  const host = parsed && bareHost(parsed)
  if (!parsed || !host || host.startsWith('-'))
    throw invalid(url, source, 'it must be ssh://[USER@]HOST[:PORT]')
  if (parsed.password !== '')
    throw invalid(url.replace(/:[^@]*@/, '://…@'), source, 'a password cannot be in it')
  const path = parsed.pathname.replace(/^\/$/, '')
  const user = decodeURIComponent(parsed.username)
  if (user.startsWith('-')) throw invalid(url, source, 'it must be ssh://[USER@]HOST[:PORT]')
  return {
    endpoint: { url, source, local: false, host },
    address: {
      ssh: {
        host,
        ...(user ? { user } : {}),
        ...(parsed.port ? { port: Number(parsed.port) } : {}),
        ...(path ? { socketPath: path } : {}),
      },
    },
  }
}

function parse(url: string): URL | undefined {
  try {
    return new URL(url)
  } catch {
    return undefined
  }
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host)
}

function invalid(url: string, source: string, why: string): AirliftError {
  return new AirliftError(
    'E_CONFIG_INVALID',
    `${source} names no engine that can be reached: "${url}": ${why}`,
    {
      hint: 'such as DOCKER_HOST=unix:///var/run/docker.sock or DOCKER_HOST=ssh://user@host',
    },
  )
}
