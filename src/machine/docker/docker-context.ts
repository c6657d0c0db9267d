import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AirliftError } from '../../core/errors.js'
import type { EngineTls } from './modem-http.js'

/** What a docker context says of its engine. */
export interface DockerContext {
  readonly url: string
  readonly tls?: EngineTls
}

/** The parts of Docker's `config.json` that are read. */
export interface DockerConfig {
  readonly currentContext?: string
  readonly auths?: Readonly<Record<string, { readonly auth?: string; readonly identitytoken?: string }>>
  readonly credsStore?: string
  readonly credHelpers?: Readonly<Record<string, string>>
}

/** Reads Docker's configuration; an absent file is an empty one. @throws AirliftError E_CONFIG_INVALID */
export async function readDockerConfig(dir: string): Promise<DockerConfig> {
  const path = join(dir, 'config.json')
  const text = await readOptional(path)
  if (text === undefined || text.toString().trim() === '') return {}
  return parseJson(path, text) as DockerConfig
}

/**
 * Reads a context from where `docker context create` keeps it: `contexts/meta/SHA256/meta.json` and, for TLS,
 * `contexts/tls/SHA256/docker/*.pem`.
 * @throws AirliftError E_CONFIG_INVALID when there is none of that name or it has no engine
 */
export async function readDockerContext(dir: string, name: string): Promise<DockerContext> {
  const id = createHash('sha256').update(name).digest('hex')
  const path = join(dir, 'contexts', 'meta', id, 'meta.json')
  const text = await readOptional(path)
  if (text === undefined) {
    throw new AirliftError(
      'E_CONFIG_INVALID',
      `there is no docker context "${name}" in ${join(dir, 'contexts')}`,
      {
        hint: 'look at "docker context ls", or unset DOCKER_CONTEXT',
      },
    )
  }
  const meta = parseJson(path, text) as {
    readonly Endpoints?: { readonly docker?: { readonly Host?: string; readonly SkipTLSVerify?: boolean } }
  }
  const endpoint = meta.Endpoints?.docker
  if (!endpoint?.Host) {
    throw new AirliftError('E_CONFIG_INVALID', `the docker context "${name}" names no engine (${path})`, {
      hint: `give it one: docker context update ${name} --docker host=unix:///var/run/docker.sock`,
    })
  }
  const tls = await readTlsFiles(join(dir, 'contexts', 'tls', id, 'docker'), endpoint.SkipTLSVerify !== true)
  const secure = tls.ca || tls.cert || endpoint.SkipTLSVerify === true
  return { url: endpoint.Host, ...(secure ? { tls } : {}) }
}

/** `ca.pem`, `cert.pem` and `key.pem` of a directory, those that are there. */
export async function readTlsFiles(dir: string, verify: boolean): Promise<EngineTls> {
  const [ca, cert, key] = await Promise.all(
    ['ca.pem', 'cert.pem', 'key.pem'].map((name) => readOptional(join(dir, name))),
  )
  return { verify, ...(ca ? { ca } : {}), ...(cert ? { cert } : {}), ...(key ? { key } : {}) }
}

async function readOptional(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path)
  } catch (cause) {
    const errno = (cause as NodeJS.ErrnoException).code
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return undefined
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${errno ?? String(cause)}`, {
      hint: 'make it readable for your user',
      cause,
    })
  }
}

function parseJson(path: string, text: Buffer): unknown {
  try {
    return JSON.parse(text.toString())
  } catch (cause) {
    throw new AirliftError('E_CONFIG_INVALID', `${path} is no JSON: ${(cause as Error).message}`, {
      hint: 'repair it, or name the engine with DOCKER_HOST',
      cause,
    })
  }
}
