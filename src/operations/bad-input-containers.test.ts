import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import {
  belongings,
  type ContainerLab,
  containerHome,
  containersNamed,
  tinyRootfs,
} from './containers.fixture.js'
import { deleteNodes } from './delete.js'
import { run } from './run.js'

// Engines and words that a cluster in containers cannot be made or changed with.

const home = containerHome()
const up = (own: ContainerLab, spec: ClusterSpec) =>
  run({ spec, rootfs: tinyRootfs(), kubeconfig: 'none' }, own.ctx, own.deps)

describe('an engine that', () => {
  it('refuses privileged containers is told by its code, and nothing is left', async () => {
    const own = home.lab({ refusesPrivileged: true })
    const { error } = await up(own, testContainers(3, 1))
    expect(error).toMatchObject({ code: 'E_ENGINE_PRIVILEGE', exit: 5 })
    expect(error?.hint).toContain('nodes are privileged containers')
    expect(await belongings(own.engine, 'dev')).toEqual([])
    const started = own.engine.calls.flatMap(({ method, args }) => (method === 'startContainer' ? args : []))
    expect(started.filter((name) => name !== 'airlift-dev-lb')).toEqual([])
  })

  it.each(['createVolume', 'createContainer', 'putArchive'] as const)(
    'has no room left at %s is told by its code, and nothing is left',
    async (method) => {
      const own = home.lab()
      own.engine.fail({
        method,
        error: { status: 500, text: 'write /x: no space left on device' },
        times: 99,
      })
      const { error } = await up(own, testContainers(1, 1))
      expect(error).toMatchObject({ code: 'E_DISK_FULL' })
      expect(error?.hint).toContain('docker system')
      expect(await belongings(own.engine, 'dev')).toEqual([])
    },
  )
})

describe('delete', () => {
  it.each([
    ['a node of another cluster', 'airlift-other-worker-0'],
    ['one that is not there', 'airlift-dev-worker-7'],
    ['a filter that matches nothing', 'workers:7'],
    ['a master as a worker', 'airlift-dev-master-0'],
  ])('of %s is refused with exit 2, and nothing is touched', async (_, word) => {
    const own = home.lab()
    expect((await up(own, testContainers(1, 1))).error).toBeUndefined()
    expect((await up(own, containersNamed('other'))).error).toBeUndefined()
    const before = [await belongings(own.engine, 'dev'), await belongings(own.engine, 'other')]
    const calls = own.engine.calls.length
    const cluster = { name: 'dev', masters: [], nodes: [], ssh: testContainers(1, 0).ssh }
    const input = { cluster, leaving: { masters: [], nodes: [word] }, options: { force: true } }
    const error = await deleteNodes(input, own.ctx, own.deps).catch((thrown) => thrown)
    expect(error).toMatchObject({ exit: 2 })
    expect(`${error.message}`).toContain(word)
    expect(error.hint).toBeTruthy()
    expect([await belongings(own.engine, 'dev'), await belongings(own.engine, 'other')]).toEqual(before)
    const since = own.engine.calls.slice(calls).map(({ method }) => method)
    expect(since.filter((method) => /^(remove|stop|create|put)/.test(method))).toEqual([])
  })
})
