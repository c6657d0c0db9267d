import { join } from 'node:path'
import type { ProxySpec } from '../container-spec.js'
import type { SpecIo } from '../spec-io.js'

/** Every node reaches these itself, whatever the proxy. */
const ALWAYS = ['localhost', '127.0.0.1', '::1', '.svc', '.cluster.local', 'host.airlift.internal']

interface Found {
  readonly http?: string | undefined
  readonly https?: string | undefined
  readonly except?: string | undefined
}

/**
 * The proxy of this computer: HTTP_PROXY, HTTPS_PROXY and NO_PROXY of the environment, in either case, and what they leave open
 * from `proxies` of docker's config.json. A proxy on this computer itself is left out with a warning, since the loopback of a
 * container is another one. No address with a password gets into warnings.
 *
 * @param inside - what is reached without it: subnets of pods and services, names of nodes
 */
export async function readProxy(
  io: Pick<SpecIo, 'readFile' | 'local'>,
  inside: readonly string[],
  warnings: string[],
): Promise<ProxySpec> {
  const env = io.local?.env ?? {}
  const own = fromEnvironment(env)
  const docker = await fromDockerConfig(io, env, warnings)
  const usable = (key: string, value: string | undefined): string | undefined => {
    if (value === undefined || !isLoopback(value)) return value
    warnings.push(`${key} is a proxy on this computer, which containers do not reach; they get none`)
    return undefined
  }
  const http = usable('HTTP_PROXY', own.http ?? docker.http)
  const https = usable('HTTPS_PROXY', own.https ?? docker.https)
  const except = [...(own.except ?? docker.except ?? '').split(','), ...ALWAYS, ...inside].map((text) =>
    text.trim(),
  )
  return {
    ...(http === undefined ? {} : { http }),
    ...(https === undefined ? {} : { https }),
    except: [...new Set(except.filter((text) => text !== ''))],
  }
}

/**
 * The variables of a node: those of the user, and those of the proxy that the user did not give in either case. Whoever's proxy
 * it is, NO_PROXY is extended by what the cluster reaches without it.
 *
 * @param inside - what is reached without the proxy and became known later: the subnet
 */
export function nodeEnvironment(
  env: Readonly<Record<string, string>>,
  proxy: ProxySpec | undefined,
  inside: readonly string[] = [],
): Record<string, string> {
  const result: Record<string, string> = { ...env }
  const given = (key: string): string | undefined => env[key.toUpperCase()] ?? env[key]
  // Go reads either case; other programs in a node know http_proxy in small letters only.
  const put = (key: string, value: string): void => {
    result[key.toUpperCase()] = value
    result[key] = value
  }
  const inherited = { http_proxy: proxy?.http, https_proxy: proxy?.https }
  for (const [key, value] of Object.entries(inherited)) {
    const chosen = given(key) ?? value
    if (chosen !== undefined) put(key, chosen)
  }
  if (!result.http_proxy && !result.https_proxy) return result
  const except = [...(given('no_proxy')?.split(',') ?? []), ...(proxy?.except ?? []), ...inside]
  put('no_proxy', [...new Set(except.map((text) => text.trim()).filter((text) => text !== ''))].join(','))
  return result
}

function fromEnvironment(env: Readonly<Record<string, string | undefined>>): Found {
  const get = (key: string): string | undefined => env[key.toUpperCase()] || env[key] || undefined
  return { http: get('http_proxy'), https: get('https_proxy'), except: get('no_proxy') }
}

async function fromDockerConfig(
  io: Pick<SpecIo, 'readFile'>,
  env: Readonly<Record<string, string | undefined>>,
  warnings: string[],
): Promise<Found> {
  const directory = env.DOCKER_CONFIG || (env.HOME ? join(env.HOME, '.docker') : undefined)
  if (directory === undefined) return {}
  const path = join(directory, 'config.json')
  let text: string
  try {
    text = (await io.readFile(path)).toString('utf8')
  } catch {
    // Most people have none, and what docker cannot read is docker's to tell.
    return {}
  }
  try {
    const proxies = record(record(JSON.parse(text)).proxies)
    const chosen = record(proxies[env.DOCKER_HOST ?? ''] ?? proxies.default)
    const get = (key: string): string | undefined => {
      const value = chosen[key]
      return typeof value === 'string' && value !== '' ? value : undefined
    }
    return { http: get('httpProxy'), https: get('httpsProxy'), except: get('noProxy') }
  } catch {
    warnings.push(`${path} is not JSON; its proxies are not used`)
    return {}
  }
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
}

function isLoopback(proxy: string): boolean {
  const text = proxy.includes('://') ? proxy : `http://${proxy}`
  return URL.canParse(text) && /^(?:localhost|127\.[\d.]+|\[::1\])$/.test(new URL(text).hostname)
}
