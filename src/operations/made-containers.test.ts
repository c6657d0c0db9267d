import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createFakeMachine } from '../machine/fake/fake-machine.js'
import { packEntries } from '../rootfs/tar/pack-entries.js'
import { loadContainerScripts } from '../rootfs/templates.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { newRuntime } from '../runtime/new-runtime.js'
import type { ObserveInput, World } from '../runtime/runtime.js'
import { readUserFiles, USER_FILES } from '../runtime/user-files.js'
import { type ContainerLab, containerLab, tinyRootfs } from './containers.fixture.js'
import { planRun, run } from './run.js'

const MASTER = 'airlift-dev-master-0'
const WORKER = 'airlift-dev-worker-0'
const spec = testContainers(1, 1)
const rootfs = tinyRootfs()
const names = [...spec.masters, ...spec.nodes].map((node) => node.target.host)

let home: string
let lab: ContainerLab
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'airlift-look-'))
  lab = containerLab({ home })
  const { error } = await run({ spec, rootfs }, lab.ctx, lab.deps)
  if (error) throw error
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const ready = (name: string, is = true): object => ({
  metadata: {
    name,
    labels: name === MASTER ? { 'node-role.kubernetes.io/control-plane': 'true' } : {},
  },
  status: { conditions: [{ type: 'Ready', status: is ? 'True' : 'False' }] },
})

/** Looks with machines in which every command is a surprise, and fails the test. */
async function look(more: Partial<ObserveInput>): Promise<World> {
  const templates = await loadContainerScripts()
  const machines = [...spec.masters, ...spec.nodes].map((node) => ({
    machine: createFakeMachine({ id: `docker://${node.target.host}`, name: node.target.host }),
    node,
  }))
  const { engine } = lab
  const runtime = await newRuntime('k3d')
  return runtime.observe(spec, { machines, templates, rootfs, engine, ...more }, lab.ctx)
}

const readApi =
  (nodes: readonly object[], api = 'ok') =>
  async (master: string, path: string): Promise<string> => {
    if (master !== MASTER) return ''
    return path === '/readyz' ? api : path === '/api/v1/nodes' ? JSON.stringify({ items: nodes }) : ''
  }
const files = new Map([['/etc/rancher/k3s/k3s.yaml', { mode: '0600', content: Buffer.from('kubeconfig') }]])
const made = new Set(names.map((name) => `docker://${name}`))

describe('containers that were made by this operation', () => {
  it('are known by the engine and the API alone, and nothing is left to do', async () => {
    const nodes = names.map((name) => ready(name))
    const world = await look({ made, readApi: readApi(nodes), readFiles: async () => files })
    expect(world.unreachable).toEqual([])
    expect(world.machines.map(({ name, made: own }) => [name, own])).toEqual([
      [MASTER, true],
      [WORKER, true],
    ])
    expect(world.machines[0]?.installed).toMatchObject({ active: true, apiReady: true, initialized: true })
    expect(world.machines[0]?.facts.managed.fragments['k3s-kubeconfig']).toBe('kubeconfig')
    expect(planRun(await newRuntime('k3d'), spec, world).steps).toEqual([])
  })

  it('are waited for when the API does not say that they are Ready', async () => {
    const world = await look({ made, readApi: readApi([ready(MASTER), ready(WORKER, false)]) })
    const { steps } = planRun(await newRuntime('k3d'), spec, world)
    expect(steps.map(({ id, effect }) => [id, effect])).toEqual([[`${WORKER}/start`, undefined]])
  })

  it('are made again when the engine has lost them', async () => {
    await lab.engine.removeContainer(WORKER, { force: true })
    const world = await look({ made, readApi: readApi([ready(MASTER), ready(WORKER)]) })
    const { steps } = planRun(await newRuntime('k3d'), spec, world)
    expect(steps.map(({ id }) => id)).toContain(`${WORKER}/create`)
  })

  it('are looked into where the API cannot be asked from here', async () => {
    const world = await look({ made: new Set([`docker://${MASTER}`]), readApi: async () => 'unavailable' })
    // The surprise: the command that looks.
    expect(world.unreachable.map(({ node }) => node.target.host)).toEqual([MASTER, WORKER])
  })
})

describe('containers that others are to join', () => {
  const config = new Map(
    [
      ['k3s.yaml', 'kubeconfig'],
      ['token', 'abc\n'],
      ['config.yaml', 'agent-token: secret\n'],
    ].map(([path, text = '']) => [`/etc/rancher/k3s/${path}`, { mode: '0600', content: Buffer.from(text) }]),
  )
  const mark = async (name: string, ...paths: string[]): Promise<void> => {
    const entries = paths.map((path) => ({
      path: `/var/lib/rancher/k3s/${path}`,
      mode: '0600',
      content: 'x',
    }))
    await lab.engine.putArchive(name, '/', packEntries(entries, String))
  }

  it('are known by the engine and the API, without a command in them', async () => {
    await mark(MASTER, 'airlift/state/initialized', 'server/db/state.db')
    const nodes = names.map((name) => ready(name))
    const before = lab.engine.calls.length
    const world = await look({ toJoin: true, readApi: readApi(nodes), readFiles: async () => config })
    expect(world.unreachable).toEqual([])
    const [master, worker] = world.machines
    expect(master?.installed).toMatchObject({ apiReady: true, initialized: true, cluster: 'dev' })
    expect(master?.installed.nodes?.map(({ name }) => name)).toEqual(names)
    const { fragments } = master?.facts.managed ?? {}
    expect(fragments?.['k3s-datastore']).toBe('sqlite')
    expect(readUserFiles(fragments?.[USER_FILES] ?? '').map(({ path }) => path)).toEqual([
      '/etc/rancher/k3s/config.yaml',
    ])
    // The one archive of this rootfs is there: a node that joins does not bring it once more.
    const images = rootfs.manifest.files.filter(({ role }) => role === 'images').map(({ sha256 }) => sha256)
    expect(fragments?.['k3d-archives']?.split('\n')).toEqual(images)
    expect(world.secrets.get('token')?.reveal()).toBe('abc')
    // It joined and was never seen ready.
    expect(worker?.installed).toMatchObject({ active: true, initialized: false })
    const asked = lab.engine.calls.slice(before).map(({ method }) => method)
    expect(asked).not.toContain('exec')
    expect(asked).not.toContain('getArchive')
  })

  it.each([
    ['the API is not ready', { readApi: readApi([], 'starting'), readFiles: async () => config }],
    [
      'the API cannot be asked from here',
      { readApi: async () => 'unavailable', readFiles: async () => config },
    ],
    ['no token is among the files', { readApi: readApi([]), readFiles: async () => new Map() }],
  ])('are looked into where %s', async (_, told) => {
    const world = await look({ toJoin: true, ...told })
    // The surprise: the command that looks. A worker has nothing to tell.
    expect(world.unreachable.map(({ node }) => node.target.host)).toEqual([MASTER])
  })
})

it('know the token of the cluster for those beside them that have to be looked into', async () => {
  const api = readApi([ready(MASTER)])
  const all = await look({ made, readApi: api })
  // As where an add finishes a worker that was begun: that is looked into, the master is not.
  const seen = all.machines.filter(({ name }) => name === WORKER)
  const { secrets, machines } = await look({ made, readApi: api, seen })
  expect(machines.map(({ made: own }) => own)).toEqual([true, undefined])
  const written = lab.engine.files(MASTER).get('/etc/rancher/k3s/token')?.content.toString('utf8').trim()
  expect(written).toMatch(/^[0-9a-f]{64}$/)
  expect(secrets.get('token')?.reveal()).toBe(written)
})
