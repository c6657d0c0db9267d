import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, truncateSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { dockerArchive, elf, layer, ociArchive, tar, write } from './archives.fixture.js'
import { buildBundle } from './build-bundle.js'
import { sha256 } from './digest.js'
import { inspectRootfs } from './inspect-rootfs.js'
import { openRootfs } from './open-rootfs.js'
import { type BundleProblem, verifyRootfs } from './verify-rootfs.js'

let dir: string
let bundle: string
let bytes: Buffer
const ctx = createContext({ env: {} })
const path = (name: string): string => join(dir, name)

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-open-'))
  const images = dockerArchive([
    { names: ['rancher/pause:3.6'], layers: [layer('pause'), layer('shared')] },
    { names: ['rancher/coredns:1.12.1'], layers: [layer('coredns'), layer('shared')] },
  ])
  bundle = path('k3s.airlift')
  await buildBundle(
    {
      runtime: 'k3s',
      version: 'v1.33.1+k3s1',
      binary: [write(path('k3s'), elf('amd64'))],
      images: [write(path('images.tar'), images)],
      output: bundle,
    },
    ctx,
  )
  bytes = readFileSync(bundle)
})
afterAll(() => rmSync(dir, { recursive: true, force: true }))

/** A copy of the bundle in which one byte of a blob is another one. */
function damagedCopy(name: string, hex: string): string {
  const copy = Buffer.from(bytes)
  const header = copy.indexOf(`blobs/sha256/${hex}`)
  copy[header + 512 + 3] = (copy[header + 512 + 3] ?? 0) ^ 1
  return write(path(name), copy)
}

/** Unpacks the bundle into a directory. */
function unpack(name: string): string {
  mkdirSync(path(name))
  execFileSync('tar', ['-xf', bundle, '-C', path(name)])
  return path(name)
}

async function problemsOf(file: string): Promise<readonly BundleProblem[]> {
  const error = await verifyRootfs(file, ctx).catch((thrown: unknown) => thrown)
  expect(error).toMatchObject({ code: 'E_BUNDLE_DAMAGED', exit: 1 })
  return (error as { data: { problems: readonly BundleProblem[] } }).data.problems
}

/** The hex digest of a layer that only one image has, and of one that both have. */
async function layers(): Promise<{ own: string; shared: string }> {
  const { images } = await inspectRootfs(bundle)
  const manifests = images.map((image) => {
    const blob = execFileSync('tar', ['-xOf', bundle, `blobs/sha256/${image.digest.slice(7)}`]).toString()
    return (JSON.parse(blob) as { layers: { digest: string }[] }).layers.map((each) => each.digest.slice(7))
  })
  const [first = [], second = []] = manifests
  const shared = first.find((hex) => second.includes(hex)) ?? ''
  return { own: first.find((hex) => hex !== shared) ?? '', shared }
}

describe('openRootfs', () => {
  it('opens an unpacked bundle, and one that was packed anew, with the same digest', async () => {
    const unpacked = unpack('unpacked')
    execFileSync('tar', ['--format=pax', '--sort=name', '-cf', path('packed.tar'), '-C', unpacked, '.'])
    execFileSync('tar', ['-cf', path('bare.tar'), '-C', unpacked, 'blobs', 'index.json', 'oci-layout'])
    const wanted = { ...(await inspectRootfs(bundle)), ref: '' }
    for (const ref of [unpacked, path('packed.tar'), path('bare.tar')]) {
      expect({ ...(await inspectRootfs(ref)), ref: '' }).toEqual(wanted)
      await verifyRootfs(ref, ctx).catch((error: unknown) => {
        // A directory may be packed with what tar itself adds, but no blob is wrong.
        throw error
      })
    }
  })

  it('ignores manifests that it does not know, such as signatures', async () => {
    const copy = unpack('signed')
    const index = JSON.parse(readFileSync(join(copy, 'index.json'), 'utf8')) as { manifests: unknown[] }
    const signature = Buffer.from('{"schemaVersion":2,"layers":[]}')
    const hex = execFileSync('sha256sum', { input: signature }).toString().slice(0, 64)
    write(join(copy, 'blobs/sha256', hex), signature)
    index.manifests.push({
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      artifactType: 'application/vnd.example.signature',
      digest: `sha256:${hex}`,
      size: signature.length,
    })
    write(join(copy, 'index.json'), JSON.stringify(index))
    expect((await verifyRootfs(copy, ctx)).manifest.images).toHaveLength(2)
  })

  it('refuses a bundle that was cut anywhere, before anything else', async () => {
    for (const part of [0.99, 0.5, 0.1]) {
      const cut = write(path('cut.airlift'), bytes)
      truncateSync(cut, Math.floor(bytes.length * part))
      await expect(openRootfs(cut)).rejects.toMatchObject({
        code: 'E_BUNDLE_DAMAGED',
        message: expect.stringMatching(/cut/),
      })
    }
    truncateSync(path('cut.airlift'), bytes.length - 600)
    await expect(openRootfs(path('cut.airlift'))).rejects.toMatchObject({ code: 'E_BUNDLE_DAMAGED' })
  })

  it('names what a cut bundle lacks', async () => {
    const cut = write(path('half.airlift'), bytes)
    truncateSync(cut, bytes.length / 2)
    const error = await openRootfs(cut).catch((thrown: unknown) => thrown)
    const { data, log } = error as { data: { missing: { blob: string; hits: string[] }[] }; log: string[] }
    expect(data.missing.length).toBeGreaterThan(0)
    expect(data.missing.flatMap((item) => item.hits).length).toBeGreaterThan(0)
    expect(log[0]).toMatch(/^missing sha256:[0-9a-f]{64}: \S/)
  })

  it('refuses a damaged blob when it is read, by digest and by the images that it hits', async () => {
    const { own, shared } = await layers()
    for (const [hex, hits] of [
      [own, 1],
      [shared, 2],
    ] as const) {
      const rootfs = await openRootfs(damagedCopy('damaged.airlift', hex))
      const failures: string[] = []
      for (const file of rootfs.manifest.files.filter((each) => each.role === 'images')) {
        await rootfs
          .openBlob(file.sha256)
          .resume()
          .toArray()
          .catch((error: Error) => failures.push(error.message))
      }
      await rootfs.close()
      expect(failures).toHaveLength(hits)
      for (const message of failures) expect(message).toMatch(new RegExp(`${hex} of docker.io/rancher/`))
    }
  })

  it('describes a blob by its file and its images', async () => {
    const rootfs = await openRootfs(bundle)
    const [file] = rootfs.manifest.files.filter((each) => each.role === 'images')
    expect(rootfs.describeBlob(file?.sha256 ?? '')).toMatch(
      /^images\/coredns-1\.12\.1-[0-9a-f]{12}\.tar \(docker\.io/,
    )
    await rootfs.close()
  })

  it.each<[string, () => Buffer | string, RegExp, RegExp]>([
    ['a gzip file', () => gzipSync(bytes), /gzip/, /gunzip/],
    ['zstd', () => Buffer.from('28b52ffd00', 'hex'), /zstd/, /zstd -d/],
    ['a program', () => elf('amd64'), /program/, /--binary/],
    ['images', () => readFileSync(path('images.tar')), /image archive/, /--images/],
    ['a page', () => '<html><body>404</body></html>', /HTML page/, /download/],
    ['an empty file', () => '', /empty/, /again/],
    ['text', () => 'hello', /no tar archive/, /rootfs build/],
    ['another tar', () => tar({ readme: 'x' }), /tar with readme/, /rootfs build/],
    [
      'another OCI layout',
      () => ociArchive(['x:1'], [{ names: [] }]).bytes,
      /without a rootfs/,
      /rootfs build/,
    ],
  ])('tells what %s is', async (_what, content, message, hint) => {
    const file = write(path('other'), content())
    await expect(openRootfs(file)).rejects.toMatchObject({
      code: 'E_BUNDLE_INVALID',
      exit: 2,
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    })
  })

  it('refuses a file that is not there, and a directory that is no rootfs', async () => {
    await expect(openRootfs(path('nothing'))).rejects.toMatchObject({ code: 'E_LOCAL_FILE' })
    mkdirSync(path('empty'))
    await expect(openRootfs(path('empty'))).rejects.toMatchObject({ code: 'E_BUNDLE_INVALID' })
  })

  it('refuses a pipe at once, where opening it would wait for ever', async () => {
    execFileSync('mkfifo', [path('pipe')])
    await expect(openRootfs(path('pipe'))).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      message: expect.stringContaining('it is a pipe'),
    })
    const images = { binary: [path('k3s')], images: [path('pipe')], output: path('none.airlift') }
    await expect(
      buildBundle({ runtime: 'k3s', version: 'v1.33.1+k3s1', ...images }, ctx),
    ).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      message: expect.stringContaining('it is a pipe'),
    })
  })

  /** An unpacked rootfs whose blobs have the digests that name them, and hold what is given. */
  function forged(name: string, config: unknown, manifest: object = {}): string {
    const dir = unpack(name)
    const put = (value: unknown): { digest: string; size: number } => {
      const content = JSON.stringify(value)
      write(join(dir, 'blobs/sha256', sha256(Buffer.from(content))), content)
      return { digest: `sha256:${sha256(Buffer.from(content))}`, size: content.length }
    }
    const artifact = put({
      schemaVersion: 2,
      config: { mediaType: 'x', ...put(config) },
      layers: [],
      ...manifest,
    })
    const entry = { mediaType: 'x', artifactType: 'application/vnd.airlift.rootfs.v1+json', ...artifact }
    write(join(dir, 'index.json'), JSON.stringify({ schemaVersion: 2, manifests: [entry] }))
    return dir
  }
  const rootfsOf = (files: unknown, images: unknown = []): object => ({
    runtime: 'k3s',
    version: 'v1.33.1+k3s1',
    arch: ['amd64'],
    files,
    images,
  })

  it('refuses paths that leave the rootfs', async () => {
    const file = { path: '../../etc/passwd', sha256: 'a'.repeat(64), size: 1, mode: '0644', role: 'file' }
    await expect(openRootfs(forged('evil', rootfsOf([file])))).rejects.toMatchObject({
      code: 'E_BUNDLE_INVALID',
      message: expect.stringContaining('"../../etc/passwd"'),
    })
  })

  it.each<[string, (name: string) => string]>([
    ['a manifest without a config', (name) => forged(name, rootfsOf([]), { config: undefined })],
    ['a manifest whose layers are no list', (name) => forged(name, rootfsOf([]), { layers: {} })],
    ['a list of files that is none', (name) => forged(name, rootfsOf([null]))],
    ['an image without names', (name) => forged(name, rootfsOf([], [{ arch: 'amd64' }]))],
    ['no rootfs', (name) => forged(name, [])],
    ['an index without a list', (name) => indexed(name, { manifests: {} })],
    ['an index of nothing', (name) => indexed(name, { manifests: [null] })],
  ])('refuses %s, however right its digests are', async (what, make) => {
    const path = make(what.replaceAll(' ', '-'))
    for (const attempt of [openRootfs, inspectRootfs, (given: string) => verifyRootfs(given, ctx)])
      await expect(attempt(path)).rejects.toMatchObject({
        code: 'E_BUNDLE_INVALID',
        message: expect.stringContaining(path),
      })
  })

  function indexed(name: string, index: object): string {
    const dir = unpack(name)
    write(join(dir, 'index.json'), JSON.stringify(index))
    return dir
  }
})

describe('verifyRootfs', () => {
  it('passes a whole bundle and counts what it read', async () => {
    const result = await verifyRootfs(bundle, ctx)
    expect(result.blobs).toBeGreaterThan(8)
    expect(result.bytes).toBeGreaterThan(1000)
    expect(result.digest).toBe((await inspectRootfs(bundle)).digest)
  })

  it('names a damaged blob with every image that it hits', async () => {
    const { shared } = await layers()
    expect(await problemsOf(damagedCopy('d.airlift', shared))).toEqual([
      {
        kind: 'damaged',
        blob: `sha256:${shared}`,
        hits: ['docker.io/rancher/coredns:1.12.1 for amd64', 'docker.io/rancher/pause:3.6 for amd64'],
      },
    ])
  })

  /** A copy of the bundle in which one bit is another one. */
  const flipped = (offset: number): string => {
    const copy = Buffer.from(bytes)
    copy[offset] = (copy[offset] ?? 0) ^ 1
    return write(path('flipped.airlift'), copy)
  }

  it('finds what is damaged beside the contents: other programs would not find the blobs', async () => {
    const { own } = await layers()
    const header = bytes.indexOf(`blobs/sha256/${own}`)
    // The mode, and the byte before the next header, which is padding.
    const program = bytes.indexOf(`blobs/sha256/${sha256(elf('amd64'))}`)
    for (const [offset, hex] of [
      [header + 105, own],
      [program + 512 + elf('amd64').length + 9, sha256(elf('amd64'))],
    ] as const) {
      const [problem, ...more] = await problemsOf(flipped(offset))
      expect(more).toEqual([])
      expect(problem).toMatchObject({ kind: 'damaged', blob: `sha256:${hex}` })
      expect(problem?.hits[0]).toMatch(/^the header or padding at byte \d+$/)
    }
    expect(await problemsOf(flipped(bytes.length - 3))).toEqual([
      { kind: 'damaged', blob: 'the end mark of the file', hits: [] },
    ])
    expect(await problemsOf(flipped(512 + 100))).toEqual([
      { kind: 'damaged', blob: 'the head of the file', hits: [] },
    ])
  })

  it('finds what stands after the end, but lets a tar fill its last record with zeros', async () => {
    const long = write(
      path('long.airlift'),
      Buffer.concat([bytes, Buffer.alloc(100), Buffer.from('garbage')]),
    )
    expect(await problemsOf(long)).toEqual([
      { kind: 'extra', blob: `7 bytes after the end mark, at byte ${bytes.length + 100}`, hits: [] },
    ])
    const filled = write(path('filled.airlift'), Buffer.concat([bytes, Buffer.alloc(9000)]))
    expect((await verifyRootfs(filled, ctx)).manifest.images).toHaveLength(2)
  })

  it('names what is missing and what is too much', async () => {
    const { own } = await layers()
    const copy = unpack('changed')
    rmSync(join(copy, 'blobs/sha256', own))
    expect(await problemsOf(copy)).toEqual([
      { kind: 'missing', blob: `sha256:${own}`, hits: ['docker.io/rancher/coredns:1.12.1 for amd64'] },
    ])
    const extra = unpack('extra')
    const stray = 'f'.repeat(64)
    write(join(extra, 'blobs/sha256', stray), 'stray')
    const kinds = (await problemsOf(extra)).map(({ kind, blob }) => `${kind} ${blob}`)
    expect(kinds).toEqual([`damaged sha256:${stray}`, `extra sha256:${stray}`])
  })
})
