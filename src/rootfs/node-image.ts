import { randomBytes } from 'node:crypto'
import type { Readable } from 'node:stream'
import { LABELS } from '../cluster/container-labels.js'
import type { Context } from '../core/context.js'
import { AirliftError, type ErrorCode, isAirliftError } from '../core/errors.js'
import type { ContainerConfig, Engine } from '../machine/docker/engine.js'
import { programKind } from './elf.js'
import { helperContainer } from './helper-container.js'
import type { Rootfs, RootfsFile } from './manifest.js'
import { IMAGE_SETTINGS, nodeLayout, UNPACKED, unusable } from './node-layout.js'
import { padding, TAR_END } from './tar/header.js'
import { memberHeader } from './tar/pack-entries.js'
import { sendMade } from './tar/send-made.js'

/** Tells on an image which binary it was made of: `sha256:HEX`. */
export const BINARY_LABEL = 'airlift.binary'

/** What the image is made of. */
export interface NodeImageRequest {
  /** Name of the image, with a tag. */
  readonly ref: string
  /** GOARCH of the engine's computer, which is that of the binary. */
  readonly arch: string
  /** Release of k3s, as it is shown. */
  readonly version: string
  readonly binary: () => Readable
  readonly sizeBytes: number
  /** Hex digest of the binary. */
  readonly sha256: string
  /** Of the container that unpacks it. */
  readonly labels?: Readonly<Record<string, string>>
}

/** Errors that say something of the engine or of the wish to stop, not of the binary. */
const OTHERS = new Set<ErrorCode>([
  'E_ENGINE_UNREACHABLE',
  'E_INTERRUPTED',
  'E_TIMEOUT',
  'E_DISK_FULL',
  'E_ENGINE_PRIVILEGE',
])

/**
 * Makes the image of node containers from the binary of a rootfs, on the engine alone: no registry, no Dockerfile, and
 * nothing on this computer's disk. An image of that one file is run once, for k3s to unpack itself; what it unpacked is
 * streamed through this process into the image proper. Does nothing when an image of the same binary has the name.
 *
 * The container and the image of one file are labelled as temporary, so that what a killed run leaves behind can be found.
 * @throws AirliftError E_IMAGE_INVALID when the binary does not unpack itself, E_ENGINE_…, E_DISK_FULL, E_BUNDLE_DAMAGED
 */
export async function buildNodeImage(engine: Engine, request: NodeImageRequest, ctx: Context): Promise<void> {
  const binary = `sha256:${request.sha256}`
  if ((await engine.image(request.ref))?.labels[BINARY_LABEL] === binary) return
  await checkProgram(request)
  ctx.signal.throwIfAborted()
  const id = `${request.sha256.slice(0, 12)}-${randomBytes(4).toString('hex')}`
  const seed = `airlift/unpack:${id}`
  const name = `airlift-unpack-${id}`
  try {
    const temporary = [`LABEL ${LABELS.temporary}="unpack"`]
    await sendMade(oneFile(request), (tar) => engine.importImage(seed, tar, temporary))
    await engine.createContainer(unpacker(name, seed, request.labels))
    await unpack(engine, name)
    ctx.signal.throwIfAborted()
    const unpacked = await engine.getArchive(name, UNPACKED)
    if (!unpacked) throw unusable('it runs, but does not unpack itself')
    const settings = [
      ...IMAGE_SETTINGS,
      `LABEL ${LABELS.version}="${request.version}"`,
      `LABEL ${BINARY_LABEL}="${binary}"`,
    ]
    await sendMade(nodeLayout(unpacked, request.version), (tar) =>
      engine.importImage(request.ref, tar, settings),
    )
    ctx.events.emit({ level: 'debug', code: 'image.made', message: `made the image ${request.ref}` })
  } finally {
    await discard(() => engine.removeContainer(name, { force: true }), ctx)
    await discard(() => engine.removeImage(seed), ctx)
  }
}

/** The binary of a rootfs for a processor. @throws AirliftError E_BUNDLE_INVALID where it holds none */
export function binaryOf(rootfs: Rootfs, arch: string): RootfsFile {
  const binary = rootfs.manifest.files.find(
    (file) => file.role === 'binary' && (file.arch === undefined || file.arch === arch),
  )
  if (binary) return binary
  throw new AirliftError('E_BUNDLE_INVALID', `the rootfs holds no binary for ${arch}`)
}

/**
 * A script or a program for another processor is known by its first bytes: nothing need be sent.
 * @throws AirliftError E_IMAGE_INVALID
 */
export async function checkProgram(request: Pick<NodeImageRequest, 'arch' | 'binary'>): Promise<void> {
  const stream = request.binary()
  let head: Buffer = Buffer.alloc(0)
  for await (const chunk of stream) {
    head = Buffer.concat([head, chunk as Buffer])
    if (head.length >= 64) break
  }
  stream.destroy()
  const program = programKind(head)
  if (program.kind === 'script') throw unusable('it is a script')
  if (program.kind === 'other') throw unusable('it is no program for Linux')
  if (program.arch !== request.arch)
    throw unusable(`it is for ${program.machine}, and the engine's computer is ${request.arch}`)
}

/** A root file system that holds the binary and nothing else. */
async function* oneFile(request: NodeImageRequest): AsyncGenerator<Buffer> {
  yield memberHeader({ path: 'tmp/', mode: '1777', type: 'Directory', size: 0 })
  yield memberHeader({ path: 'bin/k3s', mode: '0755', type: 'File', size: request.sizeBytes })
  for await (const chunk of request.binary()) yield chunk as Buffer
  yield Buffer.alloc(padding(request.sizeBytes))
  yield TAR_END
}

function unpacker(name: string, image: string, labels: NodeImageRequest['labels']): ContainerConfig {
  return helperContainer({
    purpose: 'unpack',
    name,
    image,
    ...(labels ? { labels } : {}),
    entrypoint: ['/bin/k3s'],
    // The cheapest command that unpacks: `--version` does not.
    command: ['kubectl', 'version', '--client'],
  })
}

/** Runs the binary to its end. */
async function unpack(engine: Engine, name: string): Promise<void> {
  let code: number
  try {
    await engine.startContainer(name)
    code = await engine.waitContainer(name)
  } catch (error) {
    if (!isAirliftError(error) || OTHERS.has(error.code)) throw error
    // No interpreter, another processor: the engine's words for it differ between releases.
    throw unusable(`it does not start by itself (${firstLine(error.message)})`, error)
  }
  if (code === 0) return
  const words = (await engine.logs(name, { tail: 3 })).trim().split('\n').at(-1) ?? ''
  throw unusable(`it ends with ${code}${words === '' ? '' : `: ${words.slice(0, 200)}`}`)
}

/** What is temporary and cannot be removed now is found by its label later. */
async function discard(remove: () => Promise<void>, ctx: Context): Promise<void> {
  try {
    await remove()
  } catch (error) {
    const { message } = error as AirliftError
    ctx.events.emit({ level: 'debug', code: 'image.leftover', message })
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0]?.slice(0, 200) ?? ''
}
