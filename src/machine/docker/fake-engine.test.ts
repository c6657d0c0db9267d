import { describe, expect, it } from 'vitest'
import { container } from './container.fixture.js'
import { createFakeEngine } from './fake-engine.js'
import { type FakeFile, writeTar } from './fake-files.js'

const network = {
  name: 'n',
  subnet: '10.89.0.0/24',
  gateway: '10.89.0.1',
  labels: { 'airlift.cluster': 'dev' },
}

function file(content: string, mode = '0644'): FakeFile {
  return { kind: 'file', mode, content: Buffer.from(content) }
}

describe('a fake engine', () => {
  it('lives a container life, and says who it is by name, id and label', async () => {
    const engine = createFakeEngine({ images: { 'rancher/k3s:v1': {} } })
    await engine.createNetwork(network)
    const id = await engine.createContainer(
      container({ name: 'a', image: 'docker.io/rancher/k3s:v1', network: 'n', address: '10.89.0.3' }),
    )
    expect(await engine.container('a')).toMatchObject({
      id,
      state: 'created',
      addresses: { n: '10.89.0.3' },
    })
    await engine.startContainer(id)
    expect((await engine.network('n'))?.containers).toEqual({ a: '10.89.0.3' })
    const waits = engine.waitContainer('a')
    engine.exit('a', 3)
    expect(await waits).toBe(3)
    expect(await engine.containers(['airlift.test=yes'])).toMatchObject([{ state: 'exited', exitCode: 3 }])
    expect(await engine.containers(['airlift.test=no'])).toEqual([])
    await engine.removeContainer('a', { force: false })
    await engine.removeContainer('a', { force: false })
    expect(await engine.container('a')).toBeUndefined()
    expect(engine.calls.map((call) => call.method)).toContain('waitContainer')
  })

  it('unpacks archives into containers and their volumes', async () => {
    const engine = createFakeEngine({ images: { img: {} } })
    const mounts = [{ kind: 'volume', source: 'v', target: '/data', readOnly: true }] as const
    await engine.createContainer(container({ name: 'a', image: 'img', mounts }))
    const tar = writeTar(
      new Map<string, FakeFile>([
        ['/etc/one', file('1', '0600')],
        ['/data/two', file('2')],
        ['/link', { kind: 'link', mode: '0777', content: Buffer.alloc(0), link: '/etc/one' }],
      ]),
    )
    await engine.putArchive('a', '/', tar)
    expect(engine.files('a').get('/etc/one')).toEqual(file('1', '0600'))
    expect(engine.files('a').get('/link')?.link).toBe('/etc/one')
    expect(engine.volumeFiles('v').get('/two')).toEqual(file('2'))
    expect(engine.files('a').get('/data/two')).toEqual(file('2'))
    await expect(engine.putArchive('a', '/nowhere', tar)).rejects.toMatchObject({
      code: 'E_ENGINE_NOT_FOUND',
    })
    expect(await engine.getArchive('a', '/nowhere')).toBeUndefined()
  })

  it('refuses what Docker refuses', async () => {
    const engine = createFakeEngine({
      images: { img: {} },
      busyPorts: [6443],
      missingPaths: ['/no/such'],
      networks: [{ name: 'other', subnet: '10.1.0.0/16' }],
    })
    const port = (hostPort: number, address = '127.0.0.1') =>
      ({ address, hostPort, containerPort: 80, protocol: 'tcp' }) as const
    await engine.createNetwork(network)
    await expect(engine.createNetwork(network)).rejects.toMatchObject({ code: 'E_ENGINE_CONFLICT' })
    await expect(
      engine.createNetwork({ ...network, name: 'm', subnet: '10.1.2.0/24' }),
    ).rejects.toMatchObject({
      code: 'E_ENGINE_CONFLICT',
      message: expect.stringContaining('overlaps'),
    })
    await engine.createContainer(
      container({ name: 'a', image: 'img', network: 'n', address: '10.89.0.3', ports: [port(8080)] }),
    )
    await expect(engine.createContainer(container({ name: 'a', image: 'img' }))).rejects.toMatchObject({
      code: 'E_ENGINE_CONFLICT',
    })
    await expect(engine.createContainer(container({ name: 'b', image: 'none' }))).rejects.toMatchObject({
      code: 'E_IMAGE_MISSING',
    })
    await engine.startContainer('a')
    for (const [name, over] of Object.entries({
      port: { ports: [port(8080)] },
      any: { ports: [port(8080, '0.0.0.0')] },
      busy: { ports: [port(6443)] },
      address: { address: '10.89.0.3' },
    })) {
      await engine.createContainer(container({ name, image: 'img', network: 'n', ...over }))
      await expect(engine.startContainer(name)).rejects.toMatchObject({ code: 'E_ENGINE_CONFLICT' })
    }
    const bind = [{ kind: 'bind', source: '/no/such', target: '/x', readOnly: false }] as const
    await expect(
      engine.createContainer(container({ name: 'bind', image: 'img', mounts: bind })),
    ).rejects.toMatchObject({ code: 'E_ENGINE', message: expect.stringContaining('/no/such') })
    await expect(engine.removeNetwork('n')).rejects.toMatchObject({ code: 'E_ENGINE_CONFLICT' })
    await expect(engine.removeContainer('a', { force: false })).rejects.toMatchObject({
      code: 'E_ENGINE_CONFLICT',
    })
    await expect(engine.exec('port', ['true'])).rejects.toMatchObject({ code: 'E_ENGINE' })
  })

  it('runs scripted commands and fails the test on others', async () => {
    const engine = createFakeEngine({
      images: { img: {} },
      exec: async ({ command, stdin }) =>
        command[0] === 'cat' ? { stdout: await stdin(), stderr: 'err', exitCode: 4 } : undefined,
    })
    await engine.createContainer(container({ name: 'a', image: 'img' }))
    await engine.startContainer('a')
    const child = await engine.exec('a', ['cat'])
    child.stdin.end('hello')
    expect(await child.exit).toEqual({ kind: 'code', code: 4 })
    expect(child.stdout.read()?.toString()).toBe('hello')
    engine.verify()
    await expect(engine.exec('a', ['rm']).then(async (rm) => (await rm.exit).kind)).rejects.toThrow(
      /unexpected/,
    )
    expect(() => engine.verify()).toThrow(/a: rm/)
  })

  it('breaks as it is told, once or several times', async () => {
    const engine = createFakeEngine({ images: { img: {} } })
    engine.fail({
      method: 'createVolume',
      match: 'second',
      error: { status: 500, text: 'no space left on device' },
    })
    await engine.createVolume('first', {})
    await expect(engine.createVolume('second', {})).rejects.toMatchObject({ code: 'E_DISK_FULL' })
    await engine.createVolume('second', {})
    engine.unreachable(true)
    await expect(engine.info()).rejects.toMatchObject({ code: 'E_ENGINE_UNREACHABLE' })
  })

  it('restarts with the daemon what has a restart policy', async () => {
    const engine = createFakeEngine({ images: { img: {} } })
    await engine.createContainer(container({ name: 'a', image: 'img', restart: 'always' }))
    await engine.createContainer(container({ name: 'b', image: 'img' }))
    await engine.createContainer(container({ name: 'c', image: 'img', restart: 'always' }))
    await engine.createContainer(container({ name: 'd', image: 'img', restart: 'always' }))
    for (const name of ['a', 'b', 'c', 'd']) await engine.startContainer(name)
    for (const name of ['c', 'd']) await engine.stopContainer(name, 1)
    await engine.setRestart('d', 'no')
    await engine.restartDaemon()
    const states = ['a', 'b', 'c', 'd'].map(async (name) => (await engine.container(name))?.state)
    expect(await Promise.all(states)).toEqual(['running', 'exited', 'running', 'exited'])
    expect((await engine.container('d'))?.restart).toBe('no')
  })

  it('makes an image of a tar, saves it as a docker archive, and pulls what its registry has', async () => {
    const engine = createFakeEngine({ registry: { 'rancher/k3s:v2': { arch: 'arm64' } } })
    const { Readable } = await import('node:stream')
    await engine.importImage('own:1', Readable.from([writeTar(new Map([['/bin/sh', file('#!')]]))]), [
      'ENTRYPOINT ["/bin/sh"]',
      'ENV PATH=/bin:/bin/aux',
      'LABEL airlift.image=node',
    ])
    expect(await engine.image('own:1')).toMatchObject({
      entrypoint: ['/bin/sh'],
      env: ['PATH=/bin:/bin/aux'],
      labels: { 'airlift.image': 'node' },
    })
    const chunks: Buffer[] = []
    for await (const chunk of await engine.saveImages(['own:1'])) chunks.push(chunk)
    expect(Buffer.concat(chunks).includes('"RepoTags":["own:1"]')).toBe(true)
    await engine.pullImage('docker.io/rancher/k3s:v2')
    expect((await engine.image('rancher/k3s:v2'))?.arch).toBe('arm64')
    await expect(engine.pullImage('rancher/k3s:v3')).rejects.toMatchObject({ code: 'E_IMAGE_MISSING' })
  })
})
