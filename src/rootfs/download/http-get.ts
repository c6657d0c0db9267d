import * as http from 'node:http'
import * as https from 'node:https'
import type { Socket } from 'node:net'
import * as tls from 'node:tls'
import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import { loginHeader, proxyFor, proxyHeaders } from './proxy.js'

/** What a GET is told. */
export interface GetOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** Fails when nothing arrives for so long. Default 30000. */
  readonly idleMs?: number
}

/** What a GET needs of the context. */
export type HttpContext = Pick<Context, 'signal' | 'env' | 'offline'>

/** A response; the body is not read yet. */
export interface GetResponse {
  readonly status: number
  readonly headers: http.IncomingHttpHeaders
  readonly body: http.IncomingMessage
  /** Where redirects led. */
  readonly url: URL
}

const MAX_REDIRECTS = 8

/**
 * Gets a URL, through a proxy where the environment names one, and follows redirects. Everything that airlift itself wants
 * from outside goes through here.
 * @throws Error of the network, AirliftError E_OFFLINE
 */
export async function httpGet(url: URL, options: GetOptions, ctx: HttpContext): Promise<GetResponse> {
  if (ctx.offline) throw new AirliftError('E_OFFLINE', `--offline: ${url.host} is not asked`)
  let current = url
  for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
    const body = await getOnce(current, options, ctx)
    const status = body.statusCode ?? 0
    const location = body.headers.location
    if (![301, 302, 303, 307, 308].includes(status) || location === undefined) {
      return { status, headers: body.headers, body, url: current }
    }
    body.resume()
    const next = new URL(location, current)
    if (current.protocol === 'https:' && next.protocol !== 'https:') {
      throw new Error(`${current.host} redirects to ${next.protocol}//${next.host}, which is not encrypted`)
    }
    current = next
  }
  throw new Error(`more than ${MAX_REDIRECTS} redirects`)
}

async function getOnce(
  url: URL,
  options: GetOptions,
  { signal, env }: HttpContext,
): Promise<http.IncomingMessage> {
  const { idleMs = 30_000 } = options
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new Error(`cannot download from ${url.protocol}//`)
  const proxy = proxyFor(url, env)
  const headers = { 'user-agent': 'airlift', 'accept-encoding': 'identity', ...options.headers }
  let request: http.ClientRequest
  if (proxy && url.protocol === 'https:') {
    const socket = await connectThrough(proxy, url, signal, idleMs)
    const secure = tls.connect({ socket, servername: url.hostname })
    request = https.request(url, { headers, signal, agent: false, createConnection: () => secure })
  } else if (proxy) {
    // The line of the request is what proxies log: no login stands in it.
    const asked = new URL(url)
    asked.username = ''
    asked.password = ''
    request = clientOf(proxy).request({
      ...address(proxy),
      path: asked.href,
      headers: { ...headers, host: url.host, ...loginHeader('authorization', url), ...proxyHeaders(proxy) },
      signal,
      agent: false,
    })
  } else {
    request = clientOf(url).request(url, { headers, signal, agent: false })
  }
  return new Promise((resolve, reject) => {
    request.setTimeout(idleMs, () => request.destroy(new Error(`nothing arrived for ${idleMs / 1000} s`)))
    request.on('response', resolve)
    request.on('error', reject)
    request.end()
  })
}

function clientOf(url: URL): typeof http | typeof https {
  return url.protocol === 'https:' ? https : http
}

function address(url: URL): { hostname: string; port: number } {
  return { hostname: url.hostname, port: Number(url.port) || (url.protocol === 'https:' ? 443 : 80) }
}

/** Opens a tunnel through a proxy. */
function connectThrough(proxy: URL, url: URL, signal: AbortSignal, idleMs: number): Promise<Socket> {
  const target = `${url.hostname}:${url.port || 443}`
  const request = clientOf(proxy).request({
    ...address(proxy),
    method: 'CONNECT',
    path: target,
    headers: { host: target, ...proxyHeaders(proxy) },
    signal,
    agent: false,
  })
  return new Promise((resolve, reject) => {
    request.setTimeout(idleMs, () => request.destroy(new Error(`the proxy ${proxy.host} does not answer`)))
    request.on('connect', (response, socket) => {
      if (response.statusCode === 200) resolve(socket as Socket)
      else reject(new Error(`the proxy ${proxy.host} refused ${target} with ${response.statusCode}`))
    })
    request.on('response', (response) =>
      reject(new Error(`the proxy ${proxy.host} answered ${response.statusCode}`)),
    )
    request.on('error', reject)
    request.end()
  })
}
