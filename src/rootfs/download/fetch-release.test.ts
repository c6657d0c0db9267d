import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createContext } from '../../core/context.js'
import { createEvents } from '../../core/events.js'
import { dockerArchive, elf } from '../archives.fixture.js'
import { buildBundle } from '../build-bundle.js'
import { sha256 } from '../digest.js'
import { type FaultServer, startFaultServer } from './fault-server.fixture.js'
import { fetchReleaseFiles, missingReleaseFiles } from './fetch-release.js'
import { resolveVersion } from './resolve-version.js'

const VERSION = 'v1.33.1+k3s1'
const BINARY = elf('arm', 'release')
const IMAGES = gzipSync(dockerArchive([{ names: ['rancher/pause:3.6'], arch: 'arm' }]))
const SUMS = `${sha256(BINARY)}  k3s-armhf\n${sha256(IMAGES)}  k3s-airgap-images-arm.tar.gz\n`

let dir: string
let server: FaultServer
const codes: string[] = []
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-release-'))
  server = await startFaultServer()
  server.files.set('/mirror/sha256sum-arm.txt', { content: Buffer.from(SUMS) })
  server.files.set('/mirror/k3s-armhf', { content: BINARY })
  server.files.set('/mirror/k3s-airgap-images-arm.tar.gz', { content: IMAGES })
})
afterEach(async () => {
  await server.close()
  rmSync(dir, { recursive: true, force: true })
})

const context = () =>
  createContext({
    env: { XDG_CACHE_HOME: join(dir, 'cache') },
    events: createEvents([(event) => codes.push(event.code)]),
  })
const fetchAll = (from: string) =>
  fetchReleaseFiles({ version: VERSION, arch: 'arm', binary: true, images: true, from }, context())

describe('fetchReleaseFiles', () => {
  it('brings what a mirror has, checked against its sums, and caches it', async () => {
    const files = await fetchAll(`${server.url}/mirror/`)
    expect(readFileSync(files.binary ?? '').equals(BINARY)).toBe(true)
    expect(readFileSync(files.images ?? '').equals(IMAGES)).toBe(true)
    const asked = server.requests.length
    expect(await fetchAll(`${server.url}/mirror`)).toEqual(files)
    expect(server.requests).toHaveLength(asked)
  })

  it('takes new sums where a mirror was corrected', async () => {
    const wrong = SUMS.replaceAll(/^[0-9a-f]{64}/gm, '0'.repeat(64))
    server.files.set('/mirror/sha256sum-arm.txt', { content: Buffer.from(wrong) })
    await expect(fetchAll(`${server.url}/mirror`)).rejects.toMatchObject({ code: 'E_DOWNLOAD' })
    server.files.set('/mirror/sha256sum-arm.txt', { content: Buffer.from(SUMS) })
    expect((await fetchAll(`${server.url}/mirror`)).binary).toContain('k3s-armhf')
  })

  it('refuses a mirror without sums', async () => {
    server.files.delete('/mirror/sha256sum-arm.txt')
    await expect(fetchAll(`${server.url}/mirror`)).rejects.toMatchObject({
      code: 'E_DOWNLOAD',
      message: expect.stringContaining('sha256sum-arm.txt: the server answered 404'),
    })
  })

  it('takes a directory with the names of the release, and checks what it can', async () => {
    const from = join(dir, 'release')
    mkdirSync(from)
    writeFileSync(join(from, 'k3s-armhf'), BINARY)
    writeFileSync(join(from, 'k3s-airgap-images-arm.tar.gz'), IMAGES)
    codes.length = 0
    expect(await fetchAll(from)).toMatchObject({ binary: join(from, 'k3s-armhf') })
    expect(await fetchAll(pathToFileURL(from).href)).toMatchObject({ binary: join(from, 'k3s-armhf') })
    expect(codes).toContain('rootfs.unchecked')
    writeFileSync(join(from, 'sha256sum-arm.txt'), SUMS)
    await fetchAll(from)
    writeFileSync(join(from, 'k3s-armhf'), 'rotten')
    await expect(fetchAll(from)).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      message: expect.stringContaining(`was published as ${sha256(BINARY)}`),
    })
    rmSync(join(from, 'k3s-armhf'))
    await expect(fetchAll(from)).rejects.toMatchObject({ message: `${from} has no k3s-armhf` })
  })

  it('shows and keeps nowhere the password of a mirror', async () => {
    const told: unknown[] = []
    const env = { XDG_CACHE_HOME: join(dir, 'cache') }
    const events = createEvents([(event) => told.push(event)])
    const clock = { now: () => Date.now(), sleep: async () => {} }
    const ctx = createContext({ env, events, clock })
    const from = `${server.url.replace('//', '//bob:s3cr3t@')}/mirror`
    const request = { version: VERSION, arch: 'arm' as const, binary: true, images: true, from }
    const failure = async (attempt: Promise<unknown>): Promise<unknown> =>
      attempt.then(
        () => expect.fail('it succeeded'),
        (error: { code: string; message: string; hint: string; data: unknown }) => [
          [error.code, error.message, error.hint, error.data],
        ],
      )
    Object.assign(server.files.get('/mirror/k3s-armhf') ?? {}, {
      etag: '"1"',
      noRange: true,
      cutAfter: 10,
      cuts: 99,
    })
    told.push(await missingReleaseFiles(request, ctx))
    told.push(await failure(fetchReleaseFiles(request, ctx)))
    const kept = readdirSync(join(dir, 'cache'), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => [entry.name, readFileSync(join(entry.parentPath, entry.name), 'utf8')])
    expect(kept.map(([name]) => name)).toContain('k3s-armhf.part.json')
    told.push(kept)
    Object.assign(server.files.get('/mirror/k3s-armhf') ?? {}, { content: elf('arm', 'wrong'), cuts: 0 })
    told.push(await failure(fetchReleaseFiles(request, ctx)))
    server.files.set('/mirror/sha256sum-arm.txt', { content: Buffer.from('') })
    rmSync(join(dir, 'cache'), { recursive: true })
    told.push(await failure(fetchReleaseFiles(request, ctx)))
    told.push(await failure(resolveVersion('stable', { from }, ctx)))
    const text = JSON.stringify(told)
    for (const part of ['download.retry', 'download.mismatch', 'has no sum of', 'cannot ask', '.part.json'])
      expect(text).toContain(part)
    expect(text).not.toMatch(/s3cr3t|bob/)
  })

  it('completes what a build was not given', async () => {
    const given = join(dir, 'k3s')
    writeFileSync(given, elf('arm', 'given'))
    const output = join(dir, 'k3s.airlift')
    const from = `${server.url}/mirror`
    const { manifest } = await buildBundle(
      { runtime: 'k3s', version: VERSION, binary: [given], from, output },
      context(),
    )
    expect(manifest.arch).toEqual(['arm'])
    expect(manifest.images.map((image) => image.names)).toEqual([['docker.io/rancher/pause:3.6']])
    expect(manifest.files.find((file) => file.role === 'binary')?.sha256).toBe(sha256(elf('arm', 'given')))
    expect(server.requests.some((line) => line.includes('k3s-armhf'))).toBe(false)
  })
})
