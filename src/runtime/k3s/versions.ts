import { AirliftError } from '../../core/errors.js'

/** What differs between the supported minors of k3s; everything that depends on the release is asked here. */
export interface K3sRelease {
  readonly minor: string
  /** First patch release whose image import remembers what it imported, so that restarts are quick. */
  readonly imageCacheFrom: number
  /** First patch release that imports images which are put into its directory while it runs; before, it looks at its start only. */
  readonly watchesImagesFrom: number
  /** The kubelet refuses cgroup v1 unless told otherwise. */
  readonly refusesCgroupV1: boolean
}

/** Releases that airlift installs. Sources: the release notes of each minor. */
export const K3S_RELEASES: readonly K3sRelease[] = [
  { minor: '1.30', imageCacheFrom: 13, watchesImagesFrom: 9, refusesCgroupV1: false },
  { minor: '1.31', imageCacheFrom: 9, watchesImagesFrom: 5, refusesCgroupV1: false },
  { minor: '1.32', imageCacheFrom: 5, watchesImagesFrom: 0, refusesCgroupV1: false },
  { minor: '1.33', imageCacheFrom: 1, watchesImagesFrom: 0, refusesCgroupV1: false },
  { minor: '1.34', imageCacheFrom: 0, watchesImagesFrom: 0, refusesCgroupV1: false },
  { minor: '1.35', imageCacheFrom: 0, watchesImagesFrom: 0, refusesCgroupV1: true },
  { minor: '1.36', imageCacheFrom: 0, watchesImagesFrom: 0, refusesCgroupV1: true },
]

/** A release as k3s writes it, `v1.33.1+k3s1`. */
export interface K3sVersion {
  readonly minor: string
  readonly patch: number
  readonly build: number
}

/** Parses `v1.33.1+k3s1` (also with a pre-release part). Undefined when it is none. */
export function parseK3sVersion(text: string): K3sVersion | undefined {
  const match = /^v?(\d+)\.(\d+)\.(\d+)(?:-[0-9A-Za-z.-]+)?(?:\+k3s(\d+))?(?:[-+.][0-9A-Za-z.-]+)?$/.exec(
    text,
  )
  if (!match) return undefined
  return { minor: `${match[1]}.${match[2]}`, patch: Number(match[3]), build: Number(match[4] ?? 0) }
}

/** The row of a release. @throws AirliftError E_UNSUPPORTED with the supported minors */
export function k3sRelease(version: string): K3sRelease {
  const parsed = parseK3sVersion(version)
  const row = parsed && K3S_RELEASES.find((release) => release.minor === parsed.minor)
  if (row) return row
  const first = K3S_RELEASES[0]?.minor
  const last = K3S_RELEASES.at(-1)?.minor
  throw new AirliftError('E_UNSUPPORTED', `k3s ${version} is not supported`, {
    hint: `use a release from ${first} to ${last}`,
  })
}

/** Whether this release keeps `.cache.json` beside the image archives. */
export function hasImageCache(version: string): boolean {
  const parsed = parseK3sVersion(version)
  return parsed !== undefined && parsed.patch >= k3sRelease(version).imageCacheFrom
}

/** Whether this release imports images that are put into its directory while it runs. */
export function watchesImages(version: string): boolean {
  const parsed = parseK3sVersion(version)
  return parsed !== undefined && parsed.patch >= k3sRelease(version).watchesImagesFrom
}
