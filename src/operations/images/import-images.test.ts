import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { AirliftError } from '../../core/errors.js'
import { dockerArchive, layer, ociArchive } from '../../rootfs/archives.fixture.js'
import { sha256 } from '../../rootfs/digest.js'
import { importLab, outcomes } from './import-into.fixture.js'

const { node: containerd, file, importInto } = importLab()
const NAME = 'docker.io/library/app:1'
const app = (): string => file(dockerArchive([{ names: ['app:1'], layers: [layer('base'), layer('app')] }]))

describe('importImages', () => {
  it('brings an archive to every node, once, and reads back', async () => {
    const [a, b] = [containerd('a'), containerd('b')]
    const first = await importInto([a, b], [app()])
    expect(first).toMatchObject({ operation: 'image import', outcome: 'done', name: 'dev' })
    expect(outcomes(first)).toEqual([{ [NAME]: 'imported' }, { [NAME]: 'imported' }])
    expect(first.machines[0]).toMatchObject({
      machine: 'ssh://root@a:22',
      node: 'a',
      role: 'master',
      outcome: 'changed',
    })
    expect(a.images.get(NAME)?.id).toBe(first.images[0]?.id)
    expect(first.bytesSent).toBe((a.imports[0] ?? 0) + (b.imports[0] ?? 0))
    const again = await importInto([a, b], [app()])
    expect(again).toMatchObject({ outcome: 'unchanged' })
    expect(outcomes(again)).toEqual([{ [NAME]: 'present' }, { [NAME]: 'present' }])
    expect(a.imports).toHaveLength(1)
  })

  it('sends only the layers that a node lacks', async () => {
    const a = containerd('a')
    const big = layer('x'.repeat(50_000))
    await importInto([a], [file(dockerArchive([{ names: ['app:1'], layers: [big] }]))])
    await importInto([a], [file(dockerArchive([{ names: ['app:2'], layers: [big, layer('new')] }]))])
    expect(a.imports[0]).toBeGreaterThan(50_000)
    expect(a.imports[1]).toBeLessThan(12_000)
    expect(a.images.has('docker.io/library/app:2')).toBe(true)
  })

  it('sends all of them when containerd has meanwhile let one go', async () => {
    const base = layer('base')
    let gone = false
    const a = containerd('a', {
      afterImport: ({ content, imports }) => {
        if (imports.length === 2) gone = content.delete(sha256(base))
      },
    })
    await importInto([a], [file(dockerArchive([{ names: ['old:1'], layers: [base] }]))])
    const result = await importInto(
      [a],
      [file(dockerArchive([{ names: ['app:1'], layers: [base, layer('a')] }]))],
    )
    expect(gone).toBe(true)
    expect(outcomes(result)).toEqual([{ [NAME]: 'imported' }])
    expect(a.imports).toHaveLength(3)
    expect(a.imports[2]).toBeGreaterThan(a.imports[1] ?? 0)
  })

  it('gives an image that is there another name, and sends nothing', async () => {
    const a = containerd('a')
    const layers = [layer('a')]
    await importInto([a], [file(dockerArchive([{ names: ['app:1'], layers }]))])
    const result = await importInto([a], [file(dockerArchive([{ names: ['app:1', 'app:stable'], layers }]))])
    expect(outcomes(result)).toEqual([{ [NAME]: 'present', 'docker.io/library/app:stable': 'imported' }])
    expect(a.imports).toHaveLength(1)
    expect(a.images.get('docker.io/library/app:stable')).toEqual(a.images.get(NAME))
  })

  it('gives each node its own platform', async () => {
    const [a, b] = [containerd('a'), containerd('b', { unameArch: 'aarch64' })]
    const both = ociArchive([NAME], [{ names: [] }, { names: [], arch: 'arm64' }]).bytes
    const result = await importInto([a, b], [file(both)])
    expect(result.images.map(({ arch }) => arch)).toEqual(['amd64', 'arm64'])
    expect(a.images.get(NAME)?.digest).not.toBe(b.images.get(NAME)?.digest)
    // A configuration, a layer and a manifest, and nothing of the other platform.
    expect([a.content.size, b.content.size]).toEqual([3, 3])
  })

  it('refuses an image of another platform before anything is sent', async () => {
    const [a, b] = [containerd('a'), containerd('b', { unameArch: 'aarch64' })]
    await expect(importInto([a, b], [app()])).rejects.toMatchObject({
      code: 'E_IMAGE_INVALID',
      message: expect.stringMatching(/app:1 in .*app\.tar is for linux\/amd64, and b is linux\/arm64/),
    })
    const zarch = file(dockerArchive([{ names: ['app:1'], arch: 's390x' }]))
    await expect(importInto([a], [zarch])).rejects.toThrow(
      /holds images for linux\/s390x, and a is linux\/amd64/,
    )
    expect([a.imports, b.imports]).toEqual([[], []])
  })

  it('refuses a name for two images, and an archive without any', async () => {
    const a = containerd('a')
    const other = file(dockerArchive([{ names: ['app:1'], layers: [layer('other')] }]), 'other.tar')
    await expect(importInto([a], [app(), other])).rejects.toThrow(
      /app:1 is two different images in .*app\.tar and .*other\.tar/,
    )
    await expect(importInto([a], [file(dockerArchive([]))])).rejects.toThrow(/app\.tar holds no images/)
    expect(a.imports).toEqual([])
  })

  it('leaves the other nodes alone when one fails, and says which and why', async () => {
    const a = containerd('a')
    const full = containerd('b', { freeBytes: 1000 })
    const broken = containerd('c', { refuse: () => 'failed to extract layer: no space left on device' })
    const odd = containerd('d', { refuse: () => 'what is this?' })
    const away = new AirliftError('E_SSH_UNREACHABLE', 'nobody there', { hint: 'switch it on' })
    const result = await importInto([a, full, broken, odd, away], [app()])
    expect(result.outcome).toBe('partial')
    expect(result.machines.map(({ error }) => error?.code ?? null)).toEqual([
      null,
      'E_DISK_FULL',
      'E_DISK_FULL',
      'E_COMMAND',
      'E_SSH_UNREACHABLE',
    ])
    expect(result.machines[1]?.error?.message).toMatch(
      /no room for the images: 1 MiB are needed .* 1 MiB are free/,
    )
    expect(full.imports).toEqual([])
    expect(result.machines[3]?.error?.message).toBe('containerd refuses the images: what is this?')
    expect(outcomes(result)).toEqual([
      { [NAME]: 'imported' },
      { [NAME]: 'failed' },
      { [NAME]: 'failed' },
      { [NAME]: 'failed' },
      { [NAME]: 'failed' },
    ])
  })

  it('fails when no node has it, and takes away what did not arrive whole', async () => {
    const a = containerd('a', { afterImport: ({ content }) => content.delete(sha256(layer('app'))) })
    const result = await importInto([a], [app()])
    expect(result).toMatchObject({ outcome: 'failed', machines: [{ error: { code: 'E_VERIFY' } }] })
    expect([...a.images.keys()]).toEqual([])
  })

  it('goes on after a lost connection', async () => {
    const lost = new AirliftError('E_SSH_LOST', 'the connection was lost')
    const a = containerd('a', { refuse: (attempt) => (attempt === 1 ? lost : undefined) })
    expect(outcomes(await importInto([a], [app()]))).toEqual([{ [NAME]: 'imported' }])
    const never = containerd('b', { refuse: () => lost })
    const result = await importInto([never], [app()])
    expect(result.machines[0]?.error?.code).toBe('E_SSH_LOST')
    expect(never.imports).toHaveLength(3)
  })

  it('says that an archive is damaged, not that the nodes refuse it', async () => {
    const content = layer('the one')
    const bytes = Buffer.from(ociArchive([NAME], [{ names: [], layers: [content] }]).bytes)
    bytes.write('THE', bytes.indexOf('the one'))
    const result = await importInto([containerd('a')], [file(bytes)])
    expect(result.machines[0]?.error).toMatchObject({
      code: 'E_IMAGE_INVALID',
      message: expect.stringMatching(/is damaged/),
    })
  })

  it('reads standard input, compressed or not', async () => {
    const bytes = dockerArchive([{ names: ['app:1'] }])
    for (const content of [bytes, gzipSync(bytes)]) {
      const a = containerd('a')
      const result = await importInto([a], ['-'], {
        stdin: Readable.from([content.subarray(0, 99), content.subarray(99)]),
      })
      expect(outcomes(result)).toEqual([{ [NAME]: 'imported' }])
    }
    await expect(importInto([containerd('a')], ['-'], { stdin: Readable.from(['hello']) })).rejects.toThrow(
      'standard input is no archive of images: it is no tar archive',
    )
  })
})

describe('importImages and what is there already', () => {
  it('leaves an image alone that k3s loaded at its start, and keeps pinned: whole, and not unpacked yet', async () => {
    const a = containerd('a')
    await importInto([a], [app()])
    const packed = containerd('b', { unpacked: false })
    for (const [name, image] of a.images) packed.images.set(name, image)
    for (const [hex, bytes] of a.content) packed.content.set(hex, bytes)
    expect(outcomes(await importInto([packed], [app()]))).toEqual([{ [NAME]: 'present' }])
    expect(packed.imports).toEqual([])
  })

  it('leaves unpacking to the first use where that would tell nothing more', async () => {
    const a = containerd('a', { unpacked: false })
    expect(outcomes(await importInto([a], [app()]))).toEqual([{ [NAME]: 'imported' }])
    expect(a.calls.map(({ script }) => script.match(/images import --local .*-(?= >)/)?.[0])).toContain(
      'images import --local --no-unpack -',
    )
  })

  it('does not take an image for imported that could not be unpacked', async () => {
    const a = containerd('a', { unpacked: false })
    const layers = [gzipSync(layer('app'))]
    const result = await importInto([a], [file(dockerArchive([{ names: ['app:1'], layers }]))])
    expect(result.machines[0]).toMatchObject({ outcome: 'failed', error: { code: 'E_VERIFY' } })
    expect(outcomes(result)).toEqual([{ [NAME]: 'failed' }])
  })
})
