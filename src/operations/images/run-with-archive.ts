import { AirliftError } from '../../core/errors.js'
import type { Machine, RunOptions, RunResult } from '../../machine/machine.js'
import type { ImportStream } from '../../rootfs/oci/import-stream.js'
import { imageError } from '../../rootfs/oci/open-images.js'
import { padding, TAR_END, tarHeader } from '../../rootfs/tar/header.js'
import { byteStream } from '../../rootfs/tar/member-stream.js'
import { NOT_SHARED } from '../../runtime/images/scripts.js'
import { FileDelivery, type NamedMember } from './file-delivery.js'
import { ImportFeed } from './import-feed.js'
import type { SharedArchives } from './shared-archives.js'

/** How an archive gets to a node: on standard input of the script, or as a file that the machine itself unpacks. */
export type ArchiveWay = 'stdin' | 'file'

/** A script that imports an archive. */
export interface ArchiveRun {
  /** Made for the way that {@link wayTo} names. */
  readonly script: string
  readonly archive: ImportStream
  readonly onProgress: (sentBytes: number) => void
  /** Of all nodes of one import. */
  readonly shared?: SharedArchives
}

/** Below this size it is quicker to do with one question to the engine than with two. */
const FILE_BYTES = 1 << 20

/**
 * The quicker way. To a container 200 MB on standard input take 1.3 s of processor time more than as a file: every piece goes
 * through the engine, the shim and two pipes.
 */
export function wayTo(machine: Machine, archive: ImportStream): ArchiveWay {
  return machine.unpack && archive.size >= FILE_BYTES ? 'file' : 'stdin'
}

/**
 * Runs a script and brings it its archive.
 * @throws AirliftError E_IMAGE_INVALID or E_LOCAL_FILE when the archive cannot be read here, and what `Machine.run` and
 * `Machine.unpack` throw
 */
export async function runWithArchive(
  machine: Machine,
  { script, archive, onProgress, shared }: ArchiveRun,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<RunResult> {
  const feed = new ImportFeed(archive, onProgress)
  try {
    const byFile = (others?: SharedArchives): Promise<RunResult> =>
      runWithFile(machine, script, memberOf(archive, feed), others, options)
    let result =
      wayTo(machine, archive) === 'file'
        ? await byFile(shared)
        : await runWithInput(machine, script, feed.chunks(), options)
    // What was put for another node has gone, or this one does not see it.
    if (result.exitCode === NOT_SHARED) result = await byFile()
    if (feed.failure !== undefined) throw feed.failure
    return result
  } catch (thrown) {
    // An archive that is not whole here ends the stream; what the machine makes of that is no news.
    throw feed.failure === undefined ? thrown : imageError(feed.failure, 'the archive')
  }
}

async function runWithInput(
  machine: Machine,
  script: string,
  chunks: AsyncIterable<Buffer>,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<RunResult> {
  const stdin = byteStream(chunks)
  // Without a listener an error of the source would end the process once nobody reads any more.
  stdin.on('error', () => {})
  try {
    return await machine.run(script, { ...options, stdin })
  } finally {
    stdin.destroy()
  }
}

function memberOf({ id, size }: ImportStream, feed: ImportFeed): NamedMember {
  return {
    id,
    async *tar(name) {
      yield tarHeader(name, size)
      yield* feed.chunks()
      yield Buffer.alloc(padding(size))
      yield TAR_END
    },
  }
}

async function runWithFile(
  machine: Machine,
  script: string,
  member: NamedMember,
  shared: SharedArchives | undefined,
  options: Pick<RunOptions, 'signal' | 'timeoutMs'>,
): Promise<RunResult> {
  const delivery = new FileDelivery(machine, member, shared?.join(member.id), options.signal)
  const onLine = (line: string): void => delivery.hear(line)
  try {
    const result = await machine.run(script, { ...options, stdin: delivery.stdin, onLine })
    if (delivery.failure !== undefined) throw delivery.failure
    const unshared = shared !== undefined && result.exitCode === NOT_SHARED
    if (result.exitCode !== 0 && !unshared) throw notTaken(result, machine)
    return result
  } catch (thrown) {
    throw delivery.failure ?? thrown
  } finally {
    await delivery.end()
  }
}

function notTaken({ exitCode, stderr }: RunResult, machine: Machine): AirliftError {
  return new AirliftError('E_COMMAND', `the archive could not be received (exit ${exitCode})`, {
    machine: machine.name,
    log: stderr.split('\n').filter(Boolean).slice(-3),
    hint: 'see whether /var/lib/rancher/k3s/airlift can be written there, and run the same command again',
  })
}
