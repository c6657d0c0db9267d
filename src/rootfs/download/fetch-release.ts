import { access, readFile, rm, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Context } from '../../core/context.js'
import { AirliftError, isAirliftError } from '../../core/errors.js'
import { shownUrl } from '../../core/shown-url.js'
import { canReadZstd } from '../decompress.js'
import { sha256 } from '../digest.js'
import type { Arch } from '../manifest.js'
import { parseSums, releaseFiles, releaseUrl } from '../release.js'
import { digestOfFile } from './digest-file.js'
import { type DownloadRequest, downloadFile, isDownloaded } from './download-file.js'
import { type ReleasePlace, releasePlace } from './release-place.js'

/** What is wanted of a release. */
export interface FetchRequest {
  readonly version: string
  readonly arch: Arch
  readonly binary: boolean
  readonly images: boolean
  /** URL of a mirror, or a directory (also as `file://`); with the file names of the release. */
  readonly from?: string
}

/** Local paths of what was wanted. */
export interface FetchedFiles {
  readonly binary?: string
  readonly images?: string
}

/** Smallest first. The published sums say which of them a release has. */
const IMAGE_SUFFIXES = ['.zst', '.gz', ''] as const

/**
 * Brings files of a k3s release, from where it is published, a mirror or a directory, and checks them against its sums.
 * @throws AirliftError E_DOWNLOAD, E_LOCAL_FILE, E_OFFLINE, E_USAGE
 */
export async function fetchReleaseFiles(request: FetchRequest, ctx: Context): Promise<FetchedFiles> {
  if (!request.binary && !request.images) return {}
  const place = placeOf(request)
  return 'url' in place ? fromUrl(request, place.url, ctx) : fromDirectory(request, place.directory, ctx)
}

/** URLs, as they may be shown, of what would have to be downloaded: none for a directory, or where earlier commands have brought all of it. */
export async function missingReleaseFiles(request: FetchRequest, ctx: Context): Promise<string[]> {
  const place = placeOf(request)
  if ((!request.binary && !request.images) || !('url' in place)) return []
  const names = releaseFiles(request.arch)
  const at = requestsAt(request, place.url, ctx)
  const text = await readFile(at(names.sums).target, 'utf8').catch(() => undefined)
  const sums = parseSums(text ?? '')
  const wanted = [
    ...(request.binary ? [names.binary] : []),
    ...(request.images ? [imagesNamed(names.images, sums)] : []),
  ]
  const lacking = text === undefined ? [shownUrl(at(names.sums).url)] : []
  for (const name of wanted) {
    const sum = sums.get(name)
    if (sum === undefined || !(await isDownloaded(at(name, sum)))) lacking.push(shownUrl(at(name).url))
  }
  return lacking
}

function placeOf({ from, version }: FetchRequest): ReleasePlace {
  return from === undefined ? { url: releaseUrl(version) } : releasePlace(from)
}

/** How each file of a release is downloaded, and where it is kept. */
function requestsAt(
  { version }: FetchRequest,
  base: string,
  ctx: Context,
): (name: string, sum?: string) => DownloadRequest {
  const cache = join(cacheDir(ctx.env), 'downloads', sha256(base).slice(0, 16), version)
  return (name, sum) => ({
    url: new URL(`${base}/${name}`),
    target: join(cache, name),
    ...(sum === undefined ? {} : { sha256: sum }),
  })
}

/** The smallest archive of images that a release has and that can be read here. */
function imagesNamed(name: string, sums: ReadonlyMap<string, string>): string {
  const readable = IMAGE_SUFFIXES.filter((suffix) => suffix !== '.zst' || canReadZstd())
  return `${name}${readable.find((suffix) => sums.has(`${name}${suffix}`)) ?? '.gz'}`
}

async function fromUrl(request: FetchRequest, base: string, ctx: Context): Promise<FetchedFiles> {
  const names = releaseFiles(request.arch)
  const at = requestsAt(request, base, ctx)
  const get = (name: string, sum?: string): Promise<string> => downloadFile(at(name, sum), ctx)
  const attempt = async (): Promise<FetchedFiles> => {
    const sums = parseSums(await readFile(await get(names.sums), 'utf8'))
    const sumOf = (name: string): string => {
      const sum = sums.get(name)
      if (sum !== undefined) return sum
      throw new AirliftError('E_DOWNLOAD', `${shownUrl(at(names.sums).url)} has no sum of ${name}`, {
        hint: 'use a mirror that holds the complete release',
      })
    }
    const found: { binary?: string; images?: string } = {}
    if (request.binary) found.binary = await get(names.binary, sumOf(names.binary))
    if (request.images) {
      const name = imagesNamed(names.images, sums)
      found.images = await get(name, sumOf(name))
    }
    return found
  }
  const kept = at(names.sums).target
  const cached = await access(kept).then(
    () => true,
    () => false,
  )
  try {
    return await attempt()
  } catch (error) {
    // A release does not change, but a mirror may be corrected: then the cached sums are the wrong ones.
    if (!cached || ctx.offline || !isAirliftError(error) || error.code !== 'E_DOWNLOAD') throw error
    await rm(kept, { force: true })
    return attempt()
  }
}

async function fromDirectory(request: FetchRequest, dir: string, ctx: Context): Promise<FetchedFiles> {
  const names = releaseFiles(request.arch)
  const sumsText = await readFile(join(dir, names.sums), 'utf8').catch(() => undefined)
  if (sumsText === undefined) {
    ctx.events.emit({
      level: 'warn',
      code: 'rootfs.unchecked',
      message: `${dir} has no ${names.sums}: its files are taken without a check`,
    })
  }
  const sums = parseSums(sumsText ?? '')
  const take = async (candidates: readonly string[]): Promise<string> => {
    for (const name of candidates) {
      const path = join(dir, name)
      if (!(await stat(path).catch(() => undefined))?.isFile()) continue
      const sum = sums.get(name)
      const found = sumsText === undefined ? undefined : await digestOfFile(path)
      if (found !== undefined && sum !== found) {
        const wanted = sum === undefined ? 'has no published sum' : `was published as ${sum}`
        throw new AirliftError('E_LOCAL_FILE', `${path} has the sha256 ${found}, and ${wanted}`, {
          hint: 'download the file again, or take its line into the list of sums',
        })
      }
      return path
    }
    throw new AirliftError('E_LOCAL_FILE', `${dir} has no ${candidates.join(', ')}`, {
      hint: 'give a directory with the file names of the release, or name the files with --binary and --images',
    })
  }
  const found: { binary?: string; images?: string } = {}
  if (request.binary) found.binary = await take([names.binary])
  if (request.images)
    found.images = await take([...IMAGE_SUFFIXES].reverse().map((suffix) => `${names.images}${suffix}`))
  return found
}

/** Where downloads are kept: XDG_CACHE_HOME/airlift, by default ~/.cache/airlift. */
export function cacheDir(env: Context['env']): string {
  const home = env.HOME ?? homedir()
  const base = env.XDG_CACHE_HOME
  // The XDG specification: a relative path is invalid and ignored.
  return join(base?.startsWith('/') ? base : join(home, '.cache'), 'airlift')
}
