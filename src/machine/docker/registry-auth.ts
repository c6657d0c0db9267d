import type { DockerConfig } from './docker-context.js'

/** Docker's own name for its registry in `config.json`. */
const DOCKER_HUB = 'https://index.docker.io/v1/'

/**
 * The header with which an engine logs in to the registry of an image, from what `docker login` left on this computer:
 * in `config.json` itself or with a credential helper. Undefined where there is nothing, or the helper gives nothing.
 */
export async function registryAuth(config: DockerConfig, ref: string): Promise<string | undefined> {
  const first = ref.split('/')[0] ?? ''
  const own = ref.includes('/') && (/[.:]/.test(first) || first === 'localhost')
  const registry = own ? first : DOCKER_HUB
  const helper =
    config.credHelpers?.[own ? first : 'docker.io'] ?? config.credHelpers?.[registry] ?? config.credsStore
  if (helper) {
    const found = await fromHelper(helper, registry)
    if (found) return found
  }
  const entry =
    config.auths?.[registry] ??
    config.auths?.[`https://${registry}`] ??
    config.auths?.[`https://${registry}/v1/`]
  if (entry?.identitytoken) return header({ identitytoken: entry.identitytoken, serveraddress: registry })
  if (!entry?.auth) return undefined
  const [username = '', ...rest] = Buffer.from(entry.auth, 'base64')
    .toString('utf8')
    .replace(/\0+$/, '')
    .split(':')
  return header({ username, password: rest.join(':'), serveraddress: registry })
}

async function fromHelper(helper: string, registry: string): Promise<string | undefined> {
  if (!/^[A-Za-z0-9._-]+$/.test(helper)) return undefined
  const { execa } = await import('execa')
  const result = await execa(`docker-credential-${helper}`, ['get'], {
    input: registry,
    reject: false,
    timeout: 10_000,
  })
  if (result.exitCode !== 0) return undefined
  try {
    const found = JSON.parse(result.stdout) as { readonly Username?: string; readonly Secret?: string }
    // Docker's helpers give a token under that name.
    if (found.Username === '<token>')
      return header({ identitytoken: found.Secret ?? '', serveraddress: registry })
    return header({ username: found.Username ?? '', password: found.Secret ?? '', serveraddress: registry })
  } catch {
    return undefined
  }
}

function header(auth: Readonly<Record<string, string>>): string {
  return Buffer.from(JSON.stringify(auth)).toString('base64url')
}
