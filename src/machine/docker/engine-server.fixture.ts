import { mkdtempSync, rmSync } from 'node:fs'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'

/** Answers one request by hand. */
export type Handler = (request: IncomingMessage, response: ServerResponse) => void

/** What a test's engine answers to `METHOD /path` without the version: JSON, or whatever the function does. */
export type Answers = Readonly<Record<string, Readonly<Record<string, unknown>> | Handler>>

/** A small HTTP server on a unix socket that is taken for an engine. */
export interface EngineServer {
  readonly socket: string
  readonly url: string
  /** Requests as `METHOD /path?query`, with the version. */
  readonly requests: string[]
  /** Connections so far. */
  readonly connections: number
  close(): Promise<void>
}

/** What Docker 29 says of its versions. */
export const DOCKER_29 = {
  Version: '29.0.1',
  ApiVersion: '1.52',
  MinAPIVersion: '1.44',
  Components: [{ Name: 'Engine' }],
}

/** Starts a server. What is not among the answers gets 404. `upgrade` takes over connections that ask for it. */
export async function startEngineServer(
  answers: Answers,
  upgrade?: (socket: Duplex, request: IncomingMessage, head: Buffer) => void,
): Promise<EngineServer> {
  const dir = mkdtempSync(join(tmpdir(), 'engine-'))
  const socket = join(dir, 's')
  const requests: string[] = []
  let connections = 0
  const all: Answers = {
    'GET /version': DOCKER_29,
    'GET /_ping': (_, response) => ping(all, response),
    ...answers,
  }
  const server: Server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    const { pathname, search } = new URL(request.url ?? '', 'http://engine')
    requests.push(`${request.method} ${pathname}${decodeURIComponent(search)}`)
    const answer = all[`${request.method} ${pathname.replace(/^\/v1\.\d+/, '')}`]
    if (typeof answer === 'function') answer(request, response)
    else {
      request.resume()
      response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' })
      response.end(JSON.stringify(answer ?? { message: 'page not found' }))
    }
  })
  server.on('connection', () => {
    connections++
  })
  if (upgrade) {
    server.on('upgrade', (request, stream, head) => {
      requests.push(`UPGRADE ${request.url?.replace(/\?$/, '')}`)
      upgrade(stream, request, head)
    })
  }
  await new Promise<void>((resolve) => server.listen(socket, resolve))
  return {
    socket,
    url: `unix://${socket}`,
    requests,
    get connections() {
      return connections
    },
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

/** As engines of these versions do. */
function ping(answers: Answers, response: ServerResponse): void {
  const version = answers['GET /version'] as Partial<typeof DOCKER_29>
  const podman = version.Components?.find(({ Name }) => Name.startsWith('Podman')) as
    | { Version?: string }
    | undefined
  if (version.ApiVersion) response.setHeader('Api-Version', version.ApiVersion)
  if (podman?.Version) response.setHeader('Libpod-Api-Version', podman.Version)
  response.end('OK')
}
