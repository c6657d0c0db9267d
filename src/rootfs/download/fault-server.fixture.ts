import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a test server does with one path. */
export interface ServedFile {
  content: Buffer
  etag?: string
  /** Breaks the connection after so many bytes of the body, so often. */
  cutAfter?: number
  cuts?: number
  /** Sends so many bytes and then nothing more. */
  stallAfter?: number
  /** Answers 200 with all, whatever range was asked for. */
  noRange?: boolean
  /** Answers these statuses first. */
  statuses?: number[]
  redirect?: string
}

/** A file server with faults on demand, on this computer only. */
export interface FaultServer {
  readonly url: string
  readonly files: Map<string, ServedFile>
  /** `PATH RANGE` of every request, in order. */
  readonly requests: string[]
  /** The `Authorization` of the requests that had one. */
  readonly logins: string[]
  close(): Promise<void>
}

/** Starts a {@link FaultServer}. */
export async function startFaultServer(): Promise<FaultServer> {
  const files = new Map<string, ServedFile>()
  const requests: string[] = []
  const logins: string[] = []
  const server = createServer((request, response) => {
    // A proxy is asked for a whole URL.
    const path = new URL(request.url ?? '/', 'http://x').pathname
    requests.push(`${request.url} ${request.headers.range ?? '-'}`)
    if (request.headers.authorization) logins.push(request.headers.authorization)
    const file = files.get(path)
    if (file) serve(file, request, response)
    else response.writeHead(404).end('not found')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    files,
    requests,
    logins,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

function serve(file: ServedFile, request: IncomingMessage, response: ServerResponse): void {
  const status = file.statuses?.shift()
  if (status !== undefined) {
    response.writeHead(status).end()
    return
  }
  if (file.redirect !== undefined) {
    response.writeHead(302, { location: file.redirect }).end()
    return
  }
  const asked = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? '')?.[1] ?? 0)
  const same = file.etag === undefined || request.headers['if-range'] === file.etag
  const start = !file.noRange && same && asked > 0 ? asked : 0
  if (start > file.content.length) {
    response.writeHead(416).end()
    return
  }
  const body = file.content.subarray(start)
  response.writeHead(start > 0 ? 206 : 200, {
    'content-length': body.length,
    ...(file.etag === undefined ? {} : { etag: file.etag }),
    ...(start > 0
      ? { 'content-range': `bytes ${start}-${file.content.length - 1}/${file.content.length}` }
      : {}),
  })
  if (file.cutAfter !== undefined && (file.cuts ?? 0) > 0) {
    file.cuts = (file.cuts ?? 0) - 1
    response.write(body.subarray(0, file.cutAfter), () => setTimeout(() => response.destroy(), 20))
  } else if (file.stallAfter !== undefined) response.write(body.subarray(0, file.stallAfter))
  else response.end(body)
}
