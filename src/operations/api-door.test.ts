import { afterEach, expect, it, vi } from 'vitest'
import { createContext } from '../core/context.js'
import { container } from '../machine/docker/container.fixture.js'
import type { EngineContainer } from '../machine/docker/engine.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { FakeEngine } from '../machine/docker/fake-engine-types.js'
import { writeTar } from '../machine/docker/fake-files.js'
import type { ReadApi } from '../runtime/runtime.js'
import { createApiDoors, createApiReader, readText } from './api-door.js'
import {
  type ApiServer,
  adminKubeconfig,
  createIdentity,
  SERVER_PASSWORD,
  startApiServer,
} from './api-server.fixture.js'

const NAME = 'airlift-dev-master-0'
const PATH = '/etc/rancher/k3s/k3s.yaml'
const us = createIdentity('airlift test')
const ctx = createContext({})

const open: ApiServer[] = []
afterEach(async () => {
  vi.unstubAllGlobals()
  await Promise.all(open.splice(0).map((server) => server.close()))
})

/** The API of a master: /readyz is ok, and everything else does not exist. */
async function api(): Promise<ApiServer> {
  const server = await startApiServer(us, (path) =>
    path === '/readyz' ? { status: 200, body: 'ok' } : { status: 404, body: 'not found' },
  )
  open.push(server)
  return server
}

function fakeEngine(local = true): FakeEngine {
  return createFakeEngine({ images: { img: {} }, endpoint: { local, host: '127.0.0.1' } })
}

/** A master that runs, whose API is published at `port`, with this kubeconfig. */
async function runMaster(engine: FakeEngine, name: string, port: number, kubeconfig?: string): Promise<void> {
  const other = 9 + Number(name.at(-1))
  const ports = [
    // What is not the API comes first: it must not be taken for it.
    { address: '127.0.0.1', hostPort: other, containerPort: 6443, protocol: 'udp' },
    { address: '127.0.0.1', hostPort: other, containerPort: 80, protocol: 'tcp' },
    { address: '127.0.0.1', hostPort: port, containerPort: 6443, protocol: 'tcp' },
  ] as const
  await engine.createContainer(container({ name, ports }))
  await engine.startContainer(name)
  if (kubeconfig !== undefined) await putKubeconfig(engine, name, kubeconfig)
}

async function putKubeconfig(engine: FakeEngine, name: string, text: string): Promise<void> {
  await engine.putArchive(
    name,
    '/',
    writeTar(new Map([[PATH, { kind: 'file', mode: '0600', content: Buffer.from(text) }]])),
  )
}

const readsOfKeys = (engine: FakeEngine): number =>
  engine.calls.filter(({ method, args }) => method === 'getArchive' && args[1] === '/etc/rancher/k3s').length

const reader = (engine: FakeEngine, port: number): ReadApi =>
  createApiReader(engine, createApiDoors(engine, port), ctx)

/** The engine, with what it says of containers changed: addresses that the fake would not give. */
function withContainer(engine: FakeEngine, change: Partial<EngineContainer>): FakeEngine {
  return {
    ...engine,
    container: async (name) => {
      const one = await engine.container(name)
      return one && { ...one, ...change }
    },
  }
}

it('reads what the API says through its published port, and the keys of a master once', async () => {
  const [first, second] = [await api(), await api()]
  const engine = fakeEngine()
  await runMaster(engine, NAME, first.port, adminKubeconfig(us))
  await runMaster(engine, 'airlift-dev-master-1', second.port, adminKubeconfig(us))
  const read = reader(engine, 6443)
  expect(await Promise.all([read(NAME, '/readyz'), read(NAME, '/readyz')])).toEqual(['ok', 'ok'])
  expect(await read(NAME, '/readyz')).toBe('ok')
  expect(readsOfKeys(engine)).toBe(1)
  expect(await read('airlift-dev-master-1', '/readyz')).toBe('ok')
  expect(readsOfKeys(engine)).toBe(2)
  expect([first.asked.length, second.asked.length]).toEqual([3, 1])
})

it('costs the engine no archive before the keys are there', async () => {
  const engine = fakeEngine()
  await runMaster(engine, NAME, 5)
  expect(await reader(engine, 6443)(NAME, '/readyz')).toBe('')
  expect(readsOfKeys(engine)).toBe(0)
})

it('takes the ways that were found before', async () => {
  const server = await api()
  const engine = fakeEngine()
  await runMaster(engine, NAME, server.port, adminKubeconfig(us))
  const doors = createApiDoors(engine, 6443)
  await doors.open(NAME)
  const later = createApiReader(engine, createApiDoors(engine, 6443, doors.known), ctx)
  expect(await later(NAME, '/readyz')).toBe('ok')
  expect(readsOfKeys(engine)).toBe(1)
})

it('is silent where the API has no such thing', async () => {
  const server = await api()
  const engine = fakeEngine()
  await runMaster(engine, NAME, server.port, adminKubeconfig(us))
  expect(await reader(engine, 6443)(NAME, '/api/v1/nodes/other')).toBe('')
  expect(server.asked).toEqual(['/api/v1/nodes/other'])
})

it('leaves an engine on another computer alone', async () => {
  const server = await api()
  const engine = fakeEngine(false)
  await runMaster(engine, NAME, server.port, adminKubeconfig(us))
  expect(await reader(engine, 6443)(NAME, '/readyz')).toBe('unavailable')
  expect([server.asked, readsOfKeys(engine)]).toEqual([[], 0])
})

it('takes the address of the container on Linux, and has no way to it elsewhere', async () => {
  const server = await api()
  const engine = fakeEngine()
  await runMaster(engine, NAME, 5, adminKubeconfig(us))
  const inside = withContainer(engine, { ports: [], addresses: { other: '', dev: '127.0.0.1' } })
  for (const [platform, answer] of [
    ['linux', 'ok'],
    ['darwin', 'unavailable'],
  ]) {
    vi.stubGlobal('process', { ...process, platform })
    expect(await reader(inside, server.port)(NAME, '/readyz')).toBe(answer)
  }
  vi.stubGlobal('process', { ...process, platform: 'linux' })
  const nowhere = withContainer(engine, { ports: [], addresses: { dev: '' } })
  expect(await reader(nowhere, server.port)(NAME, '/readyz')).toBe('unavailable')
})

it.skipIf(process.platform !== 'linux')('says so where the network has no way to the address', async () => {
  const engine = fakeEngine()
  await runMaster(engine, NAME, 5, adminKubeconfig(us))
  const lost = withContainer(engine, { ports: [], addresses: { dev: '255.255.255.255' } })
  expect(await reader(lost, 6443)(NAME, '/readyz')).toBe('unavailable')
})

it('is silent while nothing listens, which is no lack of a way', async () => {
  const { port, close } = await api()
  await close()
  open.pop()
  const engine = fakeEngine()
  await runMaster(engine, NAME, port, adminKubeconfig(us))
  expect(await reader(engine, 6443)(NAME, '/readyz')).toBe('')
})

it('looks again where there was no master that runs, or one without whole keys', async () => {
  const server = await api()
  const engine = fakeEngine()
  const read = reader(engine, 6443)
  expect(await read(NAME, '/readyz')).toBe('')
  await runMaster(engine, NAME, server.port)
  expect(await read(NAME, '/readyz')).toBe('')
  const whole = adminKubeconfig(us)
  await putKubeconfig(engine, NAME, whole.slice(0, whole.indexOf('client-key-data')))
  expect(await read(NAME, '/readyz')).toBe('')
  // Cut in the middle of the last key: the words are there, the key is none.
  await putKubeconfig(engine, NAME, whole.slice(0, -40))
  expect(await read(NAME, '/readyz')).toBe('')
  await putKubeconfig(engine, NAME, whole)
  await engine.stopContainer(NAME, 1)
  expect(await read(NAME, '/readyz')).toBe('')
  await engine.startContainer(NAME)
  expect(await read(NAME, '/readyz')).toBe('ok')
})

it('reads the keys again when they are not taken any more', async () => {
  const server = await api()
  const engine = fakeEngine()
  await runMaster(engine, NAME, server.port, adminKubeconfig(createIdentity('airlift test'), us))
  const read = reader(engine, 6443)
  expect(await read(NAME, '/readyz')).toBe('')
  await putKubeconfig(engine, NAME, adminKubeconfig(us))
  expect(await read(NAME, '/readyz')).toBe('ok')
})

it('does not believe a server of another authority', async () => {
  const server = await api()
  const engine = fakeEngine()
  await runMaster(engine, NAME, server.port, adminKubeconfig(us, createIdentity('somebody')))
  expect(await reader(engine, 6443)(NAME, '/readyz')).toBe('')
  expect(server.asked).toEqual([])
})

it('says what fails in the engine, once; a container that went away is no failure', async () => {
  const server = await api()
  const engine = fakeEngine()
  await runMaster(engine, NAME, server.port, adminKubeconfig(us))
  const read = reader(engine, 6443)
  engine.unreachable(true)
  await expect(read(NAME, '/readyz')).rejects.toMatchObject({ code: 'E_ENGINE_UNREACHABLE' })
  engine.unreachable(false)
  engine.fail({ method: 'getArchive', error: { status: 404, text: `No such container: ${NAME}` } })
  expect(await read(NAME, '/readyz')).toBe('')
  expect(await read(NAME, '/readyz')).toBe('ok')
})

it('asks nothing when the command was interrupted', async () => {
  const server = await api()
  const engine = fakeEngine()
  await runMaster(engine, NAME, server.port, adminKubeconfig(us))
  const stopped = createContext({ signal: AbortSignal.abort(new Error('interrupted')) })
  await expect(
    createApiReader(engine, createApiDoors(engine, 6443), stopped)(NAME, '/readyz'),
  ).rejects.toThrow('interrupted')
  expect(server.asked).toEqual([])
})

it('reads a text file of a container, where it is there', async () => {
  const engine = fakeEngine()
  await runMaster(engine, NAME, 5, 'a: b\n')
  expect(await readText(engine, NAME, PATH)).toBe('a: b\n')
  expect(await readText(engine, NAME, '/etc/none')).toBeUndefined()
})

it('asks for the members of etcd as a server, with the token of the master', async () => {
  const server = await startApiServer(us, (path) => ({ status: 200, body: `told ${path}` }))
  open.push(server)
  for (const token of [SERVER_PASSWORD, `K10${'ab'.repeat(32)}::server:${SERVER_PASSWORD}\n`]) {
    const engine = fakeEngine()
    await runMaster(engine, NAME, server.port, adminKubeconfig(us))
    const file = { kind: 'file' as const, mode: '0600', content: Buffer.from(token) }
    await engine.putArchive(NAME, '/', writeTar(new Map([['/etc/rancher/k3s/token', file]])))
    expect(await reader(engine, 6443)(NAME, '/db/info')).toBe('told /db/info')
  }
  const without = fakeEngine()
  await runMaster(without, NAME, server.port, adminKubeconfig(us))
  expect(await reader(without, 6443)(NAME, '/db/info')).toBe('')
})

it('reads no keys while nothing listens in the container', async () => {
  const server = await api()
  const engine = fakeEngine()
  await runMaster(engine, NAME, 5, adminKubeconfig(us))
  const at = (address: string) => withContainer(engine, { addresses: { dev: address } })
  // Nothing listens at port 9, discard.
  expect(await createApiDoors(at('127.0.0.1'), 9).open(NAME)).toBeUndefined()
  expect(readsOfKeys(engine)).toBe(0)
  expect(await createApiDoors(at('127.0.0.1'), server.port).open(NAME)).toMatchObject({ port: server.port })
  expect(readsOfKeys(engine)).toBe(1)
})
