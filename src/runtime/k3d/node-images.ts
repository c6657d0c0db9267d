import { LABELS } from '../../cluster/container-labels.js'
import type { EngineImage } from '../../machine/docker/engine.js'
import { K3S_RELEASES } from '../k3s/versions.js'
import type { NodeImage } from '../runtime.js'

/** That of k3s, and that of the images which airlift makes of a rootfs. */
export const NODE_REPOSITORIES: readonly string[] = ['rancher/k3s', 'airlift/k3s']

/** What is known of an image; nothing but its name where the engine does not have it. */
type Known = Pick<EngineImage, 'labels' | 'env'>

/**
 * The release of k3s that an image holds: as it says itself, else as its tag says, `v1.33.1-k3s1` or `v1.33.1-k3s1-HASH`.
 * Undefined where nothing tells. Pure.
 */
export function imageVersion(ref: string, image?: Known): string | undefined {
  const tag = /:([^:/@]+)(?:@.*)?$/.exec(ref)?.[1]
  const env = image?.env.find((entry) => entry.startsWith('K3S_VERSION='))?.slice('K3S_VERSION='.length)
  const told = [image?.labels[LABELS.version], tag, image?.labels['org.opencontainers.image.version'], env]
  for (const text of told) {
    const version = releaseIn(text ?? '')
    if (version !== undefined) return version
  }
  return undefined
}

/** A tag cannot hold a plus; what follows the build is a digest, an architecture or somebody's own word. */
function releaseIn(text: string): string | undefined {
  const found = /^v?(\d+\.\d+\.\d+(?:-(?:rc|alpha|beta)[\d.]*)?)[-+]k3s(\d+)(?:$|[-+.])/.exec(text)
  return found ? `v${found[1]}+k3s${found[2]}` : undefined
}

/** Whether airlift itself made the image of that name, so that no registry has it. */
export function isMadeHere(ref: string): boolean {
  return /^(?:localhost\/)?airlift\/k3s:/.test(ref)
}

/**
 * The images of {@link NODE_REPOSITORIES} that this engine can run and airlift knows the release of, newest first; of one
 * release k3s' own before those that airlift made. Pure.
 */
export function nodeImages(images: readonly EngineImage[], arch: string): NodeImage[] {
  const found = images.flatMap((image) =>
    image.arch !== '' && image.arch !== arch
      ? []
      : image.tags.flatMap((ref): NodeImage[] => {
          const version = imageVersion(ref, image)
          return isNodeImage(ref) && version !== undefined && isKnown(version) ? [{ ref, version }] : []
        }),
  )
  return found.sort(
    (a, b) =>
      compareReleases(b.version, a.version) ||
      Number(isMadeHere(a.ref)) - Number(isMadeHere(b.ref)) ||
      // The plain tag before one with an architecture, and always the same of several.
      a.ref.length - b.ref.length ||
      (a.ref < b.ref ? -1 : 1),
  )
}

/** Podman writes the registry before every name. */
function isNodeImage(ref: string): boolean {
  const name = ref.replace(/^(?:docker\.io|localhost)\//, '').replace(/:[^:/]+$/, '')
  return NODE_REPOSITORIES.includes(name)
}

function isKnown(version: string): boolean {
  return K3S_RELEASES.some(({ minor }) => version.startsWith(`v${minor}.`))
}

/** Which of two releases is newer, as a number: `v1.33.1-rc1+k3s1` is before `v1.33.1+k3s1`, `+k3s2` before `+k3s10`. Pure. */
export function compareReleases(a: string, b: string): number {
  const [left, right] = [partsOf(a), partsOf(b)]
  for (const [index, part] of left.entries()) {
    const other = right[index] ?? 0
    if (part !== other) return part - other
  }
  return 0
}

const STAGES = ['alpha', 'beta', 'rc']

function partsOf(version: string): number[] {
  const found = /^v(\d+)\.(\d+)\.(\d+)(?:-(rc|alpha|beta)([\d.]*))?\+k3s(\d+)$/.exec(version)
  if (!found) return []
  const [, major, minor, patch, stage, count, build] = found
  const at = stage === undefined ? STAGES.length : STAGES.indexOf(stage)
  return [major, minor, patch, at, (count ?? '').replace(/\D/g, '') || 0, build].map(Number)
}
