import { createHash } from 'node:crypto'
import { hostname } from 'node:os'
import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import type { Engine, EngineNetwork } from '../machine/docker/engine.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { add } from './add.js'
import {
  belongings,
  type ContainerLab,
  containerHome,
  containersNamed,
  tinyRootfs,
} from './containers.fixture.js'
import { type RunOutcome, run } from './run.js'

// Commands that make clusters on one engine at the same moment.

const home = containerHome()
const up = (own: ContainerLab, spec: ClusterSpec, engine: Engine = own.engine): Promise<RunOutcome> =>
  run({ spec, rootfs: tinyRootfs(), kubeconfig: 'none' }, own.ctx, {
    ...own.deps,
    connectEngine: async () => engine,
  })

/** Names of clusters whose search for a subnet begins at the same one. */
function rivals(): [string, string] {
  const place = (name: string): number => createHash('sha256').update(name).digest().readUInt32BE(0) % 256
  for (let i = 0; ; i++) if (place(`c${i}`) === place('dev')) return ['dev', `c${i}`]
}

/** An engine for each of several commands: none is told of networks before all have asked. */
function togetherAt(own: ContainerLab, count: number): Engine[] {
  let waiting = count
  let go = (): void => {}
  const all = new Promise<void>((resolve) => {
    go = resolve
  })
  return Array.from({ length: count }, () => ({
    ...own.engine,
    async networks(): Promise<readonly EngineNetwork[]> {
      const found = await own.engine.networks()
      if (--waiting <= 0) go()
      await all
      return found
    },
  }))
}

describe('two clusters that are made at the same moment', () => {
  it('get a subnet each, although both would take the same', async () => {
    const own = home.lab()
    const [one, other] = rivals()
    const engines = togetherAt(own, 2)
    const outcomes = await Promise.all(
      [one, other].map((name, i) => up(own, containersNamed(name), engines[i])),
    )
    expect(outcomes.map(({ error }) => error)).toEqual([undefined, undefined])
    const networks = (await own.engine.networks()).filter(({ name }) => name.startsWith('airlift-'))
    expect(new Set(networks.flatMap(({ subnets }) => subnets)).size).toBe(2)
    for (const name of [one, other]) {
      const subnet = networks.find((network) => network.name === `airlift-${name}`)?.subnets[0] ?? ''
      const worker = await own.engine.container(`airlift-${name}-worker-0`)
      expect(worker?.state).toBe('running')
      expect(Object.values(worker?.addresses ?? {})[0]).toContain(subnet.replace(/\d+\/24$/, ''))
    }
  })

  it('get a port each: one that is taken after it was chosen is chosen anew', async () => {
    const own = home.lab()
    const text =
      'driver failed programming external connectivity: Bind for 127.0.0.1:PORT failed: port is already allocated'
    let first: number | undefined
    const engine: Engine = {
      ...own.engine,
      async startContainer(name) {
        const port = (await own.engine.container(name))?.ports[0]?.hostPort
        if (port !== undefined && first === undefined) {
          first = port
          own.engine.fail({
            method: 'startContainer',
            error: { status: 500, text: text.replace('PORT', String(port)) },
          })
        }
        return own.engine.startContainer(name)
      },
    }
    expect((await up(own, testContainers(1, 1), engine)).error).toBeUndefined()
    const now = (await own.engine.container('airlift-dev-master-0'))?.ports[0]?.hostPort
    expect(first).toBeGreaterThan(0)
    expect(now).toBeGreaterThan(0)
    expect(now).not.toBe(first)
  })

  it.each([
    [
      'subnet',
      { subnet: '10.77.0.0/24' },
      'createNetwork',
      'Pool overlaps with other one on this address space',
    ],
    [
      'port',
      { api: { address: '127.0.0.1', port: 7000 } },
      'startContainer',
      'Bind for 127.0.0.1:7000 failed: port is already allocated',
    ],
  ] as const)('are not given another %s than the user named', async (_, more, method, text) => {
    const own = home.lab()
    own.engine.fail({ method, error: { status: 500, text } })
    const { error } = await up(own, testContainers(1, 0, more))
    expect(error).toMatchObject({ code: 'E_ENGINE_CONFLICT' })
    expect(own.engine.calls.filter((call) => call.method === 'createNetwork')).toHaveLength(1)
    expect(await belongings(own.engine, 'dev')).toEqual([])
  })

  it('do not try for ever', async () => {
    const own = home.lab()
    const error = { status: 403, text: 'Pool overlaps with other one on this address space' }
    own.engine.fail({ method: 'createNetwork', error, times: 99 })
    expect((await up(own, testContainers(1, 0))).error).toMatchObject({ code: 'E_ENGINE_CONFLICT' })
    expect(own.engine.calls.filter((call) => call.method === 'createNetwork')).toHaveLength(3)
    expect(await belongings(own.engine, 'dev')).toEqual([])
  })
})

describe('two commands that make one cluster at the same moment', () => {
  /** The same engine as another process sees it: what it makes has another maker. */
  const asOther = (own: ContainerLab, maker: string): Engine => {
    const labelled = (labels: Readonly<Record<string, string>>) => ({ ...labels, 'airlift.maker': maker })
    return {
      ...own.engine,
      // It knows its own word when it sees it.
      async createVolume(name, labels) {
        const found = await own.engine.createVolume(name, labelled(labels))
        return found['airlift.maker'] === maker ? labels : found
      },
      createNetwork: (network) => own.engine.createNetwork({ ...network, labels: labelled(network.labels) }),
      createContainer: (config) => own.engine.createContainer({ ...config, labels: labelled(config.labels) }),
    }
  }

  it('one makes it, the other learns that at its first word and leaves it alone', async () => {
    const own = home.lab()
    // The parent of this process is another one, and lives.
    const [first, second] = togetherAt(own, 2)
    const theirs = asOther(
      { ...own, engine: { ...own.engine, ...first } as never },
      `${process.ppid}@${hostname()}`,
    )
    let begun = (): void => {}
    const isBegun = new Promise<void>((resolve) => {
      begun = resolve
    })
    const winner = up(own, testContainers(1, 1), {
      ...theirs,
      createVolume: async (...args) => {
        const labels = await theirs.createVolume(...args)
        begun()
        return labels
      },
    })
    const late: Engine = {
      ...own.engine,
      ...second,
      createVolume: async (...args) => {
        await isBegun
        return own.engine.createVolume(...args)
      },
    }
    const { error } = await up(own, testContainers(1, 1), late)
    expect(error).toMatchObject({ code: 'E_LOCKED', data: { maker: `${process.ppid}@${hostname()}` } })
    expect(error?.message).toContain('another airlift is making the cluster "dev"')
    expect((await winner).error).toBeUndefined()
    expect(await belongings(own.engine, 'dev')).toContain('container airlift-dev-worker-0 running')
  })

  it.each([
    ['lives here', `${process.ppid}@${hostname()}`, true],
    ['is dead', `4194305@${hostname()}`, false],
    ['began just now on another computer', '1@elsewhere', true],
  ])('the later is refused where the earlier %s', async (_, maker, refused) => {
    const own = home.lab()
    // As far as it had come: the volume, the network, a container without its files.
    const engine = asOther(own, maker)
    own.engine.fail({ method: 'putArchive', error: { status: 500, text: 'killed' }, times: 2 })
    await up(own, testContainers(1, 1, { keep: true }), engine)
    const before = await belongings(own.engine, 'dev')
    expect(before.length).toBeGreaterThan(2)
    const spoiled = home.lab()
    const again = await up({ ...spoiled, engine: own.engine }, testContainers(1, 1)).catch((error) => error)
    if (refused) {
      expect(again).toMatchObject({ code: 'E_LOCKED' })
      expect(await belongings(own.engine, 'dev')).toEqual(before)
    } else expect(again.code).toBeUndefined()
  })
})

it('two that add a node of one number: the later takes back its own, and leaves that of the other', async () => {
  const own = home.lab()
  await up(own, testContainers(1, 1))
  const labels = {
    'airlift.cluster': 'dev',
    'airlift.maker': `${process.ppid}@${hostname()}`,
    'airlift.created': new Date().toISOString(),
  }
  // The other one is at its first volume.
  await own.engine.createVolume('airlift-dev-worker-1', labels)
  const more = testContainers(0, 3)
  const joining = { ...more, nodes: more.nodes.slice(1) }
  const cluster = { name: 'dev', masters: [], nodes: [], ssh: more.ssh }
  const { error } = await add({ cluster, joining }, own.ctx, own.deps)
  expect(error).toMatchObject({ code: 'E_LOCKED' })
  const left = await belongings(own.engine, 'dev')
  expect(left).toContain('volume airlift-dev-worker-1')
  expect(left.filter((name) => name.includes('worker-2'))).toEqual([])
  expect(left).toContain('container airlift-dev-worker-0 running')
})
