import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildSync } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT } from '../lab/lab.js'
import { type OwnSshd, startOwnSshd } from './own-sshd.js'

// What a program takes that sends one file to eight machines at once.

const HOSTS = 8

describe.runIf(process.getuid?.() === 0)('uploads to eight machines at once', () => {
  let dir = ''
  let sshd: OwnSshd
  // As the command line is made: a loader of TypeScript takes 45 MB by itself. It finds packages from where it lies.
  const program = join(ROOT, 'node_modules', '.cache', `upload-${process.pid}.mjs`)

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'upload-memory-'))
    sshd = await startOwnSshd()
    const fixture = fileURLToPath(new URL('upload-fixture.ts', import.meta.url))
    buildSync({
      entryPoints: [fixture],
      outfile: program,
      bundle: true,
      platform: 'node',
      format: 'esm',
      packages: 'external',
    })
  })
  afterAll(async () => {
    await sshd?.stop()
    rmSync(program, { force: true })
    rmSync(dir, { recursive: true, force: true })
  })

  it.each(['ssh', 'openssh'])('take less than 200 MB of memory over %s', (transport) => {
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
    const printed = execFileSync(process.execPath, [program, ...args], { encoding: 'utf8' })
    expect(JSON.parse(printed).afterMb).toBeLessThan(200)
    for (let i = 0; i < HOSTS; i++) {
      expect(statSync(join(dir, `uploaded-${i}`)).size).toBe(content.length)
      rmSync(join(dir, `uploaded-${i}`))
    }
  })
})
