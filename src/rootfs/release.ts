import { AirliftError } from '../core/errors.js'
import type { Arch } from './manifest.js'

/** First and last minor of Kubernetes whose k3s airlift installs. */
const MINORS = { first: 30, last: 36 } as const

/**
 * Checks the version of a k3s release and writes it as k3s does, `v1.33.1+k3s1`.
 * @throws AirliftError E_USAGE when it is no version, E_UNSUPPORTED when airlift does not know the minor
 */
export function k3sVersion(text: string): string {
  const match = /^v?(1)\.(\d+)\.(\d+)(-(?:rc|alpha|beta)[0-9.]*)?([+-])k3s(\d+)([-+.][0-9A-Za-z.-]+)?$/.exec(
    text,
  )
  if (!match) {
    throw new AirliftError('E_USAGE', `"${text}" is not the version of a k3s release`, {
      hint: 'write it as k3s does, such as v1.33.1+k3s1',
    })
  }
  const [, major, minor, patch, pre = '', , build, rest = ''] = match
  if (Number(minor) < MINORS.first || Number(minor) > MINORS.last) {
    throw new AirliftError('E_UNSUPPORTED', `k3s ${text} is not supported`, {
      hint: `use a release from 1.${MINORS.first} to 1.${MINORS.last}`,
    })
  }
  // Tags of container images write the plus as a minus.
  return `v${major}.${minor}.${patch}${pre}+k3s${build}${rest}`
}

/** Names of a release's files; k3s calls 32-bit ARM `armhf` in one place and `arm` in the others. */
export interface ReleaseFiles {
  readonly binary: string
  /** Without the suffix of its compression. */
  readonly images: string
  readonly sums: string
}

/** The file names of a k3s release for one architecture. Source: https://github.com/k3s-io/k3s/releases */
export function releaseFiles(arch: Arch): ReleaseFiles {
  const binary = { amd64: 'k3s', arm64: 'k3s-arm64', arm: 'k3s-armhf' }[arch]
  return { binary, images: `k3s-airgap-images-${arch}.tar`, sums: `sha256sum-${arch}.txt` }
}

/** Where a k3s release is published. */
export function releaseUrl(version: string): string {
  return `https://github.com/k3s-io/k3s/releases/download/${encodeURIComponent(version)}`
}

/** Reads `sha256sum` output: hex digest by file name. Directories before the name do not count. */
export function parseSums(text: string): Map<string, string> {
  const sums = new Map<string, string>()
  for (const line of text.split('\n')) {
    const match = /^([0-9a-f]{64})\s+\*?(\S+)\s*$/.exec(line)
    if (match?.[1] && match[2]) sums.set(match[2].split('/').at(-1) ?? match[2], match[1])
  }
  return sums
}
