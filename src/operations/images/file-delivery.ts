import { posix } from 'node:path'
import type { Readable } from 'node:stream'
import { unlessAborted } from '../../core/unless-aborted.js'
import type { Machine } from '../../machine/machine.js'
import { byteStream } from '../../rootfs/tar/member-stream.js'
import { ARRIVED, IMPORTED_MARK, OPENED_MARK, PUT_MARK } from '../../runtime/images/scripts.js'
import type { ArchiveShare } from './shared-archives.js'

/** An archive that can be put under a name, as the one member of another. */
export interface NamedMember {
  readonly id: string
  tar(name: string): AsyncIterable<Buffer>
}

/**
 * What is said with a script that takes an archive as a file. The script says where it wants it and waits; standard input
 * tells it where the archive is, or ends because it will not come. The first node that has a place for all is sent it there;
 * the others wait for that, and take the same. Where that does not succeed, each is sent it where it alone has it.
 *
 * The file for all has its name until that node's script ends, and the script waits for the end of standard input. It comes
 * when nobody wants the file any more, or with the end of this process.
 */
export class FileDelivery {
  /** Why the archive could not be put. */
  failure: unknown
  /** Standard input of the script. */
  readonly stdin: Readable
  readonly #machine: Machine
  readonly #member: NamedMember
  readonly #share: ArchiveShare | undefined
  readonly #over = new AbortController()
  readonly #signal: AbortSignal
  #putting: Promise<void> | undefined
  #onSettled: (path: string | undefined) => void = () => {}
  #onImported: () => void = () => {}

  /** Is made before the script is started: from then on others know of this node. */
  constructor(
    machine: Machine,
    member: NamedMember,
    share: ArchiveShare | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.#machine = machine
    this.#member = member
    this.#share = share
    this.#signal = signal ? AbortSignal.any([signal, this.#over.signal]) : this.#over.signal
    const settled = new Promise<string | undefined>((resolve) => {
      this.#onSettled = resolve
    })
    const imported = new Promise<void>((resolve) => {
      this.#onImported = resolve
    })
    this.stdin = byteStream(this.#answers(settled, imported))
    // Without a listener an error of the source would end the process once nobody reads any more.
    this.stdin.on('error', () => {})
  }

  /** Takes a line of the script's output. */
  hear(line: string): void {
    if (line === OPENED_MARK) this.#share?.leave()
    if (line === IMPORTED_MARK) this.#onImported()
    if (!line.startsWith(PUT_MARK)) return
    const [own = '', common] = line.slice(PUT_MARK.length).split(' ')
    this.#putting ??= this.#bring(own, common).then(this.#onSettled)
  }

  /** A script that has ended, as one without k3s does at once, has no use for the rest. */
  async end(): Promise<void> {
    this.#share?.end()
    this.#over.abort()
    this.#onSettled(undefined)
    this.#onImported()
    await this.#putting
    this.stdin.destroy()
  }

  async *#answers(settled: Promise<string | undefined>, imported: Promise<void>): AsyncGenerator<Buffer> {
    const path = await settled
    if (path === undefined) return
    yield Buffer.from(`${ARRIVED}${path}\n`)
    if (!this.#share?.leads) return
    await imported
    await this.#share.released(this.#signal)
  }

  /** Where the archive is, undefined where it could not be put. */
  async #bring(own: string, common: string | undefined): Promise<string | undefined> {
    if (this.#share && common !== undefined) {
      const there = this.#share.take(() => this.#put(common))
      const path = await unlessAborted(there, this.#signal).catch(() => undefined)
      if (path !== undefined || this.#signal.aborted) return path
    }
    this.#share?.leave()
    return this.#put(own)
  }

  async #put(path: string): Promise<string | undefined> {
    this.failure = undefined
    try {
      const tar = this.#member.tar(posix.basename(path))
      await this.#machine.unpack?.({ directory: posix.dirname(path), tar, signal: this.#signal })
      return path
    } catch (error) {
      if (!this.#over.signal.aborted) this.failure = error
      return undefined
    }
  }
}
