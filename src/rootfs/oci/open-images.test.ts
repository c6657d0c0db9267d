import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { dockerArchive, layer, ociArchive, tar, write } from '../archives.fixture.js'
import { sha256 } from '../digest.js'
import { openImages } from './open-images.js'
import type { OpenOptions } from './read-archive.js'
import type { ImageArchive } from './source-image.js'

let dir: string
const opened: ImageArchive[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-images-'))
})
afterEach(async () => {
  for (const archive of opened.splice(0)) await archive.close()
  rmSync(dir, { recursive: true, force: true })
})

const { signal } = new AbortController()
const open = async (path: string, label?: string, options: OpenOptions = {}): Promise<ImageArchive> => {
  const archive = await openImages(path, dir, signal, label, options)
  opened.push(archive)
  return archive
}
const file = (content: Buffer | string, name = 'x.tar'): string => write(join(dir, name), content)
const entry = {
  'manifest.json': JSON.stringify([{ Config: 'c.json', RepoTags: ['a:1'], Layers: [] }]),
}
const docker = dockerArchive([{ names: ['app:1'] }])
const oci = ociArchive(['docker.io/team/app:2'], [{ names: [] }, { names: [], arch: 'arm64' }]).bytes

describe('openImages', () => {
  it.each([
    ['docker save', docker, ['docker.io/library/app:1'], ['amd64']],
    ['docker save, gzip', gzipSync(docker), ['docker.io/library/app:1'], ['amd64']],
    ['an OCI archive', oci, ['docker.io/team/app:2'], ['amd64', 'arm64']],
  ])('reads %s', async (_what, content, names, archs) => {
    const { images } = await open(file(content))
    expect(images.map((image) => image.arch).sort()).toEqual(archs)
    expect([...new Set(images.flatMap((image) => image.names))]).toEqual(names)
  })

  it('reads the directory of an OCI layout, and its blobs as often as asked', async () => {
    mkdirSync(join(dir, 'layout'))
    execFileSync('tar', ['-xf', file(oci), '-C', join(dir, 'layout')])
    const { images } = await open(join(dir, 'layout'))
    expect(images.map((image) => image.arch).sort()).toEqual(['amd64', 'arm64'])
    for (const blob of images[0]?.blobs.values() ?? []) {
      for (const _time of [1, 2]) {
        let size = 0
        for await (const chunk of blob.chunks()) size += chunk.length
        expect(size).toBe(blob.size)
      }
    }
  })

  it('names platforms that no node can have', async () => {
    const archive = dockerArchive([{ names: ['big:1'], arch: 's390x' }])
    expect(await open(file(archive))).toMatchObject({ images: [], skipped: ['linux/s390x'] })
  })

  it.each([
    ['nothing', '', /x\.tar is no archive of images: it is empty/],
    ['a text', 'hello\n', /x\.tar is no archive of images: it is no tar archive/],
    ['a page', '<!doctype html><p>404', /x\.tar is an HTML page, not an archive of images/],
    ['a program', Buffer.from('7f454c4602', 'hex'), /x\.tar is a program \(ELF\)/],
    ['another tar', tar({ 'etc/passwd': 'root' }), /no archive of images: it begins with etc\/passwd/],
    ['half of an archive', docker.subarray(0, docker.length / 2), /x\.tar was cut/],
    ['half of a gzip', gzipSync(docker).subarray(0, 200), /x\.tar cannot be unpacked/],
    [
      'an index that is no JSON',
      tar({ 'manifest.json': 'oops' }),
      /x\.tar is damaged: manifest\.json cannot/,
    ],
    ['an index of another shape', tar({ 'manifest.json': '{"a":1}' }), /x\.tar is damaged: manifest\.json/],
    ['an entry of another shape', tar({ 'manifest.json': '[null]' }), /x\.tar is damaged: manifest\.json/],
    [
      'a configuration that is none',
      tar({ ...entry, 'c.json': 'null' }),
      /is damaged: c\.json cannot be read/,
    ],
    [
      'a layout without a list',
      tar({ 'oci-layout': '{}', 'index.json': '{"manifests":{}}' }),
      /x\.tar is damaged: index\.json cannot be read/,
    ],
    ['an image without a name', dockerArchive([{ names: [] }]), /holds an image without a name/],
    ['a tag alone', ociArchive(['app:2'], [{ names: [] }], { refOnly: true }).bytes, /only called "2"/],
    [
      'a layer that is missing',
      tar({
        'manifest.json': JSON.stringify([
          { Config: 'c.json', RepoTags: ['a:1'], Layers: ['gone/layer.tar'] },
        ]),
        'c.json': '{"architecture":"amd64","os":"linux"}',
      }),
      /its layer gone\/layer\.tar is not in the archive/,
    ],
  ])('refuses %s, and says what it is', async (_what, content, message) => {
    const failure = await open(file(content)).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'E_IMAGE_INVALID', message: expect.stringMatching(message) })
    expect((failure as { hint: string }).hint).not.toMatch(/bundle|rootfs/)
  })

  it('refuses a directory that is no layout, and a file that is not there', async () => {
    await expect(open(dir)).rejects.toMatchObject({
      code: 'E_IMAGE_INVALID',
      message: expect.stringContaining('has no oci-layout and index.json'),
    })
    await expect(open(join(dir, 'gone.tar'))).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      message: `cannot read ${join(dir, 'gone.tar')}: no such file or directory`,
    })
  })

  it('calls a temporary file by what it came from', async () => {
    await expect(open(file('hello'), 'standard input')).rejects.toThrow(
      'standard input is no archive of images: it is no tar archive',
    )
  })

  it('reads every layer of an archive to see that it is whole, but not what its writer has compared', async () => {
    const content = layer('the one')
    const bytes = Buffer.from(dockerArchive([{ names: ['a:1'], layers: [content] }]))
    bytes.write('THE', bytes.indexOf('the one'))
    const path = file(bytes)
    await expect(open(path)).rejects.toThrow(/is damaged: docker.io\/library\/a:1: its layer/)
    const [image] = (await open(path, path, { trusted: true })).images
    expect(image?.blobs.get(sha256(content))?.size).toBe(content.length)
  })

  it('finds out what a compressed layer is, whoever wrote it', async () => {
    const plain = layer('the one')
    const packed = gzipSync(plain)
    const archive = dockerArchive([{ names: ['a:1'], layers: [plain] }])
    // The configuration tells of the layer as it is unpacked.
    const [, config = ''] = /([0-9a-f]{64}\.json)/.exec(archive.toString('latin1')) ?? []
    const start = archive.indexOf('{"architecture')
    const path = file(
      tar({
        [config]: archive.subarray(start, archive.indexOf('\0', start)),
        'l.tar': packed,
        'manifest.json': JSON.stringify([{ Config: config, RepoTags: ['a:1'], Layers: ['l.tar'] }]),
      }),
    )
    const [image] = (await open(path, path, { trusted: true })).images
    expect(image?.blobs.get(sha256(packed))?.size).toBe(packed.length)
    expect(image?.manifest.toString()).toContain('tar+gzip')
    // What its configuration tells of is seen only where it is unpacked.
    expect(image?.plain).toBeUndefined()
  })

  it('tells where a layer is what the configuration tells of', async () => {
    for (const [content, plain] of [
      [docker, true],
      [gzipSync(docker), true],
      [dockerArchive([{ names: ['app:1'], layers: [layer('base'), gzipSync(layer('app'))] }]), undefined],
      [oci, undefined],
    ] as const) {
      const { images } = await open(file(content))
      expect(images.map((image) => image.plain)).toEqual(images.map(() => plain))
    }
  })

  it('finds a layer of a layout that is damaged when it is read', async () => {
    const content = layer('the one')
    const bytes = Buffer.from(ociArchive(['a:1'], [{ names: [], layers: [content] }]).bytes)
    bytes.write('THE', bytes.indexOf('the one'))
    const [image] = (await open(file(bytes))).images
    const read = async (): Promise<void> => {
      for (const blob of image?.blobs.values() ?? []) for await (const _chunk of blob.chunks());
    }
    await expect(read()).rejects.toThrow(/is damaged/)
  })
})

it('stops when it is told to', async () => {
  const controller = new AbortController()
  controller.abort(new Error('stop'))
  writeFileSync(join(dir, 'x.tar'), gzipSync(docker))
  await expect(openImages(join(dir, 'x.tar'), dir, controller.signal)).rejects.toThrow('stop')
})
