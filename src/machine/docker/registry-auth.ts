import type { DockerConfig } from './docker-context.js'

/** Docker's own name for its registry in `config.json`. */
const DOCKER_HUB = 'https://index.docker.io/v1/'
/** The host that it is contacted at. */
const DOCKER_HUB_HOST = 'registry-1.docker.io'

/** What `docker login` left for one registry. */
export type RegistryLogin =
  | { readonly username: string; readonly password: string }
  | { readonly identitytoken: string }

/**
 * The header with which an engine logs in to the registry of an image, from what `docker login` left on this computer:
 * in `config.json` itself or with a credential helper. Undefined where there is nothing, or the helper gives nothing.
 */
export async function registryAuth(config: DockerConfig, ref: string): Promise<string | undefined> {
  const first = ref.split('/')[0] ?? ''
  const own = ref.includes('/') && (/[.:]/.test(first) || first === 'localhost')
  const registry = own ? first : DOCKER_HUB
  const login = await loginFor(config, registry)
  if (!login) return undefined
  return Buffer.from(JSON.stringify({ ...login, serveraddress: registry })).toString('base64url')
}

/**
 * Every login that docker has on this computer, by the host that is contacted, `registry.lan:5000` or
 * `registry-1.docker.io`: those of `config.json`, and those that its credential helpers list.
 */
export async function registryLogins(config: DockerConfig): Promise<Map<string, RegistryLogin>> {
  const names = new Set([
    ...Object.keys(config.auths ?? {}),
    ...Object.keys(config.credHelpers ?? {}),
    ...(config.credsStore ? await listed(config.credsStore) : []),
  ])
  const found = await Promise.all(
    [...names].map(async (name) => {
      const hub = name === 'docker.io' || name === 'index.docker.io' || name.startsWith(DOCKER_HUB)
      const host = hub ? DOCKER_HUB_HOST : hostOf(name)
      return [host, await loginFor(config, hub ? DOCKER_HUB : hostOf(name))] as const
    }),
  )
  return new Map(found.flatMap(([host, login]) => (login && host !== '' ? [[host, login] as const] : [])))
}

function hostOf(name: string): string {
  return name.replace(/^https?:\/\//, '').replace(/\/.*$/, '')
}

async function loginFor(config: DockerConfig, registry: string): Promise<RegistryLogin | undefined> {
  const helper =
    config.credHelpers?.[registry === DOCKER_HUB ? 'docker.io' : registry] ??
    config.credHelpers?.[registry] ??
    config.credsStore
  if (helper) {
    const found = await fromHelper(helper, registry)
    if (found) return found
  }
  const entry =
    config.auths?.[registry] ??
    config.auths?.[`https://${registry}`] ??
    config.auths?.[`https://${registry}/v1/`]
  if (entry?.identitytoken) return { identitytoken: entry.identitytoken }
  if (!entry?.auth) return undefined
  const [username = '', ...rest] = Buffer.from(entry.auth, 'base64')
    .toString('utf8')
    .replace(/\0+$/, '')
    .split(':')
  return { username, password: rest.join(':') }
}

async function fromHelper(helper: string, registry: string): Promise<RegistryLogin | undefined> {
  const found = (await askHelper(helper, 'get', registry)) as
    | { readonly Username?: string; readonly Secret?: string }
    | undefined
  if (!found?.Secret) return undefined
  // Docker's helpers give a token under that name.
  if (found.Username === '<token>') return { identitytoken: found.Secret }
  return { username: found.Username ?? '', password: found.Secret }
}

/** The registries that a helper has logins for; tokens of docker's own, which no registry takes, are left out. */
async function listed(helper: string): Promise<string[]> {
  const found = (await askHelper(helper, 'list', '')) as Readonly<Record<string, unknown>> | undefined
  return Object.keys(found ?? {}).filter((name) => !/\/(access|refresh)-token\/?$/.test(name))
}

/** What a credential helper answers; undefined where it cannot be asked, or says no. */
async function askHelper(helper: string, verb: 'get' | 'list', input: string): Promise<unknown> {
  if (!/^[A-Za-z0-9._-]+$/.test(helper)) return undefined
  const { execa } = await import('execa')
  const options = { input, reject: false, timeout: 10_000 } as const
  const result = await execa(`docker-credential-${helper}`, [verb], options)
  if (result.exitCode !== 0) return undefined
  try {
    const found: unknown = JSON.parse(result.stdout)
    return typeof found === 'object' && found !== null ? found : undefined
  } catch {
    return undefined
  }
}
