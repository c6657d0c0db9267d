import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Context } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import { shownUrl } from '../../core/shown-url.js'
import { sha256 } from '../digest.js'
import { k3sVersion } from '../release.js'
import { cacheDir } from './fetch-release.js'
import { httpGet } from './http-get.js'
import { releasePlace } from './release-place.js'

/** Where the releases of each channel are told. Source: https://docs.k3s.io/upgrades/manual#release-channels */
const CHANNELS_URL = 'https://update.k3s.io/v1-release/channels'
const CHANNEL = /^\+?(stable|latest|testing|v?1\.\d+(?:-testing)?)$/
/** Longest answer that is read: the real one has 20 kB. */
const MAX_BYTES = 4 * 1024 * 1024
/** A computer without a way out must not wait long for what it has in its cache. */
const IDLE_MS = 10_000

/** Where channels are looked up. */
export interface VersionSource {
  /** URL of a mirror, or a directory, which holds the server's answer as `channels`. Default: the server itself. */
  readonly from?: string
}

/** What is kept of an answer. */
interface Channels {
  /** ISO time. */
  readonly fetched: string
  /** Release by channel. */
  readonly releases: Readonly<Record<string, string>>
}

/** Whether a version names a channel: `stable`, `latest`, `v1.33`, and k3d's spelling `+v1.33`. */
export function isChannel(text: string): boolean {
  return CHANNEL.test(text)
}

/**
 * The release that a version names: itself, or the one that its channel has now. The answer is kept under
 * `$XDG_CACHE_HOME/airlift/channels`, and used where the server cannot be asked, with a warning that says how old it is.
 * @throws AirliftError E_USAGE for what is neither, and for a channel that does not exist; E_DOWNLOAD, E_LOCAL_FILE where
 * nobody can be asked and nothing is kept, E_OFFLINE where nobody may be; E_UNSUPPORTED for a release that airlift does not know
 */
export async function resolveVersion(text: string, source: VersionSource, ctx: Context): Promise<string> {
  const name = CHANNEL.exec(text)?.[1]
  if (name === undefined) return k3sVersion(text)
  const channel = /^1\./.test(name) ? `v${name}` : name
  const { releases } = await channelsOf(channel, source, ctx)
  const release = releases[channel]
  if (release === undefined) {
    const known = Object.keys(releases).filter((key) => CHANNEL.test(key))
    throw new AirliftError('E_USAGE', `there is no channel "${channel}"`, {
      hint: `there are ${known.slice(0, 16).join(', ')}; or name a release, such as v1.33.1+k3s1`,
    })
  }
  const version = k3sVersion(release)
  ctx.events.emit({ level: 'info', code: 'channel', message: `${channel} is ${version}` })
  return version
}

async function channelsOf(channel: string, { from }: VersionSource, ctx: Context): Promise<Channels> {
  const place = from === undefined ? undefined : releasePlace(from)
  if (place && 'directory' in place) return fromDirectory(place.directory)
  const url = place ? `${place.url}/channels` : CHANNELS_URL
  const shown = shownUrl(url)
  const kept = join(cacheDir(ctx.env), 'channels', `${sha256(url).slice(0, 16)}.json`)
  try {
    const releases = readAnswer(await download(url, ctx))
    const answer = { fetched: new Date(ctx.clock.now()).toISOString(), releases }
    // Not being able to keep it is no reason to fail.
    await keep(kept, answer).catch(() => {})
    return answer
  } catch (error) {
    if (ctx.signal.aborted) throw error
    const reason = error instanceof Error ? error.message : String(error)
    const before = await readKept(kept)
    if (before?.releases[channel] === undefined) {
      const code = ctx.offline ? 'E_OFFLINE' : 'E_DOWNLOAD'
      throw new AirliftError(code, `cannot ask ${shown} which release "${channel}" is: ${reason}`, {
        hint: 'name the release, such as --version v1.33.1+k3s1, or a bundle: --rootfs k3s.airlift',
        cause: error,
      })
    }
    ctx.events.emit({
      level: 'warn',
      code: 'channel.cached',
      message: `cannot ask ${shown} (${reason}): "${channel}" is taken as it was ${ageOf(before, ctx)} ago`,
      data: { url: shown, fetched: before.fetched },
    })
    return before
  }
}

async function fromDirectory(dir: string): Promise<Channels> {
  const path = join(dir, 'channels')
  const text = await readFile(path, 'utf8').catch((error: Error) => {
    throw new AirliftError('E_LOCAL_FILE', `cannot read ${path}: ${error.message}`, {
      hint: `name the release, such as --version v1.33.1+k3s1, or put the answer of ${CHANNELS_URL} there`,
      cause: error,
    })
  })
  try {
    return { fetched: '', releases: readAnswer(text) }
  } catch (error) {
    throw new AirliftError('E_LOCAL_FILE', `${path} is not what a channel server answers`, {
      hint: `put the answer of ${CHANNELS_URL} there`,
      cause: error,
    })
  }
}

async function download(url: string, ctx: Context): Promise<string> {
  const { status, body } = await httpGet(new URL(url), { idleMs: IDLE_MS }, ctx)
  if (status !== 200) {
    body.destroy()
    throw new Error(`it answers ${status}`)
  }
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of body) {
    size += (chunk as Buffer).length
    if (size > MAX_BYTES) throw new Error('its answer is too long')
    chunks.push(chunk as Buffer)
  }
  return Buffer.concat(chunks).toString('utf8')
}

/** Release by channel, of `{"data":[{"name":"stable","latest":"v1.33.1+k3s1"}]}`. @throws Error for anything else */
function readAnswer(text: string): Record<string, string> {
  const value: unknown = JSON.parse(text)
  const data = (value as { data?: unknown } | null)?.data
  const releases: Record<string, string> = {}
  for (const entry of Array.isArray(data) ? (data as unknown[]) : []) {
    const { name, id, latest } = (entry ?? {}) as Readonly<Record<string, unknown>>
    const channel = typeof name === 'string' ? name : id
    if (typeof channel === 'string' && typeof latest === 'string') releases[channel] = latest
  }
  if (Object.keys(releases).length === 0) throw new Error('its answer names no channel')
  return releases
}

async function keep(path: string, answer: Channels): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  const temp = `${path}.${process.pid}`
  await writeFile(temp, JSON.stringify(answer))
  await rename(temp, path)
}

async function readKept(path: string): Promise<Channels | undefined> {
  try {
    const value = JSON.parse(await readFile(path, 'utf8')) as Partial<Channels>
    const { fetched, releases } = value
    return typeof fetched === 'string' && releases ? { fetched, releases } : undefined
  } catch {
    return undefined
  }
}

/** `3 days`, for people. */
function ageOf({ fetched }: Channels, ctx: Context): string {
  const minutes = Math.max(0, Math.round((ctx.clock.now() - Date.parse(fetched)) / 60_000))
  const say = (count: number, unit: string): string => `${count} ${unit}${count === 1 ? '' : 's'}`
  if (minutes < 120) return say(minutes, 'minute')
  if (minutes < 48 * 60) return say(Math.round(minutes / 60), 'hour')
  return say(Math.round(minutes / 60 / 24), 'day')
}
