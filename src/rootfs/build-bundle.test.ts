import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { dockerArchive, elf, layer, ociArchive, tar, write } from './archives.fixture.js'
import { type BuildRequest, type BuildResult, buildBundle } from './build-bundle.js'
import { sha256 } from './digest.js'
import type { Rootfs } from './manifest.js'
import { openRootfs } from './open-rootfs.js'
import { verifyRootfs } from './verify-rootfs.js'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-bundle-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const ctx = createContext({ env: {} })
const VERSION = 'v1.33.1+k3s1'
const PAUSE = {
  names: ['rancher/mirrored-pause:3.6', 'docker.io/rancher/pause:3.6'],
  layers: [layer('pause')],
}
const COREDNS = { names: ['rancher/coredns:1.12.1'] }
const path = (name: string): string => join(dir, name)

function build(extra: Partial<BuildRequest> = {}): Promise<BuildResult> {
  return buildBundle({ runtime: 'k3s', version: VERSION, output: path('k3s.airlift'), ...extra }, ctx)
}

/** The usual inputs: one program, two images, of which one has two names. */
function inputs(): { binary: string[]; images: string[] } {
  return {
    binary: [write(path('k3s'), elf('amd64'))],
    images: [write(path('images.tar'), dockerArchive([PAUSE, COREDNS]))],
  }
}

async function read(rootfs: Rootfs, file: string): Promise<Buffer> {
  const found = rootfs.manifest.files.find((candidate) => candidate.path === file)
  const chunks: Buffer[] = []
  for await (const chunk of rootfs.openBlob(found?.sha256 ?? '')) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

const members = (archive: Buffer): string[] =>
  execFileSync('tar', ['-tf', '-'], { input: archive }).toString().trim().split('\n')
const member = (archive: Buffer, name: string): string =>
  execFileSync('tar', ['-xOf', '-', name], { input: archive }).toString()

describe('buildBundle', () => {
  it('holds the files that were named, the templates and every image with every name', async () => {
    const { manifest, digest } = await build(inputs())
    await using closing = await opened()
    const { rootfs } = closing
    expect(rootfs.digest).toBe(digest)
    expect(rootfs.manifest).toEqual(manifest)
    expect(manifest).toMatchObject({ runtime: 'k3s', version: VERSION, arch: ['amd64'] })
    expect(await read(rootfs, 'bin/k3s')).toEqual(elf('amd64'))
    expect(Object.keys(rootfs.templates)).toContain('templates/k3s.service')
    expect(rootfs.templates['templates/k3s.service']).toBe(
      readFileSync(new URL('../../rootfs/k3s/templates/k3s.service', import.meta.url), 'utf8'),
    )
    expect(manifest.images.map((image) => image.names)).toEqual([
      ['docker.io/rancher/coredns:1.12.1'],
      ['docker.io/rancher/mirrored-pause:3.6', 'docker.io/rancher/pause:3.6'],
    ])
  })

  it('gives each image an archive that containerd and docker read, with all names', async () => {
    await build(inputs())
    await using closing = await opened()
    const { rootfs } = closing
    for (const image of rootfs.manifest.images) {
      const file = rootfs.manifest.files.find((candidate) => candidate.path === image.file)
      const archive = await read(rootfs, image.file)
      expect(sha256(archive)).toBe(file?.sha256)
      expect(archive.length).toBe(file?.size)
      const index = JSON.parse(member(archive, 'index.json')) as {
        manifests: { digest: string; annotations: Record<string, string> }[]
      }
      expect(index.manifests.map((entry) => entry.annotations['io.containerd.image.name'])).toEqual(
        image.names,
      )
      expect(new Set(index.manifests.map((entry) => entry.digest))).toEqual(new Set([image.digest]))
      const [docker] = JSON.parse(member(archive, 'manifest.json')) as {
        RepoTags: string[]
        Layers: string[]
        Config: string
      }[]
      expect(docker?.RepoTags).toEqual(image.names)
      expect(members(archive)).toEqual(expect.arrayContaining([docker?.Config, ...(docker?.Layers ?? [])]))
      for (const name of members(archive).filter((each) => each.startsWith('blobs/'))) {
        expect(sha256(execFileSync('tar', ['-xOf', '-', name], { input: archive }))).toBe(name.slice(-64))
      }
    }
  })

  it('is equal byte for byte in another directory, time zone, locale, umask and year', async () => {
    const given = inputs()
    await build(given)
    const script = `
      process.umask(0o077)
      Date.now = () => 1e12; const RealDate = Date
      globalThis.Date = class extends RealDate { constructor(...a) { super(...(a.length ? a : [1e12])) } }
      const { buildBundle } = await import(${JSON.stringify(new URL('./build-bundle.ts', import.meta.url).href)})
      const { createContext } = await import(${JSON.stringify(new URL('../core/context.ts', import.meta.url).href)})
      await buildBundle(JSON.parse(process.argv[2]), createContext({ env: {} }))`
    mkdirSync(path('elsewhere'))
    const file = write(path('elsewhere/build.mts'), script)
    // The same images, written in another order and compressed, from files with other names.
    const again = {
      runtime: 'k3s',
      version: VERSION,
      binary: [write(path('elsewhere/program'), elf('amd64'))],
      images: [
        write(path('elsewhere/b.tgz'), gzipSync(dockerArchive([COREDNS]))),
        write(path('elsewhere/a.tar'), dockerArchive([{ ...PAUSE, names: PAUSE.names.toReversed() }])),
      ],
      output: path('elsewhere/other.airlift'),
    }
    const tsx = new URL('../../node_modules/tsx/dist/loader.mjs', import.meta.url).href
    const result = spawnSync(process.execPath, ['--import', tsx, file, JSON.stringify(again)], {
      cwd: path('elsewhere'),
      env: {
        PATH: process.env.PATH,
        TZ: 'Pacific/Kiritimati',
        LC_ALL: 'tr_TR.UTF-8',
        HOME: path('elsewhere'),
      },
      encoding: 'utf8',
    })
    expect(result.stderr).toBe('')
    expect(readFileSync(path('elsewhere/other.airlift')).equals(readFileSync(path('k3s.airlift')))).toBe(true)
  })

  it('keeps every blob once, sorted, with no clock and no owner in it', async () => {
    const shared = layer('shared')
    const images = [
      write(path('a.tar'), dockerArchive([{ names: ['a:1'], layers: [shared, layer('a')] }])),
      write(path('b.tar'), dockerArchive([{ names: ['b:1'], layers: [shared, layer('b')] }])),
    ]
    await build({ ...inputs(), images })
    const listing = execFileSync('tar', ['--utc', '-tvf', path('k3s.airlift')])
      .toString()
      .trim()
      .split('\n')
    const names = members(readFileSync(path('k3s.airlift')))
    expect(names.slice(0, 3)).toEqual(['oci-layout', 'index.json', 'airlift/offsets'])
    const blobs = names.slice(3)
    // Manifests first, so that a bundle that was cut can still tell what it lacks.
    const archive = readFileSync(path('k3s.airlift'))
    const describes = blobs.filter((name) => /^\{.*("schemaVersion"|"runtime")/.test(member(archive, name)))
    expect(describes).toHaveLength(4)
    const others = blobs.filter((name) => !describes.includes(name))
    expect(blobs).toEqual([...new Set(describes.toSorted()), ...new Set(others.toSorted())])
    expect(blobs.filter((name) => name.endsWith(sha256(shared)))).toHaveLength(1)
    for (const line of listing) expect(line).toMatch(/^-rw-r--r-- 0\/0 +\d+ 1970-01-01 00:00 /)
  })

  it('takes several architectures, an index as it is, and makes one where archives hold one platform each', async () => {
    const multi = ociArchive(
      ['docker.io/x/multi:1'],
      [
        { names: [], arch: 'amd64' },
        { names: [], arch: 'arm64' },
      ],
      {
        absent: true,
      },
    )
    await build({
      binary: [write(path('k3s'), elf('amd64', 'x')), write(path('k3s-arm64'), elf('arm64'))],
      images: [
        write(path('multi.tar'), multi.bytes),
        write(path('amd64.tar'), dockerArchive([{ names: ['split:1'], layers: [layer('1')] }])),
        write(
          path('arm64.tar'),
          dockerArchive([{ names: ['split:1'], arch: 'arm64', layers: [layer('2')] }]),
        ),
      ],
    })
    await using closing = await opened()
    const { manifest } = closing.rootfs
    expect(manifest.arch).toEqual(['amd64', 'arm64'])
    expect(
      manifest.files.filter((file) => file.role === 'binary').map((file) => [file.path, file.arch]),
    ).toEqual([
      ['bin/amd64/k3s', 'amd64'],
      ['bin/arm64/k3s', 'arm64'],
    ])
    expect(manifest.images).toHaveLength(4)
    const index = JSON.parse(member(readFileSync(path('k3s.airlift')), 'index.json')) as {
      manifests: { digest: string; mediaType: string; annotations?: Record<string, string> }[]
    }
    const entry = (name: string) =>
      index.manifests.find((each) => each.annotations?.['io.containerd.image.name'] === name)
    expect(entry('docker.io/x/multi:1')?.digest).toBe(multi.indexDigest)
    expect(entry('docker.io/library/split:1')?.mediaType).toContain('index')
    expect(await verifyRootfs(path('k3s.airlift'), ctx)).toMatchObject({ manifest: { version: VERSION } })
  })

  it('takes a script as a program, and templates of the user over the packaged ones', async () => {
    mkdirSync(path('templates'))
    write(path('templates/k3s.service'), 'mine')
    write(path('templates/.DS_Store'), 'of a file manager')
    await build({
      binary: [write(path('k3s'), '#!/bin/sh\n')],
      images: inputs().images,
      template: path('templates'),
    })
    await using closing = await opened()
    expect(closing.rootfs.templates['templates/k3s.service']).toBe('mine')
    expect(closing.rootfs.templates['templates/k3s.openrc']).toContain('supervise')
    expect(closing.rootfs.manifest.arch).toEqual(['amd64'])
  })

  const image = (): string => write(path('i.tar'), dockerArchive([PAUSE]))
  const program = (): string => write(path('p'), elf('amd64'))
  it.each<[string, () => Partial<BuildRequest>, string, RegExp]>([
    ['no version', () => ({ version: 'newest' }), 'E_USAGE', /"newest" is not the version/],
    [
      'an unknown minor',
      () => ({ version: 'v1.29.1+k3s1' }),
      'E_UNSUPPORTED',
      /v1\.29\.1\+k3s1 is not supported/,
    ],
    ['another runtime', () => ({ runtime: 'k0s' }), 'E_UNSUPPORTED', /"k0s"/],
    ['a program that is missing', () => ({ binary: [path('none')] }), 'E_LOCAL_FILE', /none: no such file/],
    ['no program', () => ({ binary: [image()] }), 'E_LOCAL_FILE', /i\.tar is not a Linux program/],
    ['32-bit x86', () => ({ binary: [write(path('x'), elf('i386'))] }), 'E_LOCAL_FILE', /program for i386/],
    [
      'two programs for one',
      () => ({ binary: [program(), write(path('q'), elf('amd64'))] }),
      'E_LOCAL_FILE',
      /both for amd64/,
    ],
    [
      'the wrong architecture',
      () => ({ arch: ['arm64'], binary: [program()] }),
      'E_LOCAL_FILE',
      /for amd64, and the bundle is for arm64/,
    ],
    ['images that are missing', () => ({ images: [path('none.tar')] }), 'E_LOCAL_FILE', /none\.tar/],
    [
      'images that were cut',
      () => ({ images: [write(path('c.tar'), readFileSync(image()).subarray(0, 1000))] }),
      'E_LOCAL_FILE',
      /c\.tar was cut/,
    ],
    [
      'a page as images',
      () => ({ images: [write(path('h.tar'), '<!DOCTYPE html>')] }),
      'E_LOCAL_FILE',
      /HTML page/,
    ],
    ['bzip2', () => ({ images: [write(path('i.tbz'), Buffer.from('BZh91AY&SY'))] }), 'E_LOCAL_FILE', /bzip2/],
    [
      'a tar of something else',
      () => ({ images: [write(path('o.tar'), tar({ x: '1' }))] }),
      'E_LOCAL_FILE',
      /begins with x/,
    ],
    [
      'an archive whose list is none',
      () => ({ images: [write(path('d.tar'), tar({ 'manifest.json': '[' }))] }),
      'E_LOCAL_FILE',
      /d\.tar is damaged: manifest\.json cannot be read/,
    ],
    [
      'an archive whose list is of another shape',
      () => ({ images: [write(path('e.tar'), tar({ 'manifest.json': '{}' }))] }),
      'E_LOCAL_FILE',
      /e\.tar is damaged: manifest\.json cannot be read/,
    ],
    [
      'an image without a name',
      () => ({ images: [write(path('n.tar'), dockerArchive([{ names: [] }]))] }),
      'E_LOCAL_FILE',
      /n\.tar holds an image without a name/,
    ],
    [
      'an image with only a tag',
      () => ({
        images: [write(path('t.tar'), ociArchive(['x/y:1'], [{ names: [] }], { refOnly: true }).bytes)],
      }),
      'E_LOCAL_FILE',
      /only called "1"/,
    ],
    [
      'one name for two images',
      () => ({
        images: [image(), write(path('j.tar'), dockerArchive([{ ...PAUSE, layers: [layer('other')] }]))],
      }),
      'E_LOCAL_FILE',
      /pause:3\.6 is two different images \(amd64\) in .*i\.tar and .*j\.tar/,
    ],
    [
      'a program of another release',
      () => ({ binary: [write(path('s'), '#!/bin/sh\necho k3s version v1.32.5+k3s1\n')] }),
      'E_USAGE',
      /s is k3s v1\.32\.5\+k3s1, and --version is v1\.33\.1\+k3s1/,
    ],
    [
      'a directory that is missing',
      () => ({ ...inputs(), output: path('none/k3s.airlift') }),
      'E_LOCAL_FILE',
      /no such file or directory/,
    ],
  ])('refuses %s', async (_what, request, code, message) => {
    const given = { binary: [program()], images: [image()], ...request() }
    await expect(build(given)).rejects.toMatchObject({ code, message: expect.stringMatching(message) })
    expect(readdirSync(dir).filter((name) => name.includes('airlift'))).toEqual([])
  })

  it('replaces a bundle at once and leaves nothing else behind', async () => {
    write(path('k3s.airlift'), 'old')
    await build(inputs())
    expect(readdirSync(dir).sort()).toEqual(['images.tar', 'k3s', 'k3s.airlift'])
  })

  it('stops when it is interrupted, and leaves the old bundle', async () => {
    write(path('k3s.airlift'), 'old')
    const signal = AbortSignal.abort(new Error('interrupted'))
    const request = { runtime: 'k3s' as const, version: VERSION, output: path('k3s.airlift'), ...inputs() }
    await expect(buildBundle(request, createContext({ env: {}, signal }))).rejects.toThrow('interrupted')
    expect(readFileSync(path('k3s.airlift'), 'utf8')).toBe('old')
  })
})

async function opened(): Promise<{ rootfs: Rootfs; [Symbol.asyncDispose](): Promise<void> }> {
  const rootfs = await openRootfs(path('k3s.airlift'))
  return { rootfs, [Symbol.asyncDispose]: () => rootfs.close() }
}
