import { AirliftError } from '../../core/errors.js'
import { archOfUname } from '../../rootfs/arch-of.js'
import type { Arch } from '../../rootfs/manifest.js'

/** One image record of containerd. */
export interface ImageRecord {
  /** `sha256:…` of its manifest or index. */
  readonly digest: string
  /** All of its content is there: the kubelet can use it. */
  readonly whole: boolean
  /** Unpacked too. k3s leaves that to the first use for the images of its own that it loads at its start. */
  readonly unpacked: boolean
}

/** What a node's containerd has. */
export interface NodeImages {
  /** Undefined for a machine that no k3s is built for. */
  readonly arch: Arch | undefined
  readonly freeBytes: number | undefined
  /** By name. The CRI plugin also keeps every image under its id, the digest of its configuration. */
  readonly records: ReadonlyMap<string, ImageRecord>
  /** Hex digests of the blobs in its content store. */
  readonly blobs: ReadonlySet<string>
}

/** What `crictl images` says of one image. */
export interface CriImage {
  /** `sha256:…` of its configuration. */
  readonly id: string
  /** Its names with a tag; where there is none, those with a digest. */
  readonly names: readonly string[]
  readonly sizeBytes: number
  /** Kept by the kubelet, whatever it needs room for. */
  readonly pinned: boolean
}

/** Reads the output of `stateScript`. @throws AirliftError E_COMMAND when there is no k3s, or its containerd does not answer */
export function parseNodeImages(stdout: string, stderr: string, machine: string): NodeImages {
  const lines = stdout.split('\n')
  refuseFailure(lines, stderr, machine)
  const records = new Map<string, ImageRecord>()
  const blobs = new Set<string>()
  let section = ''
  for (const line of lines) {
    if (line.startsWith('@@')) section = line
    else if (section === '@@images') {
      // REF, TYPE, DIGEST, `complete (3/3)`, `120.0 MiB/120.0 MiB`, whether it is unpacked.
      const match = /^(\S+)\s+\S+\s+(sha256:[0-9a-f]{64})\s+(\w+)\b.*\s(true|false)\s*$/.exec(line)
      const [, ref = '', digest = '', status, unpacked] = match ?? []
      if (match) records.set(ref, { digest, whole: status === 'complete', unpacked: unpacked === 'true' })
    } else if (section === '@@blobs') {
      const hex = /^sha256:([0-9a-f]{64})$/.exec(line.trim())?.[1]
      if (hex) blobs.add(hex)
    }
  }
  const free = Number(wordOf(lines, '@@free') || Number.NaN)
  return {
    arch: archOfUname(wordOf(lines, '@@arch')),
    freeBytes: Number.isFinite(free) ? free : undefined,
    records,
    blobs,
  }
}

/** Reads the output of `listScript`. @throws AirliftError E_COMMAND as {@link parseNodeImages} */
export function parseCriImages(
  stdout: string,
  stderr: string,
  machine: string,
): { readonly arch: string; readonly images: readonly CriImage[] } {
  const lines = stdout.split('\n')
  refuseFailure(lines, stderr, machine)
  const text = stdout.slice(stdout.indexOf('@@json') + '@@json'.length)
  const { images = [] } = JSON.parse(text) as {
    readonly images?: readonly {
      readonly id: string
      readonly repoTags?: readonly string[] | null
      readonly repoDigests?: readonly string[] | null
      readonly size?: string | number
      readonly pinned?: boolean
    }[]
  }
  return {
    arch: wordOf(lines, '@@arch'),
    images: images.map(({ id, repoTags, repoDigests, size, pinned }) => ({
      id,
      names: (repoTags ?? []).length > 0 ? (repoTags ?? []) : (repoDigests ?? []),
      sizeBytes: Number(size ?? 0),
      pinned: pinned === true,
    })),
  }
}

function wordOf(lines: readonly string[], mark: string): string {
  return (lines.find((line) => line.startsWith(`${mark} `)) ?? '').slice(mark.length + 1).trim()
}

function refuseFailure(lines: readonly string[], stderr: string, machine: string): void {
  const log = stderr
    .split('\n')
    .filter((line) => line !== '' && !line.includes('level=warning'))
    .slice(-3)
  if (lines.includes('@@fail no-k3s')) {
    throw new AirliftError('E_COMMAND', 'there is no k3s on this machine', {
      machine,
      hint: 'join it to the cluster first: airlift run, or airlift add',
    })
  }
  if (lines.includes('@@fail containerd')) {
    throw new AirliftError('E_COMMAND', 'the containerd of k3s does not answer', {
      machine,
      log,
      hint: 'see airlift status, and start the node: airlift start',
    })
  }
}
