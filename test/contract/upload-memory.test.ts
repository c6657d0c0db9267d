import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runApart } from '../lab/own-process.js'
import { type OwnSshd, startOwnSshd } from './own-sshd.js'

// What a program takes that sends one file to eight machines at once.

const HOSTS = 8

describe.runIf(process.getuid?.() === 0)('uploads to eight machines at once', () => {
  let dir = ''
  let sshd: OwnSshd
  const fixture = fileURLToPath(new URL('upload-fixture.ts', import.meta.url))

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'upload-memory-'))
    sshd = await startOwnSshd()
  })
  afterAll(async () => {
    await sshd?.stop()
    rmSync(dir, { recursive: true, force: true })
  })

  it.each(['ssh', 'openssh'])('take less than 200 MB of memory over %s', async (transport) => {
    const content = randomBytes(64 << 20)
    const file = join(dir, 'upload')
    writeFileSync(file, content)
    const sha256 = createHash('sha256').update(content).digest('hex')
    const args = [
      String(sshd.port),
      sshd.identity,
      transport,
      file,
      sha256,
      join(dir, 'uploaded'),
      String(HOSTS),
    ]
    const { peakMb } = await runApart<{ peakMb: number }>(fixture, args)
    expect(peakMb).toBeLessThan(200)
    for (let i = 0; i < HOSTS; i++) {
      expect(statSync(join(dir, `uploaded-${i}`)).size).toBe(content.length)
      rmSync(join(dir, `uploaded-${i}`))
    }
  })
})
