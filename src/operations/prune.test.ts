import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { takeLock } from '../cluster/lock-file.js'
import { readRecords, recordDir, writeRecord } from '../cluster/record.js'
import { plainSsh } from '../cluster/ssh.fixture.js'
import { tempDir } from '../cluster/temp-paths.js'
import { type Context, createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { container } from '../machine/docker/container.fixture.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { FakeEngine } from '../machine/docker/fake-engine-types.js'
import { createLocalMachine } from '../machine/local/local-machine.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { containerLab, tinyRootfs } from './containers.fixture.js'
import { makeOn, names } from './prune.fixture.js'
import { findLeftovers, type PruneResult } from './prune.js'
import { run } from './run.js'
import type { OperationDeps } from './session.js'

/** Above what Linux gives to processes. */
const DEAD = 4_194_305
let dir: string
let ctx: Context
let engine: FakeEngine
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-prune-test-'))
  for (const name of ['tmp', 'cache', 'kube']) mkdirSync(join(dir, name))
  ctx = createContext({
    env: {
      XDG_STATE_HOME: join(dir, 'state'),
      XDG_CACHE_HOME: join(dir, 'cache'),
      TMPDIR: join(dir, 'tmp'),
      KUBECONFIG: join(dir, 'kube/config'),
      HOME: dir,
    },
  })
  engine = createFakeEngine({ images: { k3s: {} } })
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const deps = (more: Partial<OperationDeps> = {}): OperationDeps => ({
  secrets: undefined as never,
  connectEngine: async () => engine,
  ...more,
})
const noEngine = {
  connectEngine: async () => {
    throw new AirliftError('E_ENGINE_UNREACHABLE', 'no container engine answers')
  },
}
async function prune(by: OperationDeps = deps()): Promise<PruneResult> {
  await using pruning = await findLeftovers(ctx, by)
  return pruning.remove()
}
const make = (cluster: string, roles: readonly string[], more?: Record<string, string>): Promise<void> =>
  makeOn(engine, cluster, roles, more)

describe('on a container engine', () => {
  it('removes all of a cluster without a master, and nothing of others', async () => {
    await make('half', ['worker', 'lb'])
    await make('living', ['master', 'worker'])
    await engine.createContainer(container({ name: 'stranger', image: 'k3s' }))
    await engine.createVolume('strange', {})
    const { outcome, removed, failed } = await prune()
    expect(failed).toEqual([])
    expect(outcome).toBe('done')
    expect(names(removed)).toEqual([
      'container airlift-half-lb-1',
      'container airlift-half-worker-0',
      'network airlift-half',
      'volume airlift-half-images',
    ])
    expect((await engine.containers([])).map(({ name }) => name).sort()).toEqual([
      'airlift-living-master-0',
      'airlift-living-worker-1',
      'stranger',
    ])
    expect((await engine.volumes([])).map(({ name }) => name).sort()).toEqual([
      'airlift-living-images',
      'strange',
    ])
    expect((await prune()).outcome).toBe('unchanged')
  })

  it('removes what is left when a removal was cut off after its containers', async () => {
    await make('gone', [])
    expect(names((await prune()).removed)).toEqual(['network airlift-gone', 'volume airlift-gone-images'])
  })

  it('removes nothing before it is told to', async () => {
    await make('half', ['worker'])
    await using pruning = await findLeftovers(ctx, deps())
    expect(pruning.result).toMatchObject({ outcome: 'found', removed: [], found: [{}, {}, {}] })
    expect(await engine.containers(['airlift.cluster=half'])).toHaveLength(1)
  })

  it('leaves a helper that may be in use, and the cluster that it is making', async () => {
    await make('new', [])
    const labels = { 'airlift.cluster': 'new', 'airlift.temporary': 'fill' }
    const created = { 'airlift.created': new Date().toISOString() }
    await engine.createContainer(
      container({ name: 'filler', image: 'k3s', labels: { ...labels, ...created } }),
    )
    const { outcome, kept } = await prune()
    expect(outcome).toBe('unchanged')
    expect(kept[0]).toEqual({ kind: 'container', name: 'filler', reason: 'a command may still be using it' })
    expect(names(kept.slice(1))).toEqual(['network airlift-new', 'volume airlift-new-images'])
  })

  it.each([
    ['is gone', DEAD, ['container filler', 'network airlift-new', 'volume airlift-new-images']],
    ['runs', process.pid, []],
  ])('takes a helper for what it is where the command that made it %s', async (_, pid, removed) => {
    await make('new', [])
    const made = { 'airlift.maker': `${pid}@${hostname()}`, 'airlift.created': new Date().toISOString() }
    const labels = { 'airlift.cluster': 'new', 'airlift.temporary': 'fill', ...made }
    await engine.createContainer(container({ name: 'filler', image: 'k3s', labels }))
    expect(names((await prune()).removed)).toEqual(removed)
  })

  describe('leaves what a run is making', () => {
    const made = (pid: number, host: string, ageMs: number): Record<string, string> => ({
      'airlift.maker': `${pid}@${host}`,
      'airlift.created': new Date(Date.now() - ageMs).toISOString(),
    })
    const minutes = (n: number): number => n * 60_000

    it.each([
      ['in a process of this computer', made(process.pid, hostname(), 0), 'kept'],
      ['in one that is gone', made(DEAD, hostname(), 0), 'removed'],
      ['in one whose number was given again', made(process.pid, hostname(), minutes(30)), 'removed'],
      ['in one of which that cannot be known', made(1, hostname(), minutes(61)), 'removed'],
      ['on another computer, a moment ago', made(DEAD, 'elsewhere', minutes(9)), 'kept'],
      ['on another computer, long ago', made(process.pid, 'elsewhere', minutes(11)), 'removed'],
    ])('%s: %s', async (_, labels, fate) => {
      await make('new', ['worker', 'lb'], labels)
      const result = await prune()
      const all = [
        'container airlift-new-lb-1',
        'container airlift-new-worker-0',
        'network airlift-new',
        'volume airlift-new-images',
      ]
      expect(names(result.removed)).toEqual(fate === 'removed' ? all : [])
      expect(names(result.kept)).toEqual(fate === 'kept' ? all : [])
      expect(await engine.containers(['airlift.cluster=new'])).toHaveLength(fate === 'kept' ? 2 : 0)
    })

    it('also where that began after it had looked', async () => {
      await make('half', [])
      await using pruning = await findLeftovers(ctx, deps())
      expect(pruning.result.found).toHaveLength(2)
      const name = 'airlift-half-worker-0'
      const labels = {
        'airlift.cluster': 'half',
        'airlift.role': 'worker',
        ...made(process.pid, hostname(), 0),
      }
      await engine.createContainer(container({ name, image: 'k3s', labels }))
      expect((await pruning.remove()).removed).toEqual([])
      expect(
        names(await engine.volumes([]).then((all) => all.map((one) => ({ kind: 'volume', ...one })))),
      ).toEqual(['volume airlift-half-images'])
    })

    it('from the first thing that a run makes', async () => {
      const lab = containerLab({ home: dir })
      const { createContainer } = lab.engine
      const open = { ...lab.engine, close: async () => {} }
      let result: PruneResult | undefined
      // Network and volume are there, and no container yet.
      lab.engine.createContainer = async (config) => {
        result ??= await prune(deps({ connectEngine: async () => open }))
        return createContainer(config)
      }
      const made = await run({ spec: testContainers(1, 1), rootfs: tinyRootfs() }, lab.ctx, lab.deps)
      expect(made.error).toBeUndefined()
      expect(result?.removed).toEqual([])
      expect(names(result?.kept ?? [])).toEqual(
        expect.arrayContaining(['network airlift-dev', 'volume airlift-dev-images']),
      )
    })
  })

  it('removes a helper of an hour ago, also of a cluster that lives', async () => {
    await make('living', ['master'])
    const created = { 'airlift.created': new Date(Date.now() - 3_600_000).toISOString() }
    const labels = { 'airlift.cluster': 'living', 'airlift.temporary': 'fill', ...created }
    await engine.createContainer(container({ name: 'filler', image: 'k3s', labels }))
    const later = createContext({ ...ctx, clock: { ...ctx.clock, now: () => Date.now() + 3_600_000 } })
    await using pruning = await findLeftovers(later, deps())
    expect(names((await pruning.remove()).removed)).toEqual(['container filler'])
  })

  it('says what could not be removed, and removes the rest', async () => {
    await make('half', ['worker'])
    engine.fail({ method: 'removeNetwork', error: new AirliftError('E_ENGINE', 'it has active endpoints') })
    const result = await prune()
    expect(result.outcome).toBe('partial')
    expect(result.failed).toMatchObject([
      { kind: 'network', error: { code: 'E_ENGINE', message: 'it has active endpoints' } },
    ])
    expect(result.removed).toHaveLength(2)
  })
})

describe('of files', () => {
  const file = (path: string, ageMs = 0, content = ''): string => {
    const full = join(dir, path)
    mkdirSync(dirname(full), { recursive: true })
    writeFileSync(full, content)
    const time = new Date(Date.now() - ageMs)
    utimesSync(full, time, time)
    return full
  }
  const DAY = 25 * 3_600_000

  it('removes those of dead commands and old downloads, and no other', async () => {
    const bundle = join(dir, '.k3s.airlift.0123456789ab.tmp')
    writeFileSync(bundle, 'half')
    mkdirSync(tempDir(ctx.env), { recursive: true })
    writeFileSync(
      join(tempDir(ctx.env), '1-a.json'),
      JSON.stringify({ path: bundle, pid: DEAD, host: hostname() }),
    )
    const lock = join(dir, 'kube/config.lock')
    await takeLock(lock, 0)
    writeFileSync(lock, readFileSync(lock, 'utf8').replace(` ${process.pid} `, ` ${DEAD} `))
    const gone = [
      bundle,
      file('cache/airlift/downloads/x/v1/k3s.part', DAY),
      file('cache/airlift/downloads/x/v1/k3s.part.json', DAY),
      file('cache/airlift/downloads/x/v1/k3s.lock', DAY),
      file('tmp/airlift-build-0123456789ab', DAY),
      file('tmp/airlift-engine-Ab3dEf', DAY),
      file(`kube/.config.${DEAD}.0123456789ab`),
      file(`kube/config.lock.${DEAD}.0123456789ab`),
      lock,
      file(`kube/config.lock.${DEAD}.0123456789abcdef.dead`, DAY),
      file(`cache/airlift/downloads/x/v1/k3s.lock.${DEAD}.0123456789ab`, DAY),
    ]
    mkdirSync(recordDir(ctx.env), { recursive: true })
    gone.push(join(recordDir(ctx.env), `prod.json.${DEAD}.tmp`))
    writeFileSync(gone.at(-1) ?? '', '')
    const stay = [
      file('cache/airlift/downloads/x/v1/k3s', DAY),
      file('cache/airlift/downloads/x/v2/k3s.part'),
      file('cache/airlift/bundles/k3s.airlift', DAY),
      file('tmp/airlift-build-ba9876543210'),
      file('tmp/airlift-notes', DAY),
      file('tmp/other-Ab3dEf', DAY),
      file(`kube/.config.${process.pid}.0123456789ab`),
      file('kube/config'),
    ]
    const { removed } = await prune(deps(noEngine))
    expect(gone.filter((path) => existsSync(path))).toEqual([])
    expect(stay.filter((path) => !existsSync(path))).toEqual([])
    expect(removed.every((item) => item.kind === 'file')).toBe(true)
  })
})

describe('of records', () => {
  const record = (name: string, runtime: 'k3s' | 'k3d', masters: string[]): Promise<void> =>
    writeRecord(
      {
        name,
        runtime,
        version: 'v1.33.1+k3s1',
        masters,
        nodes: [],
        ssh: plainSsh,
        updated: '',
      },
      ctx.env,
    )
  const hosts = (answer: () => ReturnType<typeof createLocalMachine>): Partial<OperationDeps> => ({
    createConnector: () => ({ connect: async () => answer(), close: async () => {} }) as never,
  })

  it('removes one whose machines do not belong to it', async () => {
    await record('old', 'k3s', ['local'])
    const here = hosts(() => createLocalMachine({ mode: 'never' }, ctx))
    const { removed, kept } = await prune(deps({ ...noEngine, ...here }))
    expect(kept).toEqual([])
    expect(removed).toMatchObject([
      { kind: 'record', name: 'old', reason: expect.stringContaining('its machine answered') },
    ])
    expect(await readRecords(ctx.env)).toEqual([])
  })

  it('keeps one that cannot be verified, and names the machine', async () => {
    await record('away', 'k3s', ['root@10.0.0.9'])
    const lost = hosts(() => {
      throw new AirliftError('E_SSH_UNREACHABLE', 'no route')
    })
    const { outcome, kept } = await prune(deps({ ...noEngine, ...lost }))
    expect(outcome).toBe('unchanged')
    expect(kept).toEqual([
      { kind: 'record', name: 'away', reason: 'root@10.0.0.9 cannot be asked: no route' },
    ])
    expect(await readRecords(ctx.env)).toHaveLength(1)
  })

  it('removes that of containers that are gone, and keeps it while no engine answers', async () => {
    await record('dev', 'k3d', ['airlift-dev-master-0'])
    expect((await prune(deps(noEngine))).kept).toMatchObject([
      { name: 'dev', reason: 'no container engine answers' },
    ])
    await make('dev', ['master'])
    expect((await prune()).outcome).toBe('unchanged')
    await engine.removeContainer('airlift-dev-master-0', { force: true })
    expect(names((await prune()).removed)).toContain('record dev')
  })

  it('says that an engine which the environment names was not asked', async () => {
    expect((await prune(deps(noEngine))).unasked).toBeNull()
    ctx = createContext({ env: { ...ctx.env, DOCKER_HOST: 'unix:///nope' } })
    expect((await prune(deps(noEngine))).unasked).toBe(
      'DOCKER_HOST=unix:///nope: no container engine answers',
    )
    expect((await prune()).unasked).toBeNull()
  })
})
