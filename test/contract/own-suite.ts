import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import type { OwnSshd } from './own-sshd.js'
import { startOwnSshd } from './own-sshd.js'

/** These suites start an sshd, which takes root. */
export const root: boolean = process.getuid?.() === 0

/** The two ways over SSH. */
export const kinds = ['ssh', 'openssh'] as const

/** What a suite works with. */
export interface OwnSuite {
  readonly sshd: OwnSshd
  readonly dir: string
  /** A home directory with an empty `.ssh`. */
  readonly home: string
}

/** Starts an sshd and makes directories for the tests of a file, and takes them away after them. Where this is not root there is none. */
export function ownSuite(): OwnSuite {
  let suite: OwnSuite | undefined
  const running = (): OwnSuite => {
    if (!suite) throw new Error('the suite runs only for root, and only while its tests do')
    return suite
  }
  beforeAll(async () => {
    if (!root) return
    const dir = mkdtempSync(join(tmpdir(), 'contract-'))
    const home = join(dir, 'home')
    mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 })
    suite = { sshd: await startOwnSshd(), dir, home }
  })
  afterAll(async () => {
    if (!suite) return
    await suite.sshd.stop()
    rmSync(suite.dir, { recursive: true, force: true })
  })
  return {
    get sshd() {
      return running().sshd
    },
    get dir() {
      return running().dir
    },
    get home() {
      return running().home
    },
  }
}

/** Writes a known_hosts file with those lines. */
export function writeKnownHosts(file: string, ...lines: string[]): string {
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return file
}
