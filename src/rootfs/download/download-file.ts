import { type FileHandle, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import type { IncomingMessage } from 'node:http'
import { dirname } from 'node:path'
import type { Context } from '../../core/context.js'
import { AirliftError, isAirliftError } from '../../core/errors.js'
import { shownUrl } from '../../core/shown-url.js'
import { digestOfFile } from './digest-file.js'
import { withFileLock } from './file-lock.js'
import { type GetResponse, httpGet } from './http-get.js'

/** A file to have. */
export interface DownloadRequest {
  readonly url: URL
  /** Where it goes; `.part`, `.part.json` and `.lock` beside it are airlift's. */
  readonly target: string
  /** Hex digest that it must have. Absent: taken as it comes (only for the list of sums itself). */
  readonly sha256?: string
  /** Pauses between attempts, in milliseconds; their number is how often a failure without progress is forgiven. */
  readonly pausesMs?: readonly number[]
  readonly idleMs?: number
}

const PAUSES = [500, 2_000, 5_000, 10_000]

/**
 * Brings a file into the cache and resolves with its path. What is there and right is not asked for again; what an earlier
 * run left, even one that was killed, is continued where the server allows it, and begun anew where the file has changed.
 * @throws AirliftError E_DOWNLOAD with the URL and the reason, E_DISK_FULL, E_OFFLINE
 */
export async function downloadFile(request: DownloadRequest, ctx: Context): Promise<string> {
  const { target } = request
  if (await isDownloaded(request)) return target
  await mkdir(dirname(target), { recursive: true })
  const onWait = (): void =>
    ctx.events.emit({
      level: 'info',
      code: 'download.wait',
      message: `another airlift downloads ${shownUrl(request.url)}; waiting`,
    })
  return withFileLock(`${target}.lock`, ctx, onWait, async () => {
    // The one that we waited for may have brought it.
    if (await isDownloaded(request)) return target
    for (let attempt = 1; ; attempt++) {
      await fetchAll(request, ctx)
      const found = await digestOfFile(`${target}.part`)
      if (request.sha256 === undefined || found === request.sha256) break
      await forget(target)
      if (attempt === 2) throw wrongSum(request, found)
      ctx.events.emit({
        level: 'warn',
        code: 'download.mismatch',
        message: `${shownUrl(request.url)} is not what its sum says; once more`,
      })
    }
    await rename(`${target}.part`, target)
    await rm(`${target}.part.json`, { force: true })
    return target
  })
}

/** Whether a file is in the cache already, whole and right. */
export async function isDownloaded(request: DownloadRequest): Promise<boolean> {
  try {
    if (request.sha256 !== undefined) return (await digestOfFile(request.target)) === request.sha256
    return (await stat(request.target)).size > 0
  } catch {
    return false
  }
}

async function forget(target: string): Promise<void> {
  await rm(`${target}.part`, { force: true })
  await rm(`${target}.part.json`, { force: true })
}

/** Attempts until the file is whole; each one that brings bytes gives all attempts back. */
async function fetchAll(request: DownloadRequest, ctx: Context): Promise<void> {
  const pauses = request.pausesMs ?? PAUSES
  let failures = 0
  for (;;) {
    const before = await sizeOf(`${request.target}.part`)
    try {
      await fetchOnce(request, ctx)
      return
    } catch (error) {
      if (ctx.signal.aborted) throw ctx.signal.reason
      if (isAirliftError(error)) throw error
      if ((await sizeOf(`${request.target}.part`)) > before) failures = 0
      const pause = pauses[failures++]
      if (pause === undefined) throw failed(request, (error as Error).message, error)
      ctx.events.emit({
        level: 'warn',
        code: 'download.retry',
        message: `${shownUrl(request.url)}: ${(error as Error).message}; trying again`,
      })
      await ctx.clock.sleep(error instanceof RetryLater ? Math.max(pause, error.afterMs) : pause, ctx.signal)
    }
  }
}

/** The server asks to come back later. */
class RetryLater extends Error {
  readonly afterMs: number
  constructor(message: string, afterMs: number) {
    super(message)
    this.afterMs = afterMs
  }
}

/** What is known of a part: from which version of the file it is. */
interface PartInfo {
  /** As it may be shown: the file lies in a cache. */
  readonly url: string
  readonly validator: string
}

async function fetchOnce(request: DownloadRequest, ctx: Context): Promise<void> {
  const part = `${request.target}.part`
  const info = await readInfo(request)
  const have = info ? await sizeOf(part) : 0
  const headers: Record<string, string> =
    info && have > 0 ? { range: `bytes=${have}-`, 'if-range': info.validator } : {}
  const idle = request.idleMs === undefined ? {} : { idleMs: request.idleMs }
  const response = await httpGet(request.url, { headers, ...idle }, ctx)
  const start = startOf(response, have)
  if (start === undefined) {
    response.body.resume()
    await refuse(request, response)
    return
  }
  const etag = response.headers.etag
  // A weak validator does not promise equal bytes, so it cannot continue a file.
  const validator = etag !== undefined && !etag.startsWith('W/') ? etag : response.headers['last-modified']
  if (validator !== undefined) {
    const next: PartInfo = { url: shownUrl(request.url), validator }
    await writeFile(`${request.target}.part.json`, JSON.stringify(next))
  } else await rm(`${request.target}.part.json`, { force: true })
  const length = response.headers['content-length']
  const total = length === undefined ? undefined : start + Number(length)
  const file = await open(part, start > 0 ? 'r+' : 'w')
  try {
    if (start > 0) await file.truncate(start)
    await receive(response.body, file, start, total, request, ctx)
  } catch (error) {
    throw (error as NodeJS.ErrnoException).code === 'ENOSPC' ? noSpace(request, error) : error
  } finally {
    await file.close()
  }
}

async function receive(
  body: IncomingMessage,
  file: FileHandle,
  start: number,
  total: number | undefined,
  request: DownloadRequest,
  ctx: Context,
): Promise<void> {
  let position = start
  let told = 0
  for await (const chunk of body) {
    const bytes = chunk as Buffer
    await file.write(bytes, 0, bytes.length, position)
    position += bytes.length
    const now = ctx.clock.now()
    if (now - told >= 200 || position === total) {
      told = now
      ctx.events.emit({
        level: 'debug',
        code: 'download.progress',
        message: `downloading ${request.url.pathname.split('/').at(-1)}`,
        data: { url: shownUrl(request.url), bytes: position, ...(total === undefined ? {} : { total }) },
      })
    }
  }
  if (total !== undefined && position !== total)
    throw new Error(`it ended after ${position} of ${total} bytes`)
  await file.sync()
}

/** Where the body begins; undefined when it is not the file. */
function startOf({ status, headers }: GetResponse, have: number): number | undefined {
  if (status === 200) return 0
  if (status !== 206) return undefined
  const begin = /^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1]
  return begin !== undefined && Number(begin) === have ? have : undefined
}

async function refuse(request: DownloadRequest, response: GetResponse): Promise<void> {
  const { status, headers } = response
  if (status === 416 || status === 206) {
    // The part is longer than the file, or another range came: the file has changed.
    await forget(request.target)
    throw new Error('the file has changed on the server')
  }
  if (status === 408 || status === 429 || status >= 500) {
    const after = Number(headers['retry-after'])
    throw new RetryLater(`the server answered ${status}`, after > 0 && after <= 120 ? after * 1000 : 0)
  }
  throw failed(request, `the server answered ${status}`)
}

async function readInfo(request: DownloadRequest): Promise<PartInfo | undefined> {
  try {
    const info = JSON.parse(await readFile(`${request.target}.part.json`, 'utf8')) as PartInfo
    return info.url === shownUrl(request.url) && typeof info.validator === 'string' ? info : undefined
  } catch {
    return undefined
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0
}

function failed(request: DownloadRequest, why: string, cause?: unknown): AirliftError {
  return new AirliftError('E_DOWNLOAD', `cannot download ${shownUrl(request.url)}: ${why}`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'check the version and the network (HTTPS_PROXY is honoured), or give the files with --binary and --images, or --from',
  })
}

function wrongSum(request: DownloadRequest, found: string): AirliftError {
  return new AirliftError(
    'E_DOWNLOAD',
    `${shownUrl(request.url)} has the sha256 ${found}, and ${request.sha256} was published`,
    {
      hint: 'the mirror or a proxy gives another file: use another one with --from',
      data: { sha256: found, published: request.sha256 },
    },
  )
}

function noSpace(request: DownloadRequest, cause: unknown): AirliftError {
  return new AirliftError('E_DISK_FULL', `no space left in ${dirname(request.target)} for the download`, {
    cause,
    hint: 'free some space there, or let XDG_CACHE_HOME name a directory that has it',
  })
}
