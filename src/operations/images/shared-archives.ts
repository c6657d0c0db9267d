import type { Clock } from '../../core/context.js'

/** How long a node that has imported what was put for all is held for others that have not opened it yet. */
export const HOLD_MS = 5000

/** What becomes of one archive: `there` is its path, or undefined where it could not be put. */
interface Archive {
  /** Nodes that run and have neither opened it nor ended. */
  waiting: number
  /** Absent while no node has it put, or keeps it for others. */
  there: Promise<string | undefined> | undefined
  /** Called when nobody waits any more. */
  onNobody: () => void
}

/**
 * Archives that lie where all nodes see them. The first node that asks has it put there, leads; it keeps the file until the
 * others that run have opened it, but not for long: one that hangs leaves the others alone, and is sent its own.
 */
export class SharedArchives {
  readonly #clock: Clock
  readonly #archives = new Map<string, Archive>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /**
   * Makes a node known that will want an archive, by the archive's id. Only of nodes that run already: one that waits for its
   * turn until others have ended would hold them.
   */
  join(id: string): ArchiveShare {
    const archive = this.#archives.get(id) ?? { waiting: 0, there: undefined, onNobody: () => {} }
    this.#archives.set(id, archive)
    return new ArchiveShare(archive, this.#clock)
  }
}

/** What one node has to do with an archive. */
export class ArchiveShare {
  readonly #archive: Archive
  readonly #clock: Clock
  #waits = true
  /** What this node has put. */
  #put: Promise<string | undefined> | undefined

  constructor(archive: Archive, clock: Clock) {
    this.#archive = archive
    this.#clock = clock
    archive.waiting++
  }

  /** This node has it put for all. */
  get leads(): boolean {
    return this.#put !== undefined
  }

  /** The path of the archive, which is put there if no other node has done so. Undefined: it could not be put. */
  take(put: () => Promise<string | undefined>): Promise<string | undefined> {
    if (!this.#archive.there) {
      this.#put = put()
      this.#archive.there = this.#put
    }
    return this.#archive.there
  }

  /** This node has opened it, or will not: nobody need keep it for this one. */
  leave(): void {
    if (!this.#waits) return
    this.#waits = false
    this.#archive.waiting--
    if (this.#archive.waiting === 0) this.#archive.onNobody()
  }

  /** Resolves when no node waits for what this one has put, after {@link HOLD_MS}, or with the signal; who asks then puts anew. */
  async released(signal: AbortSignal): Promise<void> {
    const over = new AbortController()
    if (this.#archive.waiting > 0) {
      const timer = this.#clock.sleep(HOLD_MS, AbortSignal.any([signal, over.signal])).catch(() => {})
      const nobody = new Promise<void>((resolve) => {
        this.#archive.onNobody = resolve
      })
      await Promise.race([nobody, timer])
      over.abort()
    }
    this.#withdraw()
  }

  /** This node has ended, and what it has put is gone with it. */
  end(): void {
    this.leave()
    this.#withdraw()
  }

  #withdraw(): void {
    if (this.#put && this.#archive.there === this.#put) this.#archive.there = undefined
  }
}
