import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SHELLS } from '../machine/shells.fixture.js'
import type { StageBlob } from '../plan/plan.js'
import { sha256 } from './digest.js'
import type { BlobSource } from './manifest.js'
import { damagedBlob } from './open-rootfs.js'
import { createShellMachine } from './shell-machine.fixture.js'
import { stageBlobs } from './stage.js'
import { byteStream } from './tar/member-stream.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-stage-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const options = { signal: new AbortController().signal, onProgress: () => {} }

/** A source that behaves as an opened bundle does; `content` may differ from what the digest says. */
function source(
  contents: readonly Buffer[],
): BlobSource & { readonly blobs: StageBlob[]; opened: string[]; local: Map<string, Buffer> } {
  const local = new Map(contents.map((content) => [sha256(content), content]))
  const opened: string[] = []
  return {
    local,
    opened,
    blobs: [...local].map(([hex, content], i) => ({
      sha256: hex,
      sizeBytes: content.length,
      name: `file ${i}'s`,
    })),
    describeBlob: (hex) => `blob ${hex.slice(0, 6)} (docker.io/x/y:1)`,
    openBlob: (hex, { verify = true } = {}) => {
      opened.push(hex)
      const content = local.get(hex) ?? Buffer.alloc(0)
      return byteStream(
        (async function* () {
          for (let i = 0; i < content.length; i += 100_000) yield content.subarray(i, i + 100_000)
          if (verify && sha256(content) !== hex) throw damagedBlob('k3s.airlift', hex, ['docker.io/x/y:1'])
        })(),
      )
    },
  }
}

const store = (): string[] => readdirSync(join(dir, 'blobs/sha256')).sort()
const temps = (): string[] => readdirSync(join(dir, 'blobs')).filter((name) => name !== 'sha256')
/** Sizes around every boundary of dd's blocks, and none at all. */
const CONTENTS = [0, 1, 511, 1 << 20, (1 << 20) + 1, (3 << 20) - 1].map((size) => randomBytes(size))

describe.each(SHELLS)('stageBlobs under %s', (...shell) => {
  it('puts every blob in place, private and verified, in one round trip', async () => {
    const from = source(CONTENTS)
    const machine = createShellMachine({ dir, shell })
    const progress: number[] = []
    const { sentBytes } = await stageBlobs(machine, from.blobs, from, {
      ...options,
      onProgress: (n) => progress.push(n),
    })
    expect(store()).toEqual(from.blobs.map((blob) => blob.sha256).sort())
    for (const [hex, content] of from.local) {
      expect(readFileSync(join(dir, 'blobs/sha256', hex)).equals(content)).toBe(true)
      expect(statSync(join(dir, 'blobs/sha256', hex)).mode & 0o777).toBe(0o644)
    }
    expect(statSync(join(dir, 'blobs/sha256')).mode & 0o777).toBe(0o700)
    expect(temps()).toEqual([])
    expect(machine.runs).toBe(1)
    expect(sentBytes).toBe(CONTENTS.reduce((sum, content) => sum + content.length, 0))
    expect(progress.at(-1)).toBe(sentBytes)
  })

  it('goes on with what is missing after the connection broke', async () => {
    const from = source(CONTENTS)
    const machine = createShellMachine({ dir, shell, loseAfter: (1 << 20) + 700 })
    await stageBlobs(machine, from.blobs, from, options)
    expect(machine.runs).toBe(2)
    expect(store()).toHaveLength(CONTENTS.length)
    const smallest = sha256(CONTENTS[1] ?? Buffer.alloc(0))
    expect(from.opened.filter((hex) => hex === smallest)).toHaveLength(1)
  })

  it('passes over what is there', async () => {
    const from = source(CONTENTS)
    await stageBlobs(createShellMachine({ dir, shell }), from.blobs, from, options)
    const path = join(dir, 'blobs/sha256', from.blobs[5]?.sha256 ?? '')
    const before = statSync(path).ino
    await stageBlobs(createShellMachine({ dir, shell }), from.blobs, from, options)
    expect(statSync(path).ino).toBe(before)
  })

  it('never names a blob that arrived damaged, and tries once more', async () => {
    const from = source([randomBytes(50_000)])
    const garble = (chunk: Buffer): Buffer => Buffer.from(chunk).fill(0, 10, 20)
    const machine = createShellMachine({ dir, shell, garble })
    await stageBlobs(machine, from.blobs, from, options)
    expect(machine.runs).toBe(2)
    const hex = from.blobs[0]?.sha256 ?? ''
    expect(sha256(readFileSync(join(dir, 'blobs/sha256', hex)))).toBe(hex)
  })

  it('removes what dead runs left, and leaves living ones alone', async () => {
    const start = readFileSync(`/proc/${process.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ')[19]
    const alive = `.tmp-${process.pid}-${start}`
    for (const name of ['.tmp-999999999-1', `.tmp-${process.pid}-1`, alive]) {
      mkdirSync(join(dir, 'blobs', name), { recursive: true })
    }
    const from = source([Buffer.from('x')])
    await stageBlobs(createShellMachine({ dir, shell }), from.blobs, from, options)
    expect(temps()).toEqual([alive])
  })
})

describe('stageBlobs refuses', () => {
  it('a blob of the bundle that is damaged, by name, digest and image', async () => {
    const from = source([randomBytes(5000), randomBytes(6000)])
    const hex = from.blobs[1]?.sha256 ?? ''
    from.local.set(hex, randomBytes(6000))
    const error = await stageBlobs(createShellMachine({ dir }), from.blobs, from, options).catch(
      (e: unknown) => e,
    )
    expect(error).toMatchObject({ code: 'E_BUNDLE_DAMAGED', message: expect.stringContaining(hex) })
    expect((error as Error).message).toContain('docker.io/x/y:1')
    expect(store()).toEqual([from.blobs[0]?.sha256])
  })

  it('a blob that is shorter than its size', async () => {
    const from = source([randomBytes(5000)])
    from.local.set(from.blobs[0]?.sha256 ?? '', randomBytes(4000))
    await expect(stageBlobs(createShellMachine({ dir }), from.blobs, from, options)).rejects.toMatchObject({
      code: 'E_BUNDLE_DAMAGED',
      message: expect.stringContaining('4000 bytes of 5000'),
    })
    expect(store()).toEqual([])
  })

  it('a disk without room, before a byte is written, with both numbers', async () => {
    const bin = tool('df', 'echo Filesystem; echo "dev 100 90 2048 90% /"')
    const from = source([randomBytes(3 << 20)])
    await expect(
      stageBlobs(createShellMachine({ dir, path: bin }), from.blobs, from, options),
    ).rejects.toMatchObject({
      code: 'E_DISK_FULL',
      machine: 'shell',
      message: expect.stringMatching(/3 MiB are needed, and 2 MiB are free/),
    })
    expect(store()).toEqual([])
    expect(temps()).toEqual([])
  })

  it.each([
    ['No space left on device', 'E_DISK_FULL'],
    ['Read-only file system', 'E_READ_ONLY'],
    ['Input/output error', 'E_COMMAND'],
  ])('a write that fails: %s', async (said, code) => {
    const bin = tool('cat', `echo "cat: write error: ${said}" >&2; exit 1`)
    const from = source([randomBytes(3000)])
    await expect(
      stageBlobs(createShellMachine({ dir, path: bin }), from.blobs, from, options),
    ).rejects.toMatchObject({
      code,
    })
    expect(store()).toEqual([])
    expect(temps()).toEqual([])
  })

  it('a write that fails where the hash runs beside the transfer', async () => {
    const bin = tool('tee', 'echo "tee: No space left on device" >&2; cat >/dev/null; exit 1')
    tool('openssl', 'exit 1')
    const from = source([randomBytes(9 << 20)])
    await expect(
      stageBlobs(createShellMachine({ dir, path: bin }), from.blobs, from, options),
    ).rejects.toMatchObject({ code: 'E_DISK_FULL' })
    rmSync(join(bin, 'tee'))
    await stageBlobs(createShellMachine({ dir, path: bin }), from.blobs, from, options)
    expect(store()).toEqual([from.blobs[0]?.sha256])
  })

  it('a transfer that arrives damaged twice', async () => {
    const bin = tool('sha256sum', 'cat >/dev/null; echo "0000 -"')
    const from = source([randomBytes(3000)])
    await expect(
      stageBlobs(createShellMachine({ dir, path: bin }), from.blobs, from, options),
    ).rejects.toMatchObject({
      code: 'E_DIGEST_MISMATCH',
    })
  })
})

function tool(name: string, body: string): string {
  const bin = join(dir, 'bin')
  if (!existsSync(bin)) mkdirSync(bin)
  writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`)
  chmodSync(join(bin, name), 0o755)
  return bin
}
