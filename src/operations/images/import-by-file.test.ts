import { truncateSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AirliftError } from '../../core/errors.js'
import { dockerArchive, layer } from '../../rootfs/archives.fixture.js'
import type { FakeContainerd } from './fake-containerd.fixture.js'
import { importLab, outcomes } from './import-into.fixture.js'

const { node, file, importInto } = importLab()
const container = (name: string, options: Parameters<typeof node>[1] = {}): FakeContainerd =>
  node(name, { unpack: () => undefined, ...options })
const NAME = 'docker.io/library/app:1'
const MEGABYTE = 1 << 20
const app = (bytes = 2 * MEGABYTE): string =>
  file(dockerArchive([{ names: ['app:1'], layers: [layer('base'), layer('x'.repeat(bytes))] }]))

describe('importImages into containers', () => {
  it('lets the engine put what is large, once', async () => {
    const [a, b] = [container('a'), container('b')]
    expect(outcomes(await importInto([a, b], [app()]))).toEqual([
      { [NAME]: 'imported' },
      { [NAME]: 'imported' },
    ])
    expect(a.unpacked).toEqual(['/var/lib/rancher/k3s/airlift/import-0-1.tar'])
    expect(a.imports[0]).toBeGreaterThan(2 * MEGABYTE)
    expect(await importInto([a, b], [app()])).toMatchObject({ outcome: 'unchanged' })
    expect([a.unpacked.length, b.unpacked.length]).toEqual([1, 1])
  })

  it('lets it be put once for all nodes that have a volume together', async () => {
    const shared = new Map<string, Buffer>()
    const nodes = ['a', 'b', 'c'].map((name) => container(name, { shared }))
    const result = await importInto(nodes, [app()])
    expect(outcomes(result)).toEqual(nodes.map(() => ({ [NAME]: 'imported' })))
    expect(nodes.map(({ unpacked }) => unpacked.length).sort()).toEqual([0, 0, 1])
    expect(nodes.map(({ imports }) => imports.length)).toEqual([1, 1, 1])
  })

  it('puts it for each that does not see what is put for all', async () => {
    const [a, b] = [container('a', { shared: new Map() }), container('b', { shared: new Map() })]
    expect(await importInto([a, b], [app()])).toMatchObject({ outcome: 'done' })
    expect(a.unpacked).toEqual([expect.stringContaining('/images/import/')])
    expect(b.unpacked).toEqual(['/var/lib/rancher/k3s/airlift/import-0-1.tar'])
  })

  it('puts it where the node alone has it when even that node does not see what was put for all', async () => {
    const shared = new Map<string, Buffer>()
    shared.set = () => shared
    const nodes = ['a', 'b'].map((name) => container(name, { shared }))
    expect(await importInto(nodes, [app()])).toMatchObject({ outcome: 'done' })
    expect(nodes.map(({ unpacked }) => unpacked.at(-1))).toEqual(
      nodes.map(() => '/var/lib/rancher/k3s/airlift/import-0-1.tar'),
    )
  })

  it('puts it for each when it cannot be put for all', async () => {
    const shared = new Map<string, Buffer>()
    const full = new AirliftError('E_DISK_FULL', 'no space left on device', { hint: 'free some space' })
    let puts = 0
    const unpack = (): Error | undefined => (puts++ === 0 ? full : undefined)
    const nodes = ['a', 'b'].map((name) => container(name, { shared, unpack }))
    expect(await importInto(nodes, [app()])).toMatchObject({ outcome: 'done' })
    expect(nodes.map(({ unpacked }) => unpacked.length)).toEqual([1, 1])
    expect([puts, shared.size]).toEqual([3, 0])
  })

  it('puts it for each of those that the node it was put for could not wait for', async () => {
    const shared = new Map<string, Buffer>()
    const refused = container('a', { shared, refuse: () => 'no such snapshotter' })
    const { run } = refused
    refused.run = async (...args) => {
      const result = await run(...args)
      // Its import has failed, and what was put for it goes with that.
      if (result.stdout.includes('@@failed')) shared.clear()
      return result
    }
    const late = container('b', { shared })
    const result = await importInto([refused, late], [app()])
    expect(outcomes(result)).toEqual([{ [NAME]: 'failed' }, { [NAME]: 'imported' }])
  })

  it('fails alone where nothing can be put', async () => {
    const shared = new Map<string, Buffer>()
    const full = new AirliftError('E_DISK_FULL', 'no space left on device', { hint: 'free some space' })
    const refused = container('a', { shared, unpack: () => full })
    const result = await importInto([refused, container('b', { shared })], [app()])
    expect(outcomes(result)).toEqual([{ [NAME]: 'failed' }, { [NAME]: 'imported' }])
    expect(result.machines[0]?.error).toMatchObject({ code: 'E_DISK_FULL' })
  })

  it('sends what is small in one go', async () => {
    const a = container('a')
    expect(outcomes(await importInto([a], [app(1000)]))).toEqual([{ [NAME]: 'imported' }])
    expect([a.unpacked.length, a.imports.length]).toEqual([0, 1])
  })

  it('asks for room for the archive, its content and what is unpacked', async () => {
    // Enough for two copies, as on a host, and not for three.
    const freeBytes = 5 * MEGABYTE
    const a = container('a', { freeBytes })
    const result = await importInto([a, container('b')], [app()])
    expect(result.machines[0]?.error).toMatchObject({
      code: 'E_DISK_FULL',
      message: expect.stringMatching(/no room for the images: 7 MiB are needed .* 5 MiB are free/),
    })
    expect(outcomes(result)).toEqual([{ [NAME]: 'failed' }, { [NAME]: 'imported' }])
    expect(a.unpacked).toEqual([])
    const host = node('h', { freeBytes })
    expect(outcomes(await importInto([host], [app()]))).toEqual([{ [NAME]: 'imported' }])
  })

  it('says why the engine could not put it, and leaves the other nodes alone', async () => {
    const full = new AirliftError('E_DISK_FULL', 'no space left on device', { hint: 'free some space' })
    const a = container('a', { unpack: () => full })
    const result = await importInto([a, container('b')], [app()])
    expect(result).toMatchObject({
      outcome: 'partial',
      machines: [{ error: { code: 'E_DISK_FULL', message: 'no space left on device' } }, { error: null }],
    })
    expect(a.imports).toEqual([])
  })

  it('sends again, as a file of its own, after a container that was restarted', async () => {
    const lost = new AirliftError('E_SSH_LOST', 'container a stopped')
    const a = container('a', { refuse: (attempt) => (attempt === 1 ? lost : undefined) })
    expect(outcomes(await importInto([a], [app()]))).toEqual([{ [NAME]: 'imported' }])
    expect(a.unpacked).toHaveLength(2)
  })

  it('says that an archive was cut while it was read', async () => {
    const path = app()
    const a = container('a')
    const { run } = a
    a.run = (script, options) => {
      // The archive was found whole, and somebody writes it anew now.
      if (options?.onLine) truncateSync(path, 1000)
      return run(script, options)
    }
    const result = await importInto([a], [path])
    const message = expect.stringMatching(
      /^the archive was changed while it was read: \d+ bytes came of \d+$/,
    )
    expect(result).toMatchObject({
      outcome: 'failed',
      machines: [{ error: { code: 'E_IMAGE_INVALID', message } }],
    })
    expect(a.images.size).toBe(0)
  })
})
