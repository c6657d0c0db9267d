import { Readable } from 'node:stream'
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
import { doctor } from './doctor.js'
import { run } from './run.js'

// Engines and words that a cluster in containers cannot be made or changed with.

const home = containerHome()
const up = (own: ContainerLab, spec: ClusterSpec) =>
  run({ spec, rootfs: tinyRootfs(), kubeconfig: 'none' }, own.ctx, own.deps)

describe('an engine that', () => {
  const changes = ({ engine }: ContainerLab): string[] =>
    engine.calls
      .map(({ method }) => method)
      .filter((method) => /^(create|start|put|import|pull)/.test(method))

  it.each([false, true])(
    'refuses privileged containers is told before anything is made, dry run: %s',
    async (dryRun) => {
      const own = home.lab({ refusesPrivileged: true })
      const input = { spec: testContainers(3, 1), rootfs: tinyRootfs(), dryRun }
      await expect(run(input, own.ctx, own.deps)).rejects.toMatchObject({
        code: 'E_ENGINE_PRIVILEGE',
        exit: 5,
        message: expect.stringContaining('privileged containers are not allowed'),
        hint: expect.stringContaining('--masters'),
      })
      expect(changes(own)).toEqual([])
      const report = await doctor({ spec: testContainers(1, 0) }, own.ctx, own.deps)
      expect(report.problems.map(({ code }) => code)).toContain('engine-privilege')
    },
  )

  it('is not asked for rights once the nodes are there', async () => {
    const own = home.lab()
    const asked = (): number => own.engine.calls.filter(({ method }) => method === 'checkPrivileged').length
    expect((await up(own, testContainers(1, 1))).error).toBeUndefined()
    expect(asked()).toBe(1)
    expect((await up(own, testContainers(1, 1))).report?.outcome).toBe('unchanged')
    expect(asked()).toBe(1)
  })

  it.each([false, true])(
    'would have to make an image of no program makes nothing, dry run: %s',
    async (dryRun) => {
      const own = home.lab({ images: {} })
      const openBlob = () => Readable.from([Buffer.from('#!/bin/sh\n')])
      const input = { spec: testContainers(1, 1), rootfs: tinyRootfs({ openBlob }), dryRun }
      await expect(run(input, own.ctx, own.deps)).rejects.toMatchObject({
        code: 'E_IMAGE_INVALID',
        message: expect.stringContaining('it is a script'),
      })
      expect(changes(own)).toEqual([])
    },
  )

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
