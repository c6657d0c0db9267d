import { hostname } from 'node:os'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Context, createContext } from '../core/context.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { FakeEngine } from '../machine/docker/fake-engine-types.js'
import { KEPT_INITIALIZED } from '../machine/state-paths.js'
import { packEntries } from '../rootfs/tar/pack-entries.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { type ContainerLab, containerHome, tinyRootfs } from './containers.fixture.js'
import { makeOn, names } from './prune.fixture.js'
import { findLeftovers, type PruneResult } from './prune.js'
import { run } from './run.js'

/** Above what Linux gives to processes. */
const DEAD = 4_194_305
const home = containerHome()
let ctx: Context
let engine: FakeEngine
beforeEach(() => {
  // The command that made it has ended since.
  const clock = { now: () => Date.now() + 7_200_000, sleep: async () => {} }
  const env = { XDG_STATE_HOME: home.path, XDG_CACHE_HOME: home.path, TMPDIR: home.path, HOME: home.path }
  ctx = createContext({ env, clock })
  engine = createFakeEngine({ images: { k3s: {} } })
})
async function prune(own: FakeEngine): Promise<PruneResult> {
  const connectEngine = async () => ({ ...own, close: async () => {} })
  await using pruning = await findLeftovers(ctx, { secrets: undefined as never, connectEngine })
  return pruning.remove()
}

describe('of a cluster that has masters', () => {
  /** One master and two workers, all ready; the second worker's container is gone. */
  async function worn(): Promise<ContainerLab> {
    const lab = home.lab()
    const own = await run({ spec: testContainers(1, 2), rootfs: tinyRootfs() }, lab.ctx, lab.deps)
    expect(own.error).toBeUndefined()
    const mark = packEntries([{ path: KEPT_INITIALIZED, mode: '0600', content: 'x' }], String)
    await lab.engine.putArchive('airlift-dev-master-0', '/', mark)
    await lab.engine.removeContainer('airlift-dev-worker-1', { force: true })
    return lab
  }
  const volumes = ['', '-cni', '-kubelet', '-log'].map((part) => `volume airlift-dev-worker-1${part}`)

  it('removes volumes of a node that has left it, and no others', async () => {
    const lab = await worn()
    lab.forget('airlift-dev-worker-1')
    const before = await lab.engine.volumes([])
    const { removed, kept } = await prune(lab.engine)
    expect(kept).toEqual([])
    expect(names(removed)).toEqual(volumes)
    expect(removed[0]?.reason).toBe('the node airlift-dev-worker-1 has left its cluster')
    expect(await lab.engine.volumes([])).toHaveLength(before.length - volumes.length)
  })

  it('keeps those of a container that somebody removed, whose data a run brings back', async () => {
    const { outcome, kept } = await prune((await worn()).engine)
    expect(outcome).toBe('unchanged')
    expect(names(kept)).toEqual(volumes)
    expect(kept[0]?.reason).toMatch(/still has the node airlift-dev-worker-1: the same airlift run/)
  })

  it('keeps them where no master tells', async () => {
    const lab = await worn()
    lab.forget('airlift-dev-worker-1')
    await lab.engine.stopContainer('airlift-dev-master-0', 1)
    const { outcome, kept } = await prune(lab.engine)
    expect(outcome).toBe('unchanged')
    expect(names(kept)).toEqual(volumes)
    expect(kept[0]?.reason).toContain('start it first')
  })

  const by = (pid: number): Record<string, string> => ({
    'airlift.maker': `${pid}@${hostname()}`,
    'airlift.created': new Date(ctx.clock.now()).toISOString(),
  })

  it('names one that was begun and never ready, and what finishes or removes it', async () => {
    await makeOn(engine, 'half', ['master', 'worker'], by(DEAD))
    await engine.startContainer('airlift-half-master-0')
    const { outcome, kept } = await prune(engine)
    expect(outcome).toBe('unchanged')
    expect(kept).toEqual([
      {
        kind: 'container',
        name: 'airlift-half-master-0',
        reason: expect.stringMatching(
          /never seen ready: the same airlift run finishes it, airlift reset --name half/,
        ),
      },
    ])
  })

  it('removes one of which no master was ever started, but not while it is being made', async () => {
    await makeOn(engine, 'half', ['master', 'worker'], by(process.pid))
    expect(await prune(engine)).toMatchObject({ outcome: 'unchanged', removed: [] })
    engine = createFakeEngine({ images: { k3s: {} } })
    await makeOn(engine, 'half', ['master', 'worker'], by(DEAD))
    expect(names((await prune(engine)).removed)).toEqual([
      'container airlift-half-master-0',
      'container airlift-half-worker-1',
      'network airlift-half',
      'volume airlift-half-images',
    ])
  })

  it('keeps the data of a master that somebody removed and a killed run had begun to make again', async () => {
    await makeOn(engine, 'half', ['master'], by(DEAD))
    await engine.createVolume('airlift-half-master-0', { 'airlift.cluster': 'half', ...by(DEAD - 1) })
    const { removed, kept } = await prune(engine)
    expect(removed).toEqual([])
    expect(names(kept)).toEqual(['container airlift-half-master-0'])
  })
})
