import type { Context } from '../../core/context.js'
import { AirliftError, toAirliftError } from '../../core/errors.js'
import type { Machine } from '../../machine/machine.js'
import { layoutImport } from '../../rootfs/oci/import-stream.js'
import { type NodeImages, parseNodeImages } from '../../runtime/images/node-images.js'
import { type ImportPlan, isThere, planImport, type WantedImage } from '../../runtime/images/plan-import.js'
import { changeScript, removeScript } from '../../runtime/images/scripts.js'
import { readImages } from './image-nodes.js'
import { type ArchiveWay, runWithArchive, wayTo } from './run-with-archive.js'
import type { SharedArchives } from './shared-archives.js'

/** A node that images go to. */
export interface ImportTarget {
  readonly machine: Machine
  readonly node: string
  /** What it had when it was looked at. */
  readonly images: NodeImages
  /** Archives that it may take from other nodes. */
  readonly shared?: SharedArchives
}

/** How it ended on a node. */
export interface NodeImport {
  /** Names that were right already. */
  readonly present: ReadonlySet<string>
  /** Names that are right now, read back. */
  readonly there: ReadonlySet<string>
  /** Why some are not. */
  readonly error?: AirliftError
}

const ATTEMPTS = 3

/**
 * Brings images to one node: names what it has under other names, sends what it lacks, and reads back. Layers that its
 * content store has are left out; where they are gone before they are used (containerd collects what nothing refers to), all is
 * sent once more. What did not arrive whole is taken away again, so that no pod stumbles over it. Never throws for the node's sake.
 * @throws the reason of an aborted signal
 */
export async function importOnNode(
  target: ImportTarget,
  images: readonly WantedImage[],
  timeoutMs: number,
  ctx: Context,
): Promise<NodeImport> {
  const { machine } = target
  const { present } = planImport(images, target.images)
  const sent = new Set<string>()
  let have = target.images
  let fresh = false
  let error: AirliftError | undefined
  try {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      const plan = planImport(images, have, fresh)
      if (plan.tags.length + plan.send.length === 0) break
      error = undefined
      const partial = plan.send.some(({ image }) =>
        [...image.blobs.keys()].some((hex) => have.blobs.has(hex)),
      )
      for (const { names } of plan.send) for (const name of names) sent.add(name)
      try {
        const { blobs } = have
        const after = await change(
          target,
          plan,
          { ...have, blobs: fresh ? new Set() : blobs },
          timeoutMs,
          ctx,
        )
        have = { ...after.images, blobs }
        error = after.error
      } catch (thrown) {
        error = toAirliftError(thrown)
        if (error.code !== 'E_SSH_LOST' || attempt === ATTEMPTS) break
        have = await readImages(machine, ctx.signal)
        error = undefined
        continue
      }
      if (fresh || !partial || error?.code === 'E_DISK_FULL') break
      fresh = true
    }
    await removeBroken(target, images, have, ctx)
  } catch (thrown) {
    error ??= toAirliftError(thrown)
  }
  ctx.signal.throwIfAborted()
  const isRight = (image: WantedImage, name: string): boolean =>
    isThere(name, image, have) &&
    (!sent.has(name) || image.image.plain || have.records.get(name)?.unpacked === true)
  const there = new Set(images.flatMap((image) => image.names.filter((name) => isRight(image, name))))
  const whole = images.every(({ names }) => names.every((name) => there.has(name)))
  if (!error && whole) return { present, there }
  return { present, there, error: error ?? notVerified(target, images, there) }
}

/** One attempt: what containerd has afterwards, and what it said when it refused. */
async function change(
  { machine, node, shared }: ImportTarget,
  plan: ImportPlan,
  have: NodeImages,
  timeoutMs: number,
  ctx: Context,
): Promise<{ readonly images: NodeImages; readonly error?: AirliftError }> {
  const archive = plan.send.length > 0 ? layoutImport(plan.send, have.blobs) : undefined
  const way = archive && wayTo(machine, archive)
  checkRoom(plan, way, have, node)
  const ids = [...plan.tags, ...plan.send].map(({ id }) => id)
  const packed = plan.send.every(({ image }) => image.plain)
  const script = changeScript({ tags: plan.tags, ids, ...(way ? { archive: way, packed } : {}) })
  const options = { signal: ctx.signal, timeoutMs }
  const onProgress = (sentBytes: number): void =>
    ctx.events.emit({
      level: 'debug',
      code: 'upload.progress',
      message: 'import images',
      machine: machine.id,
      step: `${node}/images`,
      data: { sentBytes, totalBytes: archive?.size ?? 0 },
    })
  const result = archive
    ? await runWithArchive(machine, { script, archive, onProgress, ...(shared ? { shared } : {}) }, options)
    : await machine.run(script, options)
  const error = refusal(result.stdout, result.stderr, node)
  const images = parseNodeImages(result.stdout, result.stderr, node)
  return error ? { images, error } : { images }
}

/**
 * What is sent is stored as it comes and unpacked beside that; where the archive is put there first, it lies beside both.
 * @throws AirliftError E_DISK_FULL
 */
function checkRoom(plan: ImportPlan, way: ArchiveWay | undefined, have: NodeImages, node: string): void {
  const neededBytes = (way === 'file' ? 3 : 2) * plan.sendBytes
  const { freeBytes } = have
  if (freeBytes === undefined || neededBytes <= freeBytes) return
  throw new AirliftError(
    'E_DISK_FULL',
    `no room for the images: ${mebibytes(neededBytes)} are needed below /var/lib/rancher/k3s, and ${mebibytes(freeBytes)} are free`,
    { machine: node, hint: FREE_SPACE, data: { neededBytes, freeBytes } },
  )
}

const FREE_SPACE =
  'free some space there (k3s crictl rmi --prune takes unused images away), and run the same command again'

/** The error that the script's marks and containerd's words stand for. */
function refusal(stdout: string, stderr: string, node: string): AirliftError | undefined {
  const what = /^@@failed (\w+)$/m.exec(stdout)?.[1]
  if (!what) return undefined
  const said = stderr.split('\n').filter((line) => line !== '' && !line.includes('level=warning'))
  const log = said.slice(-3)
  const details = { machine: node, log }
  if (/no space left|quota exceeded/i.test(stderr)) {
    return new AirliftError('E_DISK_FULL', 'no space left below /var/lib/rancher/k3s to unpack the images', {
      ...details,
      hint: FREE_SPACE,
    })
  }
  if (/read-only file system/i.test(stderr)) {
    return new AirliftError('E_READ_ONLY', 'the file system of /var/lib/rancher/k3s is read-only', {
      ...details,
      hint: 'mount it read-write',
    })
  }
  const last = log.at(-1)?.replace(/^ctr: /, '') ?? 'it did not say why'
  return new AirliftError('E_COMMAND', `containerd refuses the images: ${last}`, {
    ...details,
    hint: 'see what containerd says: /var/lib/rancher/k3s/agent/containerd/containerd.log',
  })
}

function notVerified(
  target: ImportTarget,
  images: readonly WantedImage[],
  there: ReadonlySet<string>,
): AirliftError {
  const missing = images.flatMap((image) => image.names).filter((name) => !there.has(name))
  return new AirliftError('E_VERIFY', `${missing.join(', ')} was imported and is not there as it was sent`, {
    machine: target.node,
    hint: 'run the same command again; where it stays so, look at the disk of the node: k3s ctr -n k8s.io images check',
  })
}

/** An import that broke off may leave a name for an image without its layers. */
async function removeBroken(
  { machine, images: before }: ImportTarget,
  images: readonly WantedImage[],
  have: NodeImages,
  ctx: Context,
): Promise<void> {
  const broken = images.flatMap(({ image, names, id }) =>
    [...names, id].filter((name) => {
      const record = have.records.get(name)
      if (record === undefined || record.whole || record.digest !== image.digest) return false
      // What was so before is not ours: a containerd that discards unpacked layers keeps all of its images like that.
      return before.records.get(name)?.digest !== image.digest
    }),
  )
  if (broken.length > 0) await machine.run(removeScript(broken), { signal: ctx.signal, idempotent: true })
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / (1 << 20))} MiB`
}
