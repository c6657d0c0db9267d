import { join } from 'node:path'
import type { Context } from '../../core/context.js'
import { AirliftError, isAirliftError } from '../../core/errors.js'
import { localFacts } from '../ssh/local-facts.js'
import type { DockerConfig } from './docker-context.js'
import { readDockerConfig } from './docker-context.js'
import type { EndpointCandidate, EndpointFacts } from './endpoint.js'
import { defaultPaths, endpointFacts, findEndpoints } from './endpoint.js'
import type { Engine, EngineEndpoint } from './engine.js'
import { containerMethods } from './engine-containers.js'
import type { EngineHttp, EngineQuestion } from './engine-http.js'
import { imageMethods } from './engine-images.js'
import { readInfo, type VersionAnswer } from './engine-info.js'
import { networkMethods } from './engine-networks.js'
import { chooseApi, pingedApi } from './engine-version.js'
import { createModemHttp } from './modem-http.js'
import { registryAuth } from './registry-auth.js'

/** How long an engine may take for its first answer, once there is a way to it. */
const FIRST_ANSWER_MS = 20_000

/**
 * Connects to the container engine that docker's own client would take, or to the first that answers: see
 * {@link findEndpoints}. Every call is given up when `ctx.signal` is aborted, except commands in containers, which are
 * ended through their machine; who must clean up after an abort connects with a signal of its own.
 * @throws AirliftError E_ENGINE_UNREACHABLE (with all that was tried), E_ENGINE, E_CONFIG_INVALID, E_INTERRUPTED
 */
export async function connectEngine(ctx: Context, facts: EndpointFacts = factsOf(ctx)): Promise<Engine> {
  // Loading dockerode takes longer than most engines take to answer.
  import('dockerode').catch(() => {})
  const candidates = await findEndpoints(facts)
  const failures: AirliftError[] = []
  for (const candidate of candidates) {
    try {
      const engine = await open(candidate, ctx, facts)
      const { url, source } = engine.endpoint
      ctx.events.emit({
        level: 'debug',
        code: 'engine.connected',
        message: `container engine ${url} (${source})`,
      })
      return engine
    } catch (error) {
      if (!isAirliftError(error) || error.code !== 'E_ENGINE_UNREACHABLE') throw error
      failures.push(error)
    }
  }
  throw noEngine(candidates, failures, facts)
}

function factsOf(ctx: Context): EndpointFacts {
  const { home, uid } = localFacts(ctx.env)
  return endpointFacts(ctx.env, home, uid)
}

async function open(
  { endpoint, address }: EndpointCandidate,
  ctx: Context,
  facts: EndpointFacts,
): Promise<Engine> {
  const { url } = endpoint
  const tunnel =
    'ssh' in address
      ? await (await import('./ssh-tunnel.js')).openSshTunnel({
          target: address.ssh,
          url,
          signal: ctx.signal,
          env: facts.env,
        })
      : undefined
  const http = await createModemHttp({
    address: tunnel
      ? { socketPath: tunnel.socketPath }
      : (address as Exclude<typeof address, { ssh: unknown }>),
    url,
    signal: ctx.signal,
    ...(tunnel ? { explain: () => tunnel.lastError() } : {}),
  })
  const close = async (): Promise<void> => {
    await http.close()
    await tunnel?.close()
  }
  try {
    const first: EngineQuestion = {
      subject: { kind: 'engine', name: url, verb: 'tell its version' },
      signal: AbortSignal.any([ctx.signal, AbortSignal.timeout(FIRST_ANSWER_MS)]),
    }
    const pinged = await pingedApi(http, first)
    const version =
      pinged === undefined ? ((await http.json('GET', '/version', first)) as VersionAnswer) : undefined
    const apiVersion = pinged ?? chooseApi(version ?? {}, url)
    http.useApi(apiVersion)
    const host = tunnel ? { ...endpoint, host: tunnel.host } : endpoint
    return createEngine({
      endpoint: host,
      http,
      ...(version ? { version } : {}),
      apiVersion,
      ctx,
      close,
      configDir: configDir(facts),
    })
  } catch (error) {
    await close()
    throw error
  }
}

function configDir({ env, home }: EndpointFacts): string {
  return env.DOCKER_CONFIG || join(home, '.docker')
}

interface EngineParts {
  readonly endpoint: EngineEndpoint
  readonly http: EngineHttp
  /** Absent where it was not asked for. */
  readonly version?: VersionAnswer
  readonly apiVersion: string
  readonly ctx: Context
  readonly configDir: string
  readonly close: () => Promise<void>
}

function createEngine({ endpoint, http, version, apiVersion, ctx, configDir, close }: EngineParts): Engine {
  let config: Promise<DockerConfig> | undefined
  let info: Promise<unknown> | undefined
  return {
    endpoint,
    async info() {
      const subject = { kind: 'engine', name: endpoint.url, verb: 'tell about itself' } as const
      // It takes an engine longer than any other answer, and does not change while it runs.
      info ??= http.json('GET', '/info', { subject })
      const answer = await info.catch((error: unknown) => {
        info = undefined
        throw error
      })
      return readInfo(version, apiVersion, answer)
    },
    ...containerMethods(http, (ms) => ctx.clock.sleep(ms, ctx.signal)),
    ...networkMethods(http),
    ...imageMethods({
      http,
      url: endpoint.url,
      savesPlatform: Number(apiVersion.split('.')[1]) >= 48,
      auth: async (ref) => {
        config ??= readDockerConfig(configDir)
        return registryAuth(await config, ref)
      },
    }),
    close,
  }
}

/** One error for all that was tried. */
function noEngine(
  candidates: readonly EndpointCandidate[],
  failures: readonly AirliftError[],
  facts: EndpointFacts,
): AirliftError {
  const [first] = failures
  const source = candidates[0]?.endpoint.source ?? 'default'
  if (first && source !== 'default') {
    return new AirliftError(first.code, `${first.message} (named by ${source})`, {
      ...(first.hint ? { hint: first.hint } : {}),
      machine: candidates[0]?.endpoint.url ?? '',
      log: first.log,
      cause: first,
      data: { tried: candidates.map(({ endpoint }) => endpoint.url) },
    })
  }
  const tried = candidates.map(({ endpoint }) => endpoint.url)
  const absent = defaultPaths(facts)
    .map((path) => `unix://${path}`)
    .filter((url) => !tried.includes(url))
  return new AirliftError('E_ENGINE_UNREACHABLE', 'no container engine answers on this computer', {
    hint: first?.hint ?? 'start Docker or Podman, or name an engine with DOCKER_HOST or a docker context',
    log: [...failures.map((failure) => failure.message), ...absent.map((url) => `there is no ${url}`)],
    data: { tried: [...tried, ...absent] },
    cause: first,
  })
}
