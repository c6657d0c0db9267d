import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { createContext } from '../core/context.js'
import { createEvents } from '../core/events.js'
import { dockerArchive, elf, write } from '../rootfs/archives.fixture.js'
import { buildBundle } from '../rootfs/build-bundle.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { add } from './add.js'
import { belongings, type ContainerLab, containerHome, type LabOptions } from './containers.fixture.js'
import { list } from './list.js'
import { type RunInput, type RunOutcome, run } from './run.js'

// Clusters in containers that are given no rootfs.

const home = containerHome()

interface Lab extends ContainerLab {
  /** What the user was told. */
  readonly said: string[]
}

/** Nothing is to be had from outside: the proxy is a port where nobody listens. */
function lab(options: Partial<LabOptions> = {}): Lab {
  const env = { HTTPS_PROXY: 'http://127.0.0.1:9', XDG_CACHE_HOME: join(home.path, 'cache') }
  const own = home.lab({ env, images: {}, ...options })
  const said: string[] = []
  const events = createEvents([
    (event) => {
      if (event.level === 'info' && !event.step) said.push(event.message)
    },
  ])
  return { ...own, ctx: createContext({ ...own.ctx, events }), said }
}

const up = (own: Lab, spec: ClusterSpec, more: Partial<RunInput> = {}): Promise<RunOutcome> =>
  run({ spec, kubeconfig: 'none', ...more }, own.ctx, own.deps)
const imageOf = async (own: Lab, name = 'airlift-dev-master-0'): Promise<string | undefined> =>
  (await own.engine.container(name))?.image
const calls = (own: Lab, method: RegExp): string[] =>
  own.engine.calls.filter((call) => method.test(call.method)).map((call) => call.method)

/** The bundle of a release, as an earlier command has left it. Gives the name of the image that is made of it. */
async function keepRelease(own: Lab, version: string): Promise<string> {
  const dir = join(home.path, 'cache/airlift/bundles')
  mkdirSync(dir, { recursive: true })
  const { manifest } = await buildBundle(
    {
      runtime: 'k3s',
      version,
      binary: [write(join(home.path, 'k3s'), elf('amd64'))],
      images: [write(join(home.path, 'images.tar'), dockerArchive([{ names: ['rancher/pause:3.6'] }]))],
      output: join(dir, `k3s-${version}-amd64.airlift`),
    },
    own.ctx,
  )
  const binary = manifest.files.find((file) => file.role === 'binary')?.sha256 ?? ''
  return `airlift/k3s:${version.replace('+', '-')}-${binary.slice(0, 12)}`
}

describe('a cluster for which nothing is named', () => {
  it('runs the newest k3s that the engine has, which is said, and is left alone by the same command', async () => {
    const own = lab({
      images: {
        'rancher/k3s:v1.33.1-k3s1': {},
        'rancher/k3s:v1.33.9-k3s1': {},
        'airlift/k3s:v1.33.10-k3s1-0123456789ab': {},
        'rancher/k3s:v1.34.0-rc1-k3s1': { arch: 'arm64' },
        'busybox:v1.36.0-k3s1': {},
      },
      registry: { 'rancher/k3s:v1.34.1-k3s1': {} },
    })
    const made = await up(own, testContainers(1, 1))
    expect(made.error).toBeUndefined()
    expect(made.report?.outcome).toBe('done')
    expect(await imageOf(own)).toBe('airlift/k3s:v1.33.10-k3s1-0123456789ab')
    expect(own.said[0]).toMatch(/airlift\/k3s:v1\.33\.10-k3s1-0123456789ab \(v1\.33\.10\+k3s1\), the newest/)
    expect(own.said[0]).toMatch(/--image, --version or --rootfs/)
    expect(await list(own.ctx, own.deps)).toMatchObject([{ name: 'dev', version: 'v1.33.10+k3s1' }])
    expect((await readRecord('dev', own.ctx.env))?.version).toBe('v1.33.10+k3s1')

    // A newer image is no reason to change anything.
    own.said.length = 0
    expect(calls(own, /^(pullImage|checkPull)$/)).toEqual([])
    await own.engine.pullImage('rancher/k3s:v1.34.1-k3s1')
    const again = await up(own, testContainers(1, 1))
    expect(again.plan.steps).toEqual([])
    expect(again.report?.outcome).toBe('unchanged')
    expect(own.said).toEqual([])
  })

  it('grows by the same command and by add, with the image that it has', async () => {
    const own = lab({ images: { 'rancher/k3s:v1.33.1-k3s1': {} } })
    await up(own, testContainers(1, 0))
    own.engine.fail({ method: 'imagesNamed', error: { status: 500, text: 'must not be asked' } })
    expect((await up(own, testContainers(1, 1))).error).toBeUndefined()
    expect(await imageOf(own, 'airlift-dev-worker-0')).toBe('rancher/k3s:v1.33.1-k3s1')

    const spec = testContainers(0, 2)
    const joining = { ...spec, nodes: spec.nodes.slice(1) }
    const cluster = { name: 'dev', masters: [], nodes: [], ssh: spec.ssh }
    const dry = await add({ cluster, joining, dryRun: true }, own.ctx, own.deps)
    expect(dry.plan.steps.map((step) => step.id)).toContain('airlift-dev-worker-1/create')
    const added = await add({ cluster, joining }, own.ctx, own.deps)
    expect(added).toMatchObject({ report: { outcome: 'done' } })
    expect(added.error).toBeUndefined()
    expect(await imageOf(own, 'airlift-dev-worker-1')).toBe('rancher/k3s:v1.33.1-k3s1')
    expect((await readRecord('dev', own.ctx.env))?.version).toBe('v1.33.1+k3s1')
    const other = add({ cluster, joining, version: 'v1.34.1+k3s1' }, own.ctx, own.deps)
    await expect(other).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: 'the cluster runs v1.33.1+k3s1, and --version v1.34.1+k3s1 holds v1.34.1+k3s1',
    })
  })

  it('is refused with what can be done where nothing is to be had, and nothing is made', async () => {
    const own = lab()
    const error = await up(own, testContainers(1, 2)).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'E_IMAGE_MISSING', exit: 5 })
    for (const remedy of ['--rootfs', '--image', 'docker load']) expect(error.hint).toContain(remedy)
    expect(error.log.join('\n')).toContain('stable')
    expect(calls(own, /^(create|pull|import|start)/)).toEqual([])
    expect(await belongings(own.engine, 'dev')).toEqual([])
  })
})

describe('a release that is named', () => {
  const version = 'v1.33.1+k3s1'

  it('is run from the image that the engine has, however new the others are', async () => {
    const own = lab({ images: { 'rancher/k3s:v1.33.1-k3s1': {}, 'rancher/k3s:v1.34.1-k3s1': {} } })
    expect((await up(own, testContainers(1, 0), { version: '1.33.1-k3s1' })).error).toBeUndefined()
    expect(await imageOf(own)).toBe('rancher/k3s:v1.33.1-k3s1')
  })

  it('is pulled where a registry has its image, but not by a dry run', async () => {
    const own = lab({ registry: { 'rancher/k3s:v1.33.1-k3s1': {} } })
    const dry = await up(own, testContainers(1, 0), { version, dryRun: true })
    const pull = { kind: 'image', op: 'pull', ref: 'rancher/k3s:v1.33.1-k3s1' }
    expect(dry.plan.steps.flatMap((step) => step.actions)).toContainEqual(pull)
    expect(calls(own, /^(pull|create)/)).toEqual([])
    const made = await up(own, testContainers(1, 0), { version })
    expect(made.error).toBeUndefined()
    const titles = (plan: RunOutcome['plan']): string[] => plan.steps.map(({ id, title }) => `${id} ${title}`)
    expect(titles(made.plan)).toEqual(titles(dry.plan))
    expect(await imageOf(own)).toBe('rancher/k3s:v1.33.1-k3s1')
    expect(own.said[0]).toContain('which the engine pulls')
    expect((await own.engine.container('airlift-dev-master-0'))?.labels['airlift.version']).toBe(version)
  })

  it('is made of the published release where its image cannot be pulled', async () => {
    const own = lab()
    const ref = await keepRelease(own, version)
    const { plan } = await up(own, testContainers(1, 0), { version, dryRun: true })
    const actions = plan.steps.flatMap((step) => step.actions)
    expect(actions).toContainEqual({ kind: 'image', op: 'build', ref, arch: 'amd64' })
    expect(actions).toContainEqual(expect.objectContaining({ kind: 'image', op: 'fill' }))
    expect(own.said[0]).toMatch(/rancher\/k3s:v1\.33\.1-k3s1 cannot be pulled.*published release/)
  })

  it('comes with the images of its pods where airlift has made and kept it before', async () => {
    const own = lab()
    const ref = await keepRelease(own, version)
    const other = lab({ images: { [ref]: {}, 'airlift/k3s:v1.32.1-k3s1-0123456789ab': {} } })
    for (const input of [{ version }, {}]) {
      const { plan } = await up(other, testContainers(1, 0), { ...input, dryRun: true })
      expect(plan.steps.map((step) => step.id).slice(0, 2)).toEqual(['engine/network', 'engine/images'])
    }
    // That of another binary has nothing to do with it.
    const strange = lab({ images: { 'airlift/k3s:v1.33.1-k3s1-0123456789ab': {} } })
    const { plan } = await up(strange, testContainers(1, 0), { version, dryRun: true })
    expect(plan.steps.map((step) => step.id)).not.toContain('engine/images')
  })

  it('is finished by the same command where the images of its pods were not there yet', async () => {
    const ref = await keepRelease(lab(), version)
    const own = lab({ images: { [ref]: {} } })
    await up(own, testContainers(1, 0), { version })
    await own.engine.stopContainer('airlift-dev-master-0', 1)
    const { plan } = await up(own, testContainers(1, 0), { dryRun: true })
    expect(plan.steps.map((step) => step.id)).toContain('engine/images')
  })

  it('is refused in one error where neither is to be had', async () => {
    const own = lab()
    const error = await up(own, testContainers(1, 0), { version }).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'E_IMAGE_MISSING', exit: 5 })
    expect(error.message).toContain(version)
    expect(error.log).toEqual([
      expect.stringContaining('rancher/k3s:v1.33.1-k3s1 cannot be pulled'),
      expect.stringContaining('cannot download'),
    ])
    expect(calls(own, /^(create|pull|import|start)/)).toEqual([])
    await expect(up(own, testContainers(1, 0), { version: 'newest' })).rejects.toMatchObject({
      code: 'E_USAGE',
    })
  })

  it('is refused where the cluster runs another', async () => {
    const own = lab({ images: { 'rancher/k3s:v1.33.1-k3s1': {}, 'rancher/k3s:v1.34.1-k3s1': {} } })
    await up(own, testContainers(1, 0), { version })
    await expect(up(own, testContainers(1, 0), { version: 'v1.34.1+k3s1' })).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      message: 'the cluster "dev" runs v1.33.1+k3s1, and --version says v1.34.1+k3s1',
    })
    expect((await up(own, testContainers(1, 0), { version })).report?.outcome).toBe('unchanged')
  })
})

describe('an image that is named', () => {
  it('needs no rootfs, and may be of an unknown release', async () => {
    const own = lab({ images: { 'registry.local/k3s:mine': {} } })
    const spec = testContainers(1, 0, { image: 'registry.local/k3s:mine' })
    expect((await up(own, spec)).error).toBeUndefined()
    expect((await up(own, spec)).report?.outcome).toBe('unchanged')
    // The cluster keeps it, also where it is not named again; another one is refused.
    expect((await up(own, testContainers(1, 0))).report?.outcome).toBe('unchanged')
    await expect(up(own, testContainers(1, 0, { image: 'registry.local/k3s:2' }))).rejects.toMatchObject({
      code: 'E_REMOVE_REFUSED',
    })
  })

  it('is pulled where it is not there; where it cannot be, nothing is left', async () => {
    const own = lab({ registry: { 'rancher/k3s:v1.33.1-k3s1': {} } })
    expect((await up(own, testContainers(1, 0, { image: 'rancher/k3s:v1.33.1-k3s1' }))).error).toBeUndefined()
    const none = testContainers(1, 0, { image: 'rancher/k3s:v1.33.2-k3s1' }, { name: 'other' })
    expect((await up(own, none)).error).toMatchObject({ code: 'E_IMAGE_MISSING' })
    expect(await belongings(own.engine, 'other')).toEqual([])
  })

  it('is refused beside another release, and where its own is not supported', async () => {
    const own = lab()
    const spec = testContainers(1, 0, { image: 'rancher/k3s:v1.33.1-k3s1' })
    await expect(up(own, spec, { version: 'v1.34.1+k3s1' })).rejects.toMatchObject({ code: 'E_USAGE' })
    const old = testContainers(1, 0, { image: 'rancher/k3s:v1.21.1-k3s1' })
    await expect(up(own, old)).rejects.toMatchObject({ code: 'E_UNSUPPORTED' })
  })
})

it('hosts still need a rootfs', async () => {
  const { ctx, deps } = lab()
  const { containers: _, ...spec } = testContainers(1, 0)
  await expect(run({ spec: { ...spec, runtime: 'k3s' } }, ctx, deps)).rejects.toMatchObject({
    code: 'E_USAGE',
    message: 'no rootfs is given',
  })
})
