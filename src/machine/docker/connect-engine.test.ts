import { afterEach, describe, expect, it } from 'vitest'
import { createContext } from '../../core/context.js'
import { connectEngine } from './connect-engine.js'
import type { Engine } from './engine.js'
import type { Answers, EngineServer, Handler } from './engine-server.fixture.js'
import { startEngineServer } from './engine-server.fixture.js'

const closing: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.close()
})

async function serve(
  answers: Answers,
  upgrade?: Parameters<typeof startEngineServer>[1],
): Promise<EngineServer> {
  const server = await startEngineServer(answers, upgrade)
  closing.push(server)
  return server
}

async function connect(url: string, signal?: AbortSignal): Promise<Engine> {
  const env = { DOCKER_HOST: url, HOME: '/nonexistent' }
  const engine = await connectEngine(createContext({ env, ...(signal ? { signal } : {}) }))
  closing.unshift(engine)
  return engine
}

describe('connectEngine', () => {
  const PODMAN_5 = {
    Version: '5.4.0',
    ApiVersion: '1.41',
    MinAPIVersion: '1.24',
    Components: [{ Name: 'Podman Engine', Version: '5.4.0' }],
  }

  it.each([
    ['Docker 20.10', { ApiVersion: '1.41' }, '1.41', []],
    ['Docker 28', { ApiVersion: '1.48' }, '1.48', []],
    ['Docker 29', { ApiVersion: '1.52' }, '1.48', ['GET /v1.48/_ping']],
    ['Podman 5', PODMAN_5, '1.41', ['GET /version']],
  ])('speaks to %s in a version that both know', async (name, version, api, asked) => {
    const server = await serve({ 'GET /version': version, 'GET /info': { ServerVersion: '1.2.3' } })
    const engine = await connect(server.url)
    const podman = name.startsWith('Podman')
    expect(await engine.info()).toMatchObject({
      apiVersion: api,
      kind: podman ? 'podman' : 'docker',
      version: podman ? '5.4.0' : '1.2.3',
    })
    expect(server.requests).toEqual(['GET /_ping', ...asked, `GET /v${api}/info`])
  })

  it.each<[string, Answers]>([
    ['is not answered', { 'GET /_ping': (_, response) => response.writeHead(403).end() }],
    ['tells no version', { 'GET /_ping': {} }],
    [
      'tells one that has forgotten ours',
      {
        'GET /_ping': (request, response) => {
          const known = request.url === '/_ping'
          response.writeHead(known ? 200 : 400, { 'Api-Version': '1.70' }).end()
        },
      },
    ],
  ])('asks for the version where a ping %s', async (_what, answers) => {
    const version = { Version: '35.0.0', ApiVersion: '1.70', MinAPIVersion: '1.60' }
    const server = await serve({ 'GET /version': version, 'GET /info': {}, ...answers })
    const engine = await connect(server.url)
    expect(await engine.info()).toMatchObject({ apiVersion: '1.60', version: '35.0.0' })
    expect(server.requests.slice(-2)).toEqual(['GET /version', 'GET /v1.60/info'])
  })

  it.each([
    [
      'Docker 18',
      { Version: '18.09.1', ApiVersion: '1.39' },
      /Docker 18\.09\.1\) cannot be used: its API 1\.39/,
    ],
    [
      'Podman 3',
      { Version: '3.4.4', ApiVersion: '1.40', Components: [{ Name: 'Podman Engine', Version: '3.4.4' }] },
      /Podman 3\.4\.4\) cannot be used: .*fixed addresses/,
    ],
    ['something else', {}, /tells no version/],
  ])('refuses %s, and says why', async (_name, version, message) => {
    const server = await serve({ 'GET /version': version })
    await expect(connect(server.url)).rejects.toMatchObject({
      code: 'E_UNSUPPORTED',
      exit: 2,
      message: expect.stringMatching(message),
    })
  })

  it('reads what the engine says of itself', async () => {
    const server = await serve({
      'GET /info': {
        ServerVersion: '29.0.1',
        Architecture: 'aarch64',
        OSType: 'linux',
        CgroupVersion: '2',
        SecurityOptions: ['name=seccomp,profile=default', 'name=rootless', 'name=userns'],
        MemTotal: 8 * 2 ** 30,
        NCPU: 4,
        Driver: 'overlayfs',
        DriverStatus: [['driver-type', 'io.containerd.snapshotter.v1']],
        Name: 'builder',
        DockerRootDir: '/srv/docker',
        Runtimes: { runc: {}, 'nvidia-legacy': {} },
      },
    })
    expect(await (await connect(server.url)).info()).toEqual({
      kind: 'docker',
      version: '29.0.1',
      apiVersion: '1.48',
      arch: 'arm64',
      os: 'linux',
      cgroupVersion: '2',
      rootless: true,
      usernsRemap: true,
      memoryBytes: 8 * 2 ** 30,
      cpus: 4,
      storageDriver: 'overlayfs',
      containerdStore: true,
      serverName: 'builder',
      rootDir: '/srv/docker',
      gpuReady: true,
    })
  })

  it('needs one connection for calls that follow each other', async () => {
    const server = await serve({ 'GET /info': {}, 'GET /volumes': { Volumes: [] } })
    const engine = await connect(server.url)
    for (let i = 0; i < 10; i++) {
      await engine.info()
      expect(await engine.volumes([])).toEqual([])
      expect(await engine.container('none')).toBeUndefined()
    }
    expect(server.connections).toBe(1)
  })

  it('says who named an engine that does not answer', async () => {
    await expect(connect('unix:///nonexistent/docker.sock')).rejects.toMatchObject({
      code: 'E_ENGINE_UNREACHABLE',
      message: expect.stringMatching(/unix:\/\/\/nonexistent\/docker\.sock: .*no such socket.*DOCKER_HOST/),
      hint: expect.anything(),
    })
    await expect(connect('tcp://127.0.0.1:1')).rejects.toMatchObject({ code: 'E_ENGINE_UNREACHABLE' })
  })

  it('takes the first usual socket that answers, and says all that it tried when none does', async () => {
    const server = await serve({})
    const facts = { env: {}, home: '/nonexistent', uid: 1 }
    const paths = ['/nonexistent/a.sock', '/nonexistent/b.sock', server.socket]
    const exists = (path: string): boolean => path === server.socket
    const engine = await connectEngine(createContext(), { ...facts, paths, exists })
    closing.unshift(engine)
    expect(engine.endpoint).toMatchObject({ url: server.url, source: 'default', local: true })
    const none = connectEngine(createContext(), { ...facts, paths: paths.slice(0, 2), exists })
    await expect(none).rejects.toMatchObject({
      code: 'E_ENGINE_UNREACHABLE',
      data: { tried: ['unix:///nonexistent/a.sock', 'unix:///nonexistent/b.sock'] },
      log: [expect.stringContaining('a.sock'), expect.stringContaining('b.sock')],
    })
  })

  it('gives up what is under way when it is interrupted', async () => {
    const giveUp = new AbortController()
    const server = await serve({ 'POST /containers/a/wait': () => setTimeout(() => giveUp.abort(), 50) })
    const engine = await connect(server.url, giveUp.signal)
    await expect(engine.waitContainer('a')).rejects.toMatchObject({ code: 'E_INTERRUPTED' })
    await expect(engine.info()).rejects.toMatchObject({ code: 'E_INTERRUPTED' })
    await expect(connect(server.url, giveUp.signal)).rejects.toMatchObject({ code: 'E_INTERRUPTED' })
  })

  it('says that the engine went away', async () => {
    const server = await serve({ 'POST /containers/a/start': (request) => request.socket.destroy() })
    const engine = await connect(server.url)
    await expect(engine.startContainer('a')).rejects.toMatchObject({ code: 'E_ENGINE_UNREACHABLE' })
  })

  it('changes a container that is just ending once that is known', async () => {
    let asked = 0
    const update: Handler = (request, response) => {
      request.resume()
      const message = 'Cannot update container a: runc did not terminate successfully: container not running'
      if (++asked < 3) response.writeHead(500).end(JSON.stringify({ message }))
      else response.writeHead(200).end('{}')
    }
    const engine = await connect((await serve({ 'POST /containers/a/update': update })).url)
    await engine.setRestart('a', 'no')
    expect(asked).toBe(3)
  })

  it('starts at most six containers at once', async () => {
    const held: (() => void)[] = []
    let most = 0
    // Nothing is answered before six wait, and then not at once: a seventh would be seen, and fewer would never end.
    const start: Handler = (request, response) => {
      request.resume()
      held.push(() => response.writeHead(204).end())
      most = Math.max(most, held.length)
      if (held.length === 6) {
        setTimeout(() => {
          for (const answer of held.splice(0)) answer()
        }, 50)
      }
    }
    const names = Array.from({ length: 18 }, (_, i) => `c${i}`)
    const server = await serve(
      Object.fromEntries(names.map((name) => [`POST /containers/${name}/start`, start])),
    )
    const engine = await connect(server.url)
    await Promise.all(names.map((name) => engine.startContainer(name)))
    expect(most).toBe(6)
  })

  it('finds the error inside of a pull that began well', async () => {
    const lines = [
      { status: 'Pulling from rancher/k3s', id: 'v1' },
      { errorDetail: { message: 'failed to register layer: no space left on device' }, error: 'failed' },
    ]
    const server = await serve({
      'POST /images/create': (request, response) => {
        request.resume()
        response.writeHead(200).end(lines.map((line) => `${JSON.stringify(line)}\r\n`).join(''))
      },
    })
    const engine = await connect(server.url)
    const seen: string[] = []
    const pull = engine.pullImage('rancher/k3s', (line) => seen.push(line))
    await expect(pull).rejects.toMatchObject({ code: 'E_DISK_FULL' })
    expect(seen).toEqual(['v1: Pulling from rancher/k3s'])
    expect(server.requests.at(-1)).toBe('POST /v1.48/images/create?fromImage=rancher/k3s&tag=latest')
  })

  it('asks for one platform where the engine can choose', async () => {
    const save: Handler = (request, response) => {
      request.resume()
      response.end('tar')
    }
    const saved = async (version: Record<string, string>): Promise<string | undefined> => {
      const server = await serve({ 'GET /version': version, 'GET /images/get': save })
      const engine = await connect(server.url)
      for await (const _ of await engine.saveImages(['a:1', 'b:2'], 'linux/arm64')) void _
      return server.requests.at(-1)
    }
    expect(await saved({ ApiVersion: '1.41' })).toBe('GET /v1.41/images/get?names=a:1&names=b:2')
    expect(await saved({ ApiVersion: '1.48' })).toBe(
      'GET /v1.48/images/get?names=a:1&names=b:2&platform={"os":"linux","architecture":"arm64"}',
    )
  })

  it('says that a proxy between does not give the connection to a command', async () => {
    const server = await serve({
      'POST /containers/a/exec': { Id: 'e1' },
      'POST /exec/e1/start': {},
    })
    const engine = await connect(server.url)
    await expect(engine.exec('a', ['true'])).rejects.toMatchObject({
      code: 'E_ENGINE',
      hint: expect.stringContaining('Upgrade'),
    })
  })

  it.each([
    [404, 'No such image: airlift.invalid/none:none', undefined],
    [500, 'airlift.invalid/none:none: image not known', undefined],
    [403, 'authorization denied by plugin opa: not allowed', 'E_ENGINE_PRIVILEGE'],
    [400, 'privileged mode is incompatible with user namespaces', 'E_ENGINE_PRIVILEGE'],
  ])('asks for rights without making anything: %s %s', async (status, message, code) => {
    const answer: Handler = (_, response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify({ message }))
    const server = await serve({ 'POST /containers/create': answer })
    const asked = (await connect(server.url)).checkPrivileged()
    if (code === undefined) await asked
    else
      await expect(asked).rejects.toMatchObject({
        code,
        message: expect.stringContaining('refuses to make privileged containers'),
      })
  })

  it('tells a command that was cut off from one that ended', async () => {
    const server = await serve(
      { 'POST /containers/a/exec': { Id: 'e1' }, 'GET /exec/e1/json': { Running: true, ExitCode: null } },
      (socket) => {
        socket.write('HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
        // The header of a frame that never comes.
        setTimeout(() => socket.end(Buffer.from([1, 0, 0, 0, 0, 0, 0, 9, 65])), 20)
      },
    )
    const child = await (await connect(server.url)).exec('a', ['true'])
    child.stdout.resume()
    child.stderr.resume()
    expect(await child.exit).toEqual({ kind: 'lost', reason: 'the connection to the engine was cut' })
    expect(server.requests).toContain('UPGRADE /v1.48/exec/e1/start')
  })
})
