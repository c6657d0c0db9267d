import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src/core/context.js'
import { dockerArchive, elf, layer, ociArchive, write } from '../../src/rootfs/archives.fixture.js'
import { assembleBundle } from '../../src/rootfs/assemble.js'
import { buildBundle } from '../../src/rootfs/build-bundle.js'
import { sha256 } from '../../src/rootfs/digest.js'
import { inspectRootfs } from '../../src/rootfs/inspect-rootfs.js'
import { blobHeader, layoutBundle, OFFSETS } from '../../src/rootfs/layout.js'
import type { Rootfs } from '../../src/rootfs/manifest.js'
import { openRootfs } from '../../src/rootfs/open-rootfs.js'
import { createShellMachine } from '../../src/rootfs/shell-machine.fixture.js'
import { stageBlobs } from '../../src/rootfs/stage.js'
import { parseHeader, tarHeader } from '../../src/rootfs/tar/header.js'

const PAUSE = ['docker.io/rancher/mirrored-pause:3.6', 'docker.io/rancher/pause:3.6']
const ctx = createContext({ env: {} })

let dir: string
let rootfs: Rootfs
const path = (name: string): string => join(dir, name)

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-rootfs-'))
  const multi = ociArchive(
    ['ghcr.io/x/multi:1'],
    [
      { names: [], arch: 'amd64' },
      { names: [], arch: 'arm64' },
    ],
    { absent: true },
  )
  await buildBundle(
    {
      runtime: 'k3s',
      version: 'v1.33.1+k3s1',
      binary: [write(path('k3s'), elf('amd64')), write(path('k3s-arm64'), elf('arm64', 'x'))],
      images: [
        write(path('pause.tar'), dockerArchive([{ names: PAUSE, layers: [layer('pause')] }])),
        write(path('multi.tar'), multi.bytes),
      ],
      output: path('k3s.airlift'),
    },
    ctx,
  )
  rootfs = await openRootfs(path('k3s.airlift'))
})
afterAll(async () => {
  await rootfs?.close()
  rmSync(dir, { recursive: true, force: true })
})

/** Whether a program is there; says so loudly when it is not. */
function has(program: string): boolean {
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
  if (!found) process.stderr.write(`\nSKIPPED: there is no ${program}\n`)
  return found
}

/** Runs a program that must succeed. */
function run(program: string, ...args: string[]): string {
  const result = spawnSync(program, args, { encoding: 'utf8' })
  expect(`${result.stderr}${result.status === 0 ? '' : `exit ${result.status}`}`).not.toMatch(/exit|fatal/)
  return result.stdout
}

/** The archive of an image, written to a file. */
async function imageFile(name: string): Promise<string> {
  const image = rootfs.manifest.images.find((each) => each.names.includes(name) && each.arch === 'amd64')
  const file = rootfs.manifest.files.find((each) => each.path === image?.file)
  const bytes = Buffer.concat(await rootfs.openBlob(file?.sha256 ?? '').toArray())
  return write(path(`${name.replaceAll(/[/:]/g, '-')}.tar`), bytes)
}

describe.skipIf(!has('skopeo'))('skopeo', () => {
  it.each([...PAUSE, 'ghcr.io/x/multi:1'])('inspects %s in a bundle, by its digest', (name) => {
    const found = JSON.parse(run('skopeo', 'inspect', `oci-archive:${path('k3s.airlift')}:${name}`)) as {
      Architecture: string
      Layers: string[]
    }
    expect(['amd64', 'arm64']).toContain(found.Architecture)
    expect(found.Layers).toHaveLength(1)
    const raw = run('skopeo', 'inspect', '--raw', `oci-archive:${path('k3s.airlift')}:${name}`)
    const index = JSON.parse(run('tar', '-xOf', path('k3s.airlift'), 'index.json')) as {
      manifests: { digest: string; annotations?: Record<string, string> }[]
    }
    const entry = index.manifests.find((each) => each.annotations?.['io.containerd.image.name'] === name)
    expect(`sha256:${sha256(raw)}`).toBe(entry?.digest)
  })

  it('copies an image out of a bundle, and out of what a machine gets', async () => {
    const [name = ''] = PAUSE
    for (const [i, source] of [
      `${path('k3s.airlift')}:${name}`,
      `${await imageFile(name)}:${name}`,
    ].entries()) {
      const target = path(`copy-${i}.tar`)
      run('skopeo', 'copy', '-q', `oci-archive:${source}`, `docker-archive:${target}:${name}`)
      const [entry] = JSON.parse(run('tar', '-xOf', target, 'manifest.json')) as { RepoTags: string[] }[]
      expect(entry?.RepoTags).toEqual([name])
    }
  })

  it('reads what a machine gets as a docker-archive too, under every name', async () => {
    const file = await imageFile(PAUSE[0] ?? '')
    for (const name of PAUSE) {
      const found = JSON.parse(run('skopeo', 'inspect', `docker-archive:${file}:${name}`)) as {
        Layers: string[]
      }
      expect(found.Layers).toEqual([`sha256:${sha256(layer('pause'))}`])
    }
  })
})

describe.skipIf(!has('containerd') || !has('ctr') || process.getuid?.() !== 0)('containerd', () => {
  it('imports what a machine gets with every name of the image', async () => {
    const file = await imageFile(PAUSE[0] ?? '')
    const socket = path('c.sock')
    const config = `version = 2\nroot = "${path('root')}"\nstate = "${path('state')}"\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\n  address = "${socket}"\n`
    const daemon = spawn('containerd', ['-c', write(path('config.toml'), config)], { stdio: 'ignore' })
    try {
      for (let i = 0; i < 100 && spawnSync('ctr', ['-a', socket, 'version']).status !== 0; i++)
        await sleep(100)
      run('ctr', '-a', socket, '-n', 'k8s.io', 'images', 'import', '--no-unpack', file)
      const rows = run('ctr', '-a', socket, '-n', 'k8s.io', 'images', 'ls', '-q').trim().split('\n')
      expect(rows).toEqual(PAUSE)
    } finally {
      daemon.kill()
      await new Promise((resolve) => daemon.on('close', resolve))
    }
  })
})

describe('a bundle of 6 GB', () => {
  it.each(['with its offsets', 'by its headers'])('is inspected within a second, %s', async (how) => {
    const files = ['0', '1', '2'].map((digit) => ({
      file: {
        path: `file/${digit}`,
        sha256: digit.repeat(64),
        size: 2e9,
        mode: '0644',
        role: 'file' as const,
      },
      blob: { size: 2e9, async *chunks() {} },
    }))
    const bundle = await assembleBundle({
      runtime: 'k3s',
      version: 'v1.33.1+k3s1',
      arch: ['amd64'],
      files,
      images: [],
    })
    const sizes = new Map([...bundle.blobs].map(([hex, blob]) => [hex, blob.size]))
    const layout = layoutBundle(bundle.index, sizes, bundle.manifests)
    // Sparse: the contents of the files are holes, and nobody may read them.
    const file = await open(path('big.airlift'), 'w')
    const head = Buffer.from(layout.head)
    // Under another name the offsets are a member like any other, and every header has to be read.
    const at = head.indexOf(OFFSETS)
    const member = parseHeader(head.subarray(at, at + 512))
    if (member === undefined || member === 'end') throw new TypeError('there is no header')
    if (how === 'by its headers') tarHeader('airlift/other', member.size).copy(head, at)
    await file.write(head, 0, head.length, 0)
    for (const place of layout.places) {
      const header = blobHeader(place)
      await file.write(header, 0, header.length, place.offset - header.length)
      for await (const chunk of bundle.blobs.get(place.hex)?.chunks() ?? [])
        await file.write(chunk, 0, chunk.length, place.offset)
    }
    await file.truncate(layout.size)
    await file.close()
    const begin = performance.now()
    expect(await inspectRootfs(path('big.airlift'))).toMatchObject({ version: 'v1.33.1+k3s1' })
    expect(performance.now() - begin).toBeLessThan(5000)
    rmSync(path('big.airlift'))
  })
})

const canMount = spawnSync('unshare', ['-m', 'true']).status === 0
if (!canMount) process.stderr.write('\nSKIPPED: full and read-only file systems, which need root\n')

describe.skipIf(!canMount)('staging to a real file system', () => {
  const options = { signal: ctx.signal, onProgress: () => {} }
  const blobs = () =>
    rootfs.manifest.files
      .filter((file) => file.arch !== 'arm64')
      .map((file) => ({ sha256: file.sha256, sizeBytes: file.size, name: file.path }))
  /** A shell in which `dir` is another file system. */
  const onMount = (mount: string, store: string): string[] => [
    'unshare',
    '-m',
    'sh',
    '-c',
    `mount -t tmpfs -o ${mount} tmpfs "$0" && exec sh "$@"`,
    store,
  ]
  const store = (): string => mkdtempSync(path('store-'))

  it('refuses a disk that is too small, before it writes', async () => {
    const at = store()
    const machine = createShellMachine({ dir: at, shell: onMount('size=20k', at) })
    await expect(stageBlobs(machine, blobs(), rootfs, options)).rejects.toMatchObject({
      code: 'E_DISK_FULL',
      data: { neededBytes: expect.any(Number), freeBytes: expect.any(Number) },
    })
  })

  it('tells of a disk that fills up while it writes', async () => {
    const at = store()
    const bin = mkdtempSync(path('bin-'))
    writeFileSync(join(bin, 'df'), '#!/bin/sh\necho; echo "x 1 1 99999999 1% /"\n', { mode: 0o755 })
    const machine = createShellMachine({ dir: at, path: bin, shell: onMount('size=20k', at) })
    await expect(stageBlobs(machine, blobs(), rootfs, options)).rejects.toMatchObject({ code: 'E_DISK_FULL' })
  })

  it('tells of a file system that is read-only', async () => {
    const at = store()
    const machine = createShellMachine({ dir: at, shell: onMount('ro', at) })
    await expect(stageBlobs(machine, blobs(), rootfs, options)).rejects.toMatchObject({ code: 'E_READ_ONLY' })
  })

  it('puts the very bytes of a bundle in place', async () => {
    const at = store()
    await stageBlobs(createShellMachine({ dir: at }), blobs(), rootfs, options)
    for (const blob of blobs()) {
      expect(existsSync(join(at, 'blobs/sha256', blob.sha256))).toBe(true)
      expect(sha256(readFileSync(join(at, 'blobs/sha256', blob.sha256)))).toBe(blob.sha256)
    }
  })
})
