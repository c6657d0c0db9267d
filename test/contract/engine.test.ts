import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isAirliftError } from '../../src/core/errors.js'
import type { ContainerConfig, Engine } from '../../src/machine/docker/engine.js'
import { type FakeFile, readTar, writeTar } from '../../src/machine/docker/fake-files.js'
import type { MachineProcess } from '../../src/machine/session/process.js'
import {
  cleanEngine,
  type EngineUnderTest,
  engineKinds,
  IMAGE,
  PREFIX,
  prepareEngine,
  sleeper,
} from './engines.js'

/** A private network that is unlikely to be taken, other for each run. */
const NET = `10.${200 + (process.pid % 50)}.${(process.pid >> 6) % 256}`
/** For a network of both families, and for one that has only its IPv6 in common with it. */
const NET6 = `192.168.${100 + (process.pid % 50)}`
const NET7 = `192.168.${150 + (process.pid % 50)}`
const ID6 = `${(process.pid % 65536).toString(16)}:7`

function file(content: string, mode = '0644'): FakeFile {
  return { kind: 'file', mode, content: Buffer.from(content) }
}

async function collect(stream: Readable | undefined): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of stream ?? Readable.from([])) chunks.push(Buffer.from(chunk as Buffer))
  return Buffer.concat(chunks)
}

/** Runs a command to its end. */
async function finish(child: MachineProcess): Promise<{ code: number; stdout: Buffer; stderr: Buffer }> {
  const [stdout, stderr, exit] = await Promise.all([collect(child.stdout), collect(child.stderr), child.exit])
  if (exit.kind !== 'code') throw new Error(JSON.stringify(exit))
  return { code: exit.code, stdout, stderr }
}

describe.each(engineKinds)('a %s engine', (kind) => {
  let under: EngineUnderTest
  let engine: Engine

  beforeAll(async () => {
    under = await prepareEngine(kind)
    engine = under.engine
  })
  afterAll(() => cleanEngine(engine))

  const up = async (name: string, over: Partial<ContainerConfig> = {}): Promise<string> => {
    const config = sleeper(name, over)
    await engine.createContainer(config)
    await engine.startContainer(config.name)
    return config.name
  }

  it('says what it is', async () => {
    const info = await engine.info()
    expect(info).toMatchObject({ os: 'linux', cgroupVersion: expect.stringMatching(/^[12]$/) })
    expect(info.arch).toMatch(/^(amd64|arm64)$/)
    expect(info.cpus).toBeGreaterThan(0)
    expect(info.memoryBytes).toBeGreaterThan(2 ** 28)
    expect(Number(info.apiVersion.split('.')[1])).toBeGreaterThanOrEqual(40)
  })

  it('makes, runs, stops, starts, renames and removes a container', async () => {
    const config = sleeper('life', { restart: 'always', env: { A: '1' } })
    const id = await engine.createContainer(config)
    expect(await engine.container(config.name)).toMatchObject({ id, state: 'created', image: IMAGE })
    await engine.startContainer(config.name)
    await engine.startContainer(config.name)
    const running = await engine.container(config.name)
    expect(running).toMatchObject({ state: 'running', labels: { 'airlift.test': PREFIX }, restarts: 0 })
    expect(running?.addresses.bridge).toMatch(/^172\.17\./)
    expect(JSON.stringify(running?.raw)).toContain('A=1')
    await sleep(300)
    expect((await engine.logs(config.name, { tail: 10 })).split('\n').sort()).toEqual(['', 'err', 'up'])
    expect((await engine.logs(config.name, { tail: 1 })).trim().split('\n')).toHaveLength(1)
    const { startedAt } = (await engine.container(config.name)) ?? {}
    const since = (at: string): Promise<string> => engine.logs(config.name, { tail: 10, since: at })
    // It prints before its engine has noted that it started.
    const before = new Date(Date.parse(startedAt ?? '') - 1_000).toISOString()
    expect(await since(before)).toContain('up\n')
    expect(await since('2999-01-01T00:00:00Z')).toBe('')
    expect((await collect(await engine.logStream(config.name))).toString()).toContain('up\n')
    const waits = engine.waitContainer(config.name)
    await engine.stopContainer(config.name, 3)
    await engine.stopContainer(config.name, 3)
    const code = await waits
    expect(await engine.container(config.name)).toMatchObject({ state: 'exited', exitCode: code })
    expect(await engine.waitContainer(config.name)).toBe(code)
    await engine.restartContainer(config.name, 3)
    expect((await engine.container(config.name))?.restart).toBe('always')
    await engine.setRestart(config.name, 'no')
    expect((await engine.container(config.name))?.restart).toBe('no')
    await engine.renameContainer(config.name, `${config.name}-2`)
    expect(await engine.container(config.name)).toBeUndefined()
    expect((await engine.containers([`airlift.test=${PREFIX}`])).map((one) => one.name)).toContain(
      `${config.name}-2`,
    )
    await expect(engine.removeContainer(`${config.name}-2`, { force: false })).rejects.toMatchObject({
      code: 'E_ENGINE_CONFLICT',
    })
    await engine.removeContainer(`${config.name}-2`, { force: true })
    await engine.removeContainer(`${config.name}-2`, { force: true })
    expect(await engine.container(`${config.name}-2`)).toBeUndefined()
  })

  it('finds containers by several labels, running or not', async () => {
    const labels = { 'airlift.test': PREFIX, 'airlift.one': 'x', bare: '' }
    await engine.createContainer(sleeper('labels', { labels }))
    const find = async (...wanted: string[]): Promise<number> => (await engine.containers(wanted)).length
    expect(await find(`airlift.test=${PREFIX}`, 'airlift.one=x')).toBe(1)
    expect(await find(`airlift.test=${PREFIX}`, 'airlift.one')).toBe(1)
    expect(await find(`airlift.test=${PREFIX}`, 'airlift.one=y')).toBe(0)
    expect((await engine.containers([])).length).toBeGreaterThanOrEqual(1)
  })

  describe('archives', () => {
    it('go into a container that never ran, with modes and links, and into its volumes', async () => {
      const volume = `${PREFIX}-data`
      await engine.createVolume(volume, { 'airlift.test': PREFIX })
      const config = sleeper('archive', {
        mounts: [{ kind: 'volume', source: volume, target: '/data/in', readOnly: false }],
      })
      await engine.createContainer(config)
      const tar = writeTar(
        new Map<string, FakeFile>([
          ['/etc/airlift', { kind: 'directory', mode: '0700', content: Buffer.alloc(0) }],
          ['/etc/airlift/token', file('secret', '0600')],
          ['/etc/link', { kind: 'link', mode: '0777', content: Buffer.alloc(0), link: 'airlift/token' }],
          ['/data/in/blob', file('in the volume')],
        ]),
      )
      await engine.putArchive(config.name, '/', tar)
      const back = await readTar(await collect(await engine.getArchive(config.name, '/etc/airlift')), '/etc')
      expect(back.get('/etc/airlift/token')).toEqual(file('secret', '0600'))
      const link = await readTar(await collect(await engine.getArchive(config.name, '/etc/link')), '/etc')
      expect(link.get('/etc/link')).toMatchObject({ kind: 'link', link: 'airlift/token' })
      const other = sleeper('archive-2', {
        mounts: [{ kind: 'volume', source: volume, target: '/images', readOnly: true }],
      })
      await engine.createContainer(other)
      const inVolume = await collect(await engine.getArchive(other.name, '/images/blob'))
      expect((await readTar(inVolume, '/images')).get('/images/blob')).toEqual(file('in the volume'))
    })

    it('may be streams of any length', async () => {
      const config = sleeper('archive-stream')
      await engine.createContainer(config)
      const content = randomBytes(20 << 20)
      const tar = writeTar(new Map([['/big', { ...file(''), content }]]))
      const slices = function* (): Generator<Buffer> {
        for (let at = 0; at < tar.length; at += 1 << 20) yield tar.subarray(at, at + (1 << 20))
      }
      await engine.putArchive(config.name, '/tmp', Readable.from(slices()))
      const back = await readTar(await collect(await engine.getArchive(config.name, '/tmp/big')), '/')
      expect(back.get('/big')?.content.equals(content)).toBe(true)
    })

    it('tell a missing path from a missing container', async () => {
      const config = sleeper('archive-missing')
      await engine.createContainer(config)
      expect(await engine.getArchive(config.name, '/no/such')).toBeUndefined()
      expect(await engine.hasPath(config.name, '/no/such')).toBe(false)
      expect(await engine.hasPath(config.name, '/etc')).toBe(true)
      await expect(engine.hasPath(`${PREFIX}-none`, '/etc')).rejects.toMatchObject({
        code: 'E_ENGINE_NOT_FOUND',
      })
      const gone = engine.getArchive(`${PREFIX}-none`, '/etc')
      await expect(gone).rejects.toMatchObject({ code: 'E_ENGINE_NOT_FOUND' })
      const put = engine.putArchive(config.name, '/no/such', writeTar(new Map([['/x', file('x')]])))
      await expect(put).rejects.toMatchObject({ code: 'E_ENGINE_NOT_FOUND', machine: config.name })
    })

    it('that break are passed on as they broke', async () => {
      const config = sleeper('archive-broken')
      await engine.createContainer(config)
      const broken = Readable.from(
        (async function* () {
          yield writeTar(new Map([['/x', file('x'.repeat(4_000))]])).subarray(0, 2_000)
          throw new Error('the source broke')
        })(),
      )
      await expect(engine.putArchive(config.name, '/tmp', broken)).rejects.toThrow(/the source broke/)
    })
  })

  describe('exec', () => {
    let name = ''
    beforeAll(async () => {
      name = await up('exec')
    })

    it('keeps stdout, stderr and the exit code apart', async () => {
      const child = await engine.exec(name, ['/bin/sh', '-c', 'echo out; echo err >&2; exit 42'])
      child.stdin.end()
      expect(await finish(child)).toEqual({
        code: 42,
        stdout: Buffer.from('out\n'),
        stderr: Buffer.from('err\n'),
      })
    })

    it('carries 10 MB in and out, byte for byte, and ends when stdin ends', async () => {
      const data = randomBytes(10 << 20)
      const child = await engine.exec(name, ['cat'])
      const slices = function* (): Generator<Buffer> {
        for (let at = 0; at < data.length; at += 100_003) yield data.subarray(at, at + 100_003)
      }
      Readable.from(slices()).pipe(child.stdin)
      const result = await finish(child)
      expect(result.code).toBe(0)
      expect(result.stdout.equals(data)).toBe(true)
    })

    it('does not read ahead of who reads', async () => {
      const child = await engine.exec(name, ['/bin/sh', '-c', 'head -c 60000000 /dev/zero; echo done >&2'])
      child.stdin.end()
      let ended = false
      void finished(child.stderr.resume()).then(() => {
        ended = true
      })
      await sleep(1_500)
      expect(ended).toBe(false)
      expect(child.stdout.readableLength).toBeLessThan(4 << 20)
      let bytes = 0
      for await (const chunk of child.stdout) bytes += (chunk as Buffer).length
      expect(bytes).toBe(60_000_000)
      expect(await child.exit).toEqual({ kind: 'code', code: 0 })
    })

    it('does not lose output when a command ends without reading its input', async () => {
      for (let i = 0; i < 10; i++) {
        const child = await engine.exec(name, ['/bin/sh', '-c', 'echo first; echo last; exit 5'])
        child.stdin.on('error', () => {})
        Readable.from([Buffer.alloc(1 << 20), Buffer.alloc(1 << 20), Buffer.alloc(1 << 20)]).pipe(child.stdin)
        const result = await finish(child)
        expect(result).toMatchObject({ code: 5 })
        expect(result.stdout.toString()).toBe('first\nlast\n')
      }
    })

    it('runs many at once', async () => {
      const results = await Promise.all(
        Array.from({ length: 12 }, async (_, i) => {
          const child = await engine.exec(name, ['/bin/sh', '-c', `sleep 0.2; echo ${i}`])
          child.stdin.end()
          return (await finish(child)).stdout.toString()
        }),
      )
      expect(results).toEqual(Array.from({ length: 12 }, (_, i) => `${i}\n`))
    })

    it('is lost when the container stops under it', async () => {
      const victim = await up('exec-victim')
      const child = await engine.exec(victim, ['sleep', '30'])
      child.stdout.resume()
      child.stderr.resume()
      await engine.stopContainer(victim, 1)
      expect(await child.exit).toEqual({ kind: 'lost', reason: expect.stringContaining('stopped') })
      const again = engine.exec(victim, ['true'])
      await expect(again).rejects.toMatchObject({ code: 'E_ENGINE', machine: victim })
    })

    it('says that there is no such container', async () => {
      const wrong = engine.exec(`${PREFIX}-none`, ['true'])
      await expect(wrong).rejects.toMatchObject({ code: 'E_ENGINE_NOT_FOUND' })
    })
  })

  describe('networks', () => {
    const name = `${PREFIX}-net`
    const network = { name, subnet: `${NET}.0/24`, gateway: `${NET}.1`, labels: { 'airlift.test': PREFIX } }

    it('give fixed addresses, and keep them over stop and start', async () => {
      await engine.createNetwork(network)
      expect(await engine.network(name)).toMatchObject({
        name,
        subnets: [network.subnet],
        gateway: network.gateway,
        labels: network.labels,
        driver: 'bridge',
      })
      const at = await up('net', { network: name, address: `${NET}.7` })
      expect((await engine.container(at))?.addresses).toEqual({ [name]: `${NET}.7` })
      expect((await engine.network(name))?.containers).toEqual({ [at]: `${NET}.7` })
      await engine.stopContainer(at, 1)
      expect((await engine.container(at))?.addresses).toEqual({ [name]: `${NET}.7` })
      await engine.startContainer(at)
      expect((await engine.container(at))?.addresses).toEqual({ [name]: `${NET}.7` })
    })

    it('refuse a name, a subnet and an address that are taken', async () => {
      await expect(engine.createNetwork(network)).rejects.toMatchObject({
        code: 'E_ENGINE_CONFLICT',
        message: expect.stringContaining(name),
      })
      const overlap = { ...network, name: `${name}-2`, subnet: `${NET}.128/25`, gateway: `${NET}.129` }
      await expect(engine.createNetwork(overlap)).rejects.toMatchObject({
        code: 'E_ENGINE_CONFLICT',
        message: expect.stringContaining('overlaps'),
      })
      await engine.createContainer(sleeper('net-2', { network: name, address: `${NET}.7` }))
      await expect(engine.startContainer(`${PREFIX}-net-2`)).rejects.toMatchObject({
        code: 'E_ENGINE_CONFLICT',
        message: expect.stringContaining('address'),
        machine: `${PREFIX}-net-2`,
      })
      await expect(engine.removeNetwork(name)).rejects.toMatchObject({ code: 'E_ENGINE_CONFLICT' })
    })

    it('of both families give a fixed address of each, and keep them over stop and start', async (test) => {
      const dual = `${PREFIX}-net6`
      const { subnet, gateway } = { subnet: `${NET6}.0/24`, gateway: `${NET6}.1` }
      const six = { subnet6: `fd00:${ID6}::/64`, gateway6: `fd00:${ID6}::1` }
      try {
        await engine.createNetwork({ ...network, name: dual, subnet, gateway, ...six })
      } catch (error) {
        if (isAirliftError(error) && /IPv6/.test(error.message)) test.skip(error.message)
        throw error
      }
      expect(await engine.network(dual)).toMatchObject({
        subnets: [subnet, six.subnet6],
        gateway,
        gateway6: six.gateway6,
      })
      const fixed = { address: `${NET6}.7`, address6: `fd00:${ID6}::7` }
      const at = await up('net6', { network: dual, ...fixed })
      const addresses = async () => {
        const found = await engine.container(at)
        return [found?.addresses[dual], found?.addresses6?.[dual]]
      }
      expect(await addresses()).toEqual([fixed.address, fixed.address6])
      expect(await engine.network(dual)).toMatchObject({
        containers: { [at]: fixed.address },
        containers6: { [at]: fixed.address6 },
      })
      await engine.stopContainer(at, 1)
      expect(await addresses()).toEqual([fixed.address, fixed.address6])
      await engine.startContainer(at)
      expect(await addresses()).toEqual([fixed.address, fixed.address6])
      const overlap = { ...network, name: `${dual}-2`, subnet: `${NET7}.0/24`, gateway: `${NET7}.1`, ...six }
      await expect(engine.createNetwork(overlap)).rejects.toMatchObject({
        code: 'E_ENGINE_CONFLICT',
        message: expect.stringContaining('overlaps'),
      })
    })

    it('are not there when they are not there', async () => {
      expect(await engine.network(`${PREFIX}-none`)).toBeUndefined()
      await engine.removeNetwork(`${PREFIX}-none`)
      expect((await engine.networks()).map((one) => one.name)).toContain('bridge')
    })
  })

  it('publishes ports, chooses free ones, and refuses those that are taken', async () => {
    const port = (hostPort: number) =>
      ({ address: '127.0.0.1', hostPort, containerPort: 80, protocol: 'tcp' }) as const
    const first = await up('port', { ports: [port(0)] })
    const [bound] = (await engine.container(first))?.ports ?? []
    expect(bound).toMatchObject({ address: '127.0.0.1', containerPort: 80, protocol: 'tcp' })
    expect(bound?.hostPort).toBeGreaterThan(0)
    await engine.createContainer(sleeper('port-2', { ports: [port(bound?.hostPort ?? 0)] }))
    await expect(engine.startContainer(`${PREFIX}-port-2`)).rejects.toMatchObject({
      code: 'E_ENGINE_CONFLICT',
      message: expect.stringContaining(String(bound?.hostPort)),
    })
  })

  it('refuses a name that is taken, an image that is missing, and a bind of nothing', async () => {
    await engine.createContainer(sleeper('twice'))
    await expect(engine.createContainer(sleeper('twice'))).rejects.toMatchObject({
      code: 'E_ENGINE_CONFLICT',
      message: expect.stringContaining(`${PREFIX}-twice`),
    })
    const missing = sleeper('missing', { image: `${PREFIX}:none` })
    await expect(engine.createContainer(missing)).rejects.toMatchObject({
      code: 'E_IMAGE_MISSING',
      exit: 5,
      message: expect.stringContaining(`${PREFIX}:none`),
    })
    await expect(engine.startContainer(`${PREFIX}-none`)).rejects.toMatchObject({
      code: 'E_ENGINE_NOT_FOUND',
    })
  })

  it('keeps volumes with their labels, and refuses to remove one in use', async () => {
    const name = `${PREFIX}-volume`
    const labels = { 'airlift.test': PREFIX, kind: 'a' }
    expect(await engine.createVolume(name, labels)).toMatchObject(labels)
    // One that is there keeps what it has, and says so: of two that make it, one learns that it was not the first.
    expect(await engine.createVolume(name, { ...labels, kind: 'b' })).toMatchObject(labels)
    expect(await engine.volumes([`airlift.test=${PREFIX}`, 'kind=a'])).toEqual([
      { name, labels: { 'airlift.test': PREFIX, kind: 'a' } },
    ])
    const mounts = [{ kind: 'volume', source: name, target: '/v', readOnly: false }] as const
    const at = await up('volume', { mounts })
    expect((await engine.container(at))?.mounts).toEqual([{ kind: 'volume', source: name, target: '/v' }])
    await expect(engine.removeVolume(name)).rejects.toMatchObject({ code: 'E_ENGINE_CONFLICT' })
    await engine.removeContainer(at, { force: true })
    expect(await engine.volumes(['kind=a'])).toHaveLength(1)
    await engine.removeVolume(name)
    await engine.removeVolume(name)
    expect(await engine.volumes(['kind=a'])).toEqual([])
  })

  it('has the image that was made, with what the changes said', async () => {
    const found = await engine.image(IMAGE)
    expect(found).toMatchObject({
      tags: [IMAGE],
      entrypoint: ['/bin/sh'],
      labels: { 'airlift.test': 'image' },
    })
    expect(found?.env).toContain('PATH=/bin')
    expect(found?.sizeBytes).toBeGreaterThan(100_000)
    expect(await engine.image(found?.id ?? '')).toEqual(found)
    expect(await engine.image(`docker.io/library/${IMAGE}`)).toEqual(found)
    expect((await engine.images(['airlift.test=image'])).some((one) => one.tags.includes(IMAGE))).toBe(true)
    expect((await engine.imagesNamed([PREFIX, `${PREFIX}/none`])).map((one) => one.tags)).toEqual([[IMAGE]])
    expect(await engine.imagesNamed([`${PREFIX}/none`])).toEqual([])
    expect(await engine.image(`${PREFIX}/none:1`)).toBeUndefined()
    await engine.removeImage(`${PREFIX}/none:1`)
  })

  it('saves images as a docker archive', async () => {
    const archive = await readTar(await collect(await engine.saveImages([IMAGE], 'linux/amd64')), '/')
    const manifest = JSON.parse(archive.get('/manifest.json')?.content.toString() ?? '[]')
    expect(manifest).toMatchObject([{ RepoTags: [IMAGE] }])
    expect(archive.get(`/${manifest[0].Layers[0]}`)?.content.length).toBeGreaterThan(100_000)
    await expect(
      engine.saveImages([`${PREFIX}/none:1`]).then((stream) => collect(stream)),
    ).rejects.toMatchObject({ code: 'E_IMAGE_MISSING' })
  })

  it('says that an image cannot be pulled, before it is tried too', async () => {
    const ref = `localhost:1/${PREFIX}/none:1`
    const refusal = {
      code: 'E_IMAGE_MISSING',
      message: expect.stringContaining(`${PREFIX}/none:1 cannot be pulled`),
    }
    await expect(engine.pullImage(ref)).rejects.toMatchObject(refusal)
    await expect(engine.checkPull(ref)).rejects.toMatchObject(refusal)
  })

  it('ends with the process of the container', async () => {
    const name = await up('ends')
    const waits = engine.waitContainer(name)
    await under.end(name)
    expect(await waits).toBeTypeOf('number')
    expect((await engine.container(name))?.state).toBe('exited')
  })
})
