import type { Context } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { type BlobStore, openBlobStore } from './blob-store.js'
import { type BundleIndex, readBundleIndex } from './bundle-index.js'
import { digestOf, sha256 } from './digest.js'
import type { RootfsManifest } from './manifest.js'
import { isDescriptor, isOciIndex, isRecord, parseAs } from './oci/read-json.js'
import type { Descriptor } from './oci/types.js'
import { hexOf } from './oci/types.js'

/** One thing that is wrong with a bundle. */
export interface BundleProblem {
  readonly kind: 'damaged' | 'missing' | 'extra'
  /** `sha256:…`, or what else it is: the name of a file that does not belong there, a part of the file. */
  readonly blob: string
  /** Files and images that need it. */
  readonly hits: readonly string[]
}

/** A bundle that is whole. */
export interface VerifiedBundle {
  readonly ref: string
  /** `sha256:…` of its index: compare it with what the sender tells. */
  readonly digest: string
  readonly blobs: number
  readonly bytes: number
  readonly manifest: RootfsManifest
}

/**
 * Reads every blob of a bundle once and compares it with its digest, and all that stands between them with what a build writes.
 * @throws AirliftError E_BUNDLE_DAMAGED whose `data.problems` ({@link BundleProblem}) lists everything that is damaged,
 * missing or too much; E_LOCAL_FILE and E_BUNDLE_INVALID as {@link openBlobStore}
 */
export async function verifyRootfs(path: string, ctx: Context): Promise<VerifiedBundle> {
  const store = await openBlobStore(path)
  try {
    const index = await readBundleIndex(store)
    const missing = new Set(index.missing)
    const problems: BundleProblem[] = index.missing.map((hex) => ({
      kind: 'missing',
      blob: `sha256:${hex}`,
      hits: hitsOf(index, hex),
    }))
    const total = [...store.sizes.values()].reduce((sum, size) => sum + size, 0)
    let bytes = 0
    for (const hex of [...store.sizes.keys()].sort()) {
      const found = await digestOf(watch(store.chunks(hex), ctx, () => bytes, total))
      bytes += found.size
      if (missing.has(hex) || (found.sha256 === hex && found.size === store.sizes.get(hex))) continue
      problems.push({ kind: 'damaged', blob: `sha256:${hex}`, hits: hitsOf(index, hex) })
    }
    const known = await reachable(store, index)
    // Where manifests are missing, what they lead to is not too much.
    for (const hex of index.missing.length === 0 ? store.sizes.keys() : []) {
      if (!known.has(hex)) problems.push({ kind: 'extra', blob: `sha256:${hex}`, hits: [] })
    }
    for (const { kind, hex, what } of await store.checkFrame()) {
      if (hex === undefined) problems.push({ kind, blob: what, hits: [] })
      else if (!problems.some(({ blob }) => blob === `sha256:${hex}`))
        problems.push({ kind, blob: `sha256:${hex}`, hits: [what, ...hitsOf(index, hex)] })
    }
    for (const name of store.strangers) problems.push({ kind: 'extra', blob: name, hits: [] })
    if (store.cut !== undefined || problems.length > 0) throw damaged(store, problems)
    const digest = `sha256:${sha256(store.index)}`
    return { ref: store.ref, digest, blobs: store.sizes.size, bytes, manifest: index.manifest }
  } finally {
    await store.close()
  }
}

function hitsOf(index: BundleIndex, hex: string): readonly string[] {
  return index.blobs.get(hex)?.owners ?? []
}

/** What the index leads to, also through manifests that this release does not know: signatures, attestations. */
async function reachable(store: BlobStore, index: BundleIndex): Promise<Set<string>> {
  const known = new Set(index.blobs.keys())
  const visit = async (entry: Descriptor): Promise<void> => {
    const hex = hexOf(entry.digest)
    if (!hex) return
    const visited = known.has(hex)
    known.add(hex)
    const size = store.sizes.get(hex)
    if (visited || size === undefined || size > 4 << 20 || !/(json|index|manifest)/.test(entry.mediaType))
      return
    const chunks: Buffer[] = []
    for await (const chunk of store.chunks(hex)) chunks.push(chunk)
    const parsed = parseAs(Buffer.concat(chunks), isRecord)
    const children = [parsed?.config, parsed?.layers, parsed?.manifests].flat().filter(isDescriptor)
    for (const child of children) await visit(child)
  }
  for (const entry of parseAs(store.index, isOciIndex)?.manifests ?? []) await visit(entry)
  return known
}

async function* watch(
  chunks: AsyncIterable<Buffer>,
  ctx: Context,
  before: () => number,
  total: number,
): AsyncGenerator<Buffer> {
  let read = 0
  let told = 0
  for await (const chunk of chunks) {
    ctx.signal.throwIfAborted()
    read += chunk.length
    yield chunk
    const now = ctx.clock.now()
    if (now - told < 200) continue
    told = now
    ctx.events.emit({
      level: 'debug',
      code: 'rootfs.verify',
      message: 'verifying',
      data: { bytes: before() + read, total },
    })
  }
}

function damaged(store: BlobStore, problems: readonly BundleProblem[]): AirliftError {
  const lines = problems.map(
    ({ kind, blob, hits }) => `${kind} ${blob}${hits.length > 0 ? `: ${hits.join(', ')}` : ''}`,
  )
  const bad = problems.filter((problem) => problem.kind !== 'extra')
  const hit = [...new Set(bad.flatMap((problem) => problem.hits))]
  const counts = (['damaged', 'missing', 'extra'] as const)
    .map((kind) => [kind, problems.filter((problem) => problem.kind === kind).length] as const)
    .filter(([, count]) => count > 0)
    .map(([kind, count]) => `${count} ${kind}`)
  const what = hit.length > 0 ? `; it hits ${hit.slice(0, 3).join(', ')}${hit.length > 3 ? ' …' : ''}` : ''
  const why = [...(store.cut ? [`it was cut: ${store.cut}`] : []), ...counts].join(', ')
  return new AirliftError('E_BUNDLE_DAMAGED', `${store.ref} is not as it was built: ${why}${what}`, {
    hint: 'copy the bundle again, or build it again',
    log: lines,
    data: { problems },
  })
}
