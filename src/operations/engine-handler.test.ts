import { hostname } from 'node:os'
import { expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { container } from '../machine/docker/container.fixture.js'
import type { ContainerConfig } from '../machine/docker/engine.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { FakeEngine } from '../machine/docker/fake-engine-types.js'
import type { EngineAction } from '../plan/engine-action.js'
import { tinyRootfs } from './containers.fixture.js'
import { engineHandler } from './engine-handler.js'

const NETWORK = 'airlift-dev'
const remove: EngineAction = { kind: 'network', op: 'remove', name: NETWORK }

/** An engine with two containers that run in one network. */
async function twoInOneNetwork(): Promise<FakeEngine> {
  const engine = createFakeEngine({ images: { img: {} } })
  await engine.createNetwork({ name: NETWORK, subnet: '10.9.0.0/24', gateway: '10.9.0.1', labels: {} })
  for (const name of ['a', 'b']) {
    await engine.createContainer(container({ name, network: NETWORK }))
    await engine.startContainer(name)
  }
  return engine
}

function handle(engine: FakeEngine, action: EngineAction): Promise<void> {
  const { signal } = new AbortController()
  const options = { fill: (text: string) => text, signal, onProgress: () => {} }
  return engineHandler(engine, undefined, createContext({}))(action, options)
}

const names = async (engine: FakeEngine) => (await engine.networks()).map(({ name }) => name)

it('removes a network from under containers that are taken off it', async () => {
  const engine = await twoInOneNetwork()
  await handle(engine, { ...remove, detach: ['a', 'b'] })
  expect(await names(engine)).not.toContain(NETWORK)
  expect((await engine.container('a'))?.state).toBe('running')
})

it.each([
  ['one that cannot be taken off', ['a', 'b']],
  ['one of somebody else', ['a']],
])('leaves a network that is in use by %s, until it is removed without', async (_who, detach) => {
  const engine = await twoInOneNetwork()
  const error = { status: 500, text: 'container b is marked for removal and cannot be disconnected' }
  engine.fail({ method: 'detach', match: '"b"', error })
  await handle(engine, { ...remove, detach })
  expect(await names(engine)).toContain(NETWORK)
  await expect(handle(engine, remove)).rejects.toMatchObject({ code: 'E_ENGINE_CONFLICT' })
  for (const name of ['a', 'b']) await engine.removeContainer(name, { force: true })
  await handle(engine, remove)
  expect(await names(engine)).not.toContain(NETWORK)
})

it('says why a network cannot be removed where it is not in use', async () => {
  const engine = await twoInOneNetwork()
  engine.fail({ method: 'removeNetwork', error: { status: 500, text: 'no space left on device' } })
  await expect(handle(engine, { ...remove, detach: ['a', 'b'] })).rejects.toMatchObject({
    code: 'E_DISK_FULL',
  })
})

it('fills a volume through a container that tells who made it, so that prune knows when nobody needs it', async () => {
  const engine = createFakeEngine({ images: { img: {} } })
  await engine.createVolume('images', {})
  const made: ContainerConfig[] = []
  const create = engine.createContainer.bind(engine)
  engine.createContainer = (config) => {
    made.push(config)
    return create(config)
  }
  const { signal } = new AbortController()
  const options = { fill: (text: string) => text, signal, onProgress: () => {} }
  const labels = { 'airlift.cluster': 'dev' }
  const fill = { kind: 'image', op: 'fill', volume: 'images', image: 'img', labels, blobs: [] } as const
  await engineHandler(engine, tinyRootfs(), createContext({}))(fill, options)
  expect(made.map((config) => config.labels)).toEqual([
    {
      ...labels,
      'airlift.temporary': 'fill',
      'airlift.maker': `${process.pid}@${hostname()}`,
      'airlift.created': expect.any(String),
    },
  ])
})
