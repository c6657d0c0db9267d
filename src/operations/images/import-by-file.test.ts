import { EventEmitter, once } from 'node:events'
import { truncateSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { AirliftError } from '../../core/errors.js'
import { heldClock } from '../../core/held-clock.fixture.js'
import { dockerArchive, layer } from '../../rootfs/archives.fixture.js'
import { IMPORTED_MARK } from '../../runtime/images/scripts.js'
import type { FakeContainerd } from './fake-containerd.fixture.js'
import { importLab, outcomes } from './import-into.fixture.js'
import { HOLD_MS } from './shared-archives.js'

const { node, file, importInto } = importLab()
const container = (name: string, options: Parameters<typeof node>[1] = {}): FakeContainerd =>
  node(name, { unpack: () => undefined, ...options })
const NAME = 'docker.io/library/app:1'
const MEGABYTE = 1 << 20
/** Resolves when a node is through with an archive. */
const imported = async ({ said }: FakeContainerd): Promise<void> =>
  void (await expect.poll(() => said).toContain(IMPORTED_MARK))
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
    // Whoever has it open is waited for no more: no time passes.
    const result = await importInto(nodes, [app()], { clock: heldClock() })
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

  it('keeps it for a node that asks when the one that it was put for is through', async () => {
    const shared = new Map<string, Buffer>()
    const first = container('a', { shared })
    const late = container('b', { shared, beforeAsk: () => imported(first) })
    expect(await importInto([first, late], [app()])).toMatchObject({ outcome: 'done' })
    expect([first.unpacked.length, late.unpacked]).toEqual([1, []])
    expect([late.imports.length, shared.size]).toEqual([1, 0])
  })

  it('keeps it for others too where the import that it was put for fails', async () => {
    const shared = new Map<string, Buffer>()
    const refused = container('a', { shared, refuse: () => 'no such snapshotter' })
    const late = container('b', { shared, beforeAsk: () => imported(refused) })
    const result = await importInto([refused, late], [app()])
    expect(outcomes(result)).toEqual([{ [NAME]: 'failed' }, { [NAME]: 'imported' }])
    expect(late.unpacked).toEqual([])
  })

  it('puts it anew when the node that it was put for is lost', async () => {
    const shared = new Map<string, Buffer>()
    const lost = new AirliftError('E_TIMEOUT', 'the script did not end within 5000 ms')
    const first = container('a', { shared, refuse: () => lost })
    const late = container('b', {
      shared,
      beforeAsk: async () =>
        void (await expect.poll(() => [first.imports.length, shared.size]).toEqual([1, 0])),
    })
    const result = await importInto([first, late], [app()])
    expect(outcomes(result)).toEqual([{ [NAME]: 'failed' }, { [NAME]: 'imported' }])
    expect(late.unpacked).toEqual([expect.stringContaining('/images/import/')])
  })

  it('is held for a node that hangs no longer than a few seconds', async () => {
    const shared = new Map<string, Buffer>()
    const clock = heldClock()
    const gate = new EventEmitter()
    const first = container('a', { shared })
    const others = ['b', 'c'].map((name) =>
      container(name, { shared, beforeAsk: async () => void (await once(gate, name)) }),
    )
    const done = importInto([first, ...others], [app()], { clock })
    await imported(first)
    await expect.poll(() => clock.sleeps.map(({ ms }) => ms)).toEqual([HOLD_MS])
    expect(shared.size).toBe(1)
    clock.sleeps[0]?.pass()
    await expect.poll(() => shared.size).toBe(0)
    // It is through now; those that come at last have it put anew, once for both.
    for (const name of ['b', 'c']) gate.emit(name)
    expect(await done).toMatchObject({ outcome: 'done' })
    expect([first, ...others].map(({ unpacked }) => unpacked.length).sort()).toEqual([0, 1, 1])
    expect(clock.sleeps.every(({ signal }) => signal?.aborted)).toBe(true)
  })

  it('is held for nobody where the import is interrupted', async () => {
    const shared = new Map<string, Buffer>()
    const clock = heldClock()
    const aborter = new AbortController()
    const first = container('a', { shared })
    const hanging = container('b', { shared, beforeAsk: () => new Promise(() => {}) })
    const done = importInto([first, hanging], [app()], { clock, signal: aborter.signal })
    await expect.poll(() => clock.sleeps.length).toBe(1)
    aborter.abort(new Error('enough'))
    await expect(done).rejects.toThrow('enough')
    expect(clock.sleeps[0]?.signal?.aborted).toBe(true)
    await expect.poll(() => shared.size).toBe(0)
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
