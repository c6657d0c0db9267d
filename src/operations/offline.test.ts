import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import { createContext } from '../core/context.js'
import type { AirliftError } from '../core/errors.js'
import { createEvents } from '../core/events.js'
import { Secret } from '../core/secret.js'
import { dockerArchive, elf } from '../rootfs/archives.fixture.js'
import { type BuildResult, buildBundle } from '../rootfs/build-bundle.js'
import { sha256 } from '../rootfs/digest.js'
import { type FaultServer, startFaultServer } from '../rootfs/download/fault-server.fixture.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { testSpec } from '../runtime/k3s/world.fixture.js'
import { add } from './add.js'
import { belongings, type ContainerLab, containerLab, type LabOptions } from './containers.fixture.js'
import { type RunInput, type RunOutcome, run } from './run.js'

// With --offline nothing is asked for: whatever would leave this computer goes to a proxy that counts.

const RELEASE = 'v1.33.1+k3s1'
const CHANNELS = 'https://update.k3s.io/v1-release/channels'

let home: string
let outside: FaultServer
let labs: ContainerLab[]
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'airlift-offline-'))
  outside = await startFaultServer()
  labs = []
})
afterEach(async () => {
  await outside.close()
  rmSync(home, { recursive: true, force: true })
  expect(outside.requests, 'requests to the internet').toEqual([])
  for (const { engine } of labs)
    expect(engine.calls.filter(({ method }) => method === 'checkPull' || method === 'pullImage')).toEqual([])
})

interface Lab extends ContainerLab {
  readonly said: string[]
}

/** A registry that has everything, and an engine with what is named: only the registry must not be asked. */
function lab(images: LabOptions['images'] = {}): Lab {
  const env = { HTTPS_PROXY: outside.url, HTTP_PROXY: outside.url, XDG_CACHE_HOME: join(home, 'cache') }
  const registry = { 'rancher/k3s:v1.33.1-k3s1': {}, 'registry.lan/k3s:mine': {} }
  const own = containerLab({ home, env, images, registry })
  const said: string[] = []
  const events = createEvents([(event) => !event.step && said.push(`${event.level} ${event.code}`)])
  const made = { ...own, ctx: createContext({ ...own.ctx, events, offline: true }), said }
  labs.push(made)
  return made
}

const up = (own: Lab, spec: ClusterSpec, more: Partial<RunInput> = {}): Promise<RunOutcome> =>
  run({ spec, kubeconfig: 'none', ...more }, own.ctx, own.deps)
const refused = (own: Lab, spec: ClusterSpec, more: Partial<RunInput> = {}): Promise<AirliftError> =>
  up(own, spec, more).then(
    () => expect.unreachable('it must be refused'),
    (thrown) => thrown,
  )

/** The answer of the channel server, as an earlier command has kept it. */
function keepChannels(): void {
  const dir = join(home, 'cache/airlift/channels')
  mkdirSync(dir, { recursive: true })
  const kept = { fetched: new Date().toISOString(), releases: { stable: RELEASE } }
  writeFileSync(join(dir, `${sha256(CHANNELS).slice(0, 16)}.json`), JSON.stringify(kept))
}

/** Files of the release, as an earlier command has downloaded them. */
function keepDownloads(files: Readonly<Record<string, Buffer>>): void {
  const base = 'https://github.com/k3s-io/k3s/releases/download/v1.33.1%2Bk3s1'
  const dir = join(home, 'cache/airlift/downloads', sha256(base).slice(0, 16), RELEASE)
  mkdirSync(dir, { recursive: true })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(dir, name), content)
}

const binary = elf('amd64')
const images = dockerArchive([{ names: ['rancher/pause:3.6'] }])
const sums = Buffer.from(`${sha256(binary)}  k3s\n${sha256(images)}  k3s-airgap-images-amd64.tar\n`)

describe('containers', () => {
  it('run what the engine has, with a word about the images of pods, which the nodes would pull', async () => {
    const own = lab({ 'rancher/k3s:v1.33.1-k3s1': {} })
    expect((await up(own, testContainers(1, 1))).error).toBeUndefined()
    expect(own.said).toContain('warn image.pods')
  })

  it('may pull from a registry of the user', async () => {
    const own = lab({ 'rancher/k3s:v1.33.1-k3s1': {} })
    const registries = { content: new Secret('mirrors: {}\n'), files: [], mirrors: ['docker.io'] }
    const spec = { ...testContainers(1, 0), registries }
    await up(own, spec, { dryRun: true })
    expect(own.said).toContain('info image.pods')
    expect(own.said).not.toContain('warn image.pods')
  })

  it.each([false, true])('are refused where the named image is not there (plan only: %s)', async (dryRun) => {
    const own = lab()
    const spec = testContainers(1, 0, { image: 'registry.lan/k3s:mine' })
    const error = await refused(own, spec, { dryRun })
    expect(error).toMatchObject({ code: 'E_IMAGE_MISSING', exit: 5 })
    expect(error.message).toContain('registry.lan/k3s:mine')
    expect(error.data).toEqual({ missing: ['registry.lan/k3s:mine'] })
    for (const remedy of ['docker load', '--rootfs', '--image']) expect(error.hint).toContain(remedy)
    expect(await belongings(own.engine, 'dev')).toEqual([])
    expect(existsSync(join(home, 'cache'))).toBe(false)
  })

  it('are told of an image and a release that are both not there in one error', async () => {
    const own = lab()
    const spec = testContainers(1, 0, { image: 'registry.lan/k3s:mine' })
    const error = await refused(own, spec, { version: 'stable' })
    expect(error).toMatchObject({ code: 'E_IMAGE_MISSING', exit: 5 })
    expect(error.log).toEqual([
      expect.stringContaining('registry.lan/k3s:mine'),
      expect.stringContaining('"stable"'),
    ])
    expect(error.data).toEqual({ missing: ['registry.lan/k3s:mine', 'stable'] })
    for (const remedy of ['docker load', 'name the release']) expect(error.hint).toContain(remedy)
  })

  it('are refused where the release is neither an image nor kept, with all that a download would bring', async () => {
    const own = lab({ 'rancher/k3s:v1.34.1-k3s1': {} })
    const error = await refused(own, testContainers(1, 0), { version: RELEASE })
    expect(error).toMatchObject({ code: 'E_IMAGE_MISSING', exit: 5 })
    expect(error.message).toContain(RELEASE)
    const log = error.log.join('\n')
    for (const name of ['rancher/k3s:v1.33.1-k3s1', 'download/v1.33.1%2Bk3s1/k3s\n', 'sha256sum-amd64.txt'])
      expect(`${log}\n`).toContain(name)
    expect(await belongings(own.engine, 'dev')).toEqual([])
  })

  it('take the channel as it was, and what earlier commands have downloaded', async () => {
    keepChannels()
    keepDownloads({ k3s: binary, 'k3s-airgap-images-amd64.tar': images, 'sha256sum-amd64.txt': sums })
    const own = lab()
    const { plan } = await up(own, testContainers(1, 0), { version: 'stable', dryRun: true })
    const actions = plan.steps.flatMap((step) => step.actions)
    expect(actions).toContainEqual(expect.objectContaining({ kind: 'image', op: 'build' }))
    expect(actions).toContainEqual(expect.objectContaining({ kind: 'image', op: 'fill' }))
    expect(own.said).toContain('warn channel.cached')
    expect(own.said).not.toContain('warn image.pods')
    expect(readdirSync(join(home, 'cache/airlift/bundles'))).toEqual(['k3s-v1.33.1+k3s1-amd64.airlift'])
  })

  it('join where the image of the cluster is there, and are refused where it went away', async () => {
    const own = lab({ 'rancher/k3s:v1.33.1-k3s1': {} })
    await up(own, testContainers(1, 0))
    const spec = testContainers(0, 1)
    const cluster = { name: 'dev', masters: [], nodes: [], ssh: spec.ssh }
    expect((await add({ cluster, joining: spec }, own.ctx, own.deps)).error).toBeUndefined()

    const before = await belongings(own.engine, 'dev')
    const gone = { ...own.engine, image: async () => undefined }
    const deps = { ...own.deps, connectEngine: async () => gone }
    const more = testContainers(0, 2)
    const joining = { ...more, nodes: more.nodes.slice(1) }
    for (const dryRun of [true, false]) {
      const error = await add({ cluster, joining, dryRun }, own.ctx, deps).catch((thrown) => thrown)
      expect(error).toMatchObject({
        code: 'E_IMAGE_MISSING',
        exit: 5,
        data: { missing: ['rancher/k3s:v1.33.1-k3s1'] },
      })
    }
    expect(await belongings(own.engine, 'dev')).toEqual(before)
  })
})

describe('hosts', () => {
  const deps = { secrets: undefined as never, createConnector: () => expect.unreachable('no host is asked') }

  it('are refused before any is reached where the release is not kept', async () => {
    const { ctx } = lab()
    for (const [version, message] of [
      [RELEASE, `${RELEASE} is not here`],
      ['stable', 'which release "stable" is'],
    ] as const) {
      const error = await run({ spec: testSpec(1, 1), version }, ctx, deps).catch((thrown) => thrown)
      expect(error).toMatchObject({ code: 'E_OFFLINE', exit: 5 })
      expect(error.message).toContain(message)
      expect(error.hint).toContain('--rootfs')
    }
  })
})

describe('rootfs build', () => {
  const build = (arch: readonly ('amd64' | 'arm64')[], more = {}): Promise<BuildResult> => {
    const output = join(home, 'k3s.airlift')
    return buildBundle({ runtime: 'k3s', version: RELEASE, arch, output, ...more }, lab().ctx)
  }

  it('names every file that is not here, of all architectures', async () => {
    keepDownloads({ k3s: binary, 'sha256sum-amd64.txt': sums })
    const error = await build(['amd64', 'arm64']).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'E_OFFLINE', exit: 5 })
    const names = (error.data.missing as string[]).map((url) => url.split('/').at(-1))
    expect(names).toEqual([
      'k3s-airgap-images-amd64.tar',
      'sha256sum-arm64.txt',
      'k3s-arm64',
      'k3s-airgap-images-arm64.tar.gz',
    ])
    expect(existsSync(join(home, 'k3s.airlift'))).toBe(false)
  })

  it('does not take a download for right that is rotten', async () => {
    const rotten = Buffer.from('rotten')
    keepDownloads({ k3s: rotten, 'k3s-airgap-images-amd64.tar': images, 'sha256sum-amd64.txt': sums })
    await expect(build(['amd64'])).rejects.toMatchObject({
      code: 'E_OFFLINE',
      data: { missing: [expect.stringMatching(/\/k3s$/)] },
    })
    // Even then the list of sums stays: it cannot come again.
    keepDownloads({ 'sha256sum-amd64.txt': Buffer.from(`${sha256(images)}  k3s-airgap-images-amd64.tar\n`) })
    await expect(build(['amd64'])).rejects.toMatchObject({ code: 'E_OFFLINE' })
  })

  it('builds from downloads that are kept, from a directory, and from files that are named', async () => {
    keepDownloads({ k3s: binary, 'k3s-airgap-images-amd64.tar': images, 'sha256sum-amd64.txt': sums })
    expect(await build(['amd64'])).toMatchObject({ manifest: { arch: ['amd64'] } })
    const from = join(home, 'release')
    mkdirSync(from)
    for (const [name, content] of [
      ['k3s', binary],
      ['k3s-airgap-images-amd64.tar', images],
      ['sha256sum-amd64.txt', sums],
    ] as const)
      writeFileSync(join(from, name), content)
    rmSync(join(home, 'cache'), { recursive: true })
    expect(await build(['amd64'], { from })).toMatchObject({ manifest: { arch: ['amd64'] } })
    const named = { binary: [join(from, 'k3s')], images: [join(from, 'k3s-airgap-images-amd64.tar')] }
    expect(await build(['amd64'], named)).toMatchObject({ manifest: { arch: ['amd64'] } })
  })
})
