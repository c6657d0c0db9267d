import { describe, expect, it } from 'vitest'
import { PLAIN_CONTAINER } from '../../cluster/container-spec.js'
import { testManifest } from '../k3s/world.fixture.js'
import { configOf, creations, outline, planAll, settled } from './plan.fixture.js'
import { testContainers, testContainerWorld, testEngine, testInfo, withNodes } from './world.fixture.js'

describe('a new cluster', () => {
  it('of one master and two workers makes all containers at once', async () => {
    const spec = testContainers(1, 2)
    const plan = planAll(spec, testContainerWorld(spec))
    expect(outline(plan)).toEqual([
      'engine/network [volume.create network.create]',
      'engine/image [image.build]',
      'engine/images [image.fill] after engine/network, engine/image',
      'master-0/create [volume.create volume.create volume.create volume.create container.create] after engine/network, engine/image',
      'master-0/start [container.start wait] after master-0/create, engine/images',
      'master-0/ready [wait script wait wait] after master-0/start',
      'worker-0/create [volume.create volume.create volume.create volume.create container.create] after engine/network, engine/image',
      'worker-0/start [container.start wait wait script] after worker-0/create, engine/images, master-0/start',
      'worker-1/create [volume.create volume.create volume.create volume.create container.create] after engine/network, engine/image',
      'worker-1/start [container.start wait wait script] after worker-1/create, engine/images, master-0/start',
    ])
    await expect(JSON.stringify(plan, null, 2)).toMatchFileSnapshot('golden/one-master-two-workers.json')
  })

  it('of three masters puts the load balancer first and starts the others together', async () => {
    const spec = testContainers(3, 1)
    const plan = planAll(spec, testContainerWorld(spec))
    expect(outline(plan).filter((line) => line.includes('/start'))).toEqual([
      'lb/start [container.start] after lb/create',
      'master-0/start [container.start wait] after master-0/create, engine/images',
      'master-0/ready [wait script wait wait] after master-0/start',
      'master-1/start [container.start wait wait wait script] after master-1/create, engine/images, master-0/start, lb/start',
      'master-2/start [container.start wait wait wait script] after master-2/create, engine/images, master-0/start, lb/start',
      'cluster/votes [wait] after master-0/start',
      'worker-0/start [container.start wait wait script] after worker-0/create, engine/images, master-0/start, lb/start',
    ])
    const votes = plan.steps.find((step) => step.id === 'cluster/votes')
    const joining = ['master-1', 'master-2'].map((name) => `airlift-dev-${name}/start`)
    expect(votes).toMatchObject({ machine: 'docker://airlift-dev-master-0', assists: joining })
    const text = JSON.stringify(plan, null, 2)
    await expect(text).toMatchFileSnapshot('golden/three-masters.json')
    expect(configOf(plan, 'airlift-dev-master-0')).toContain('cluster-init: true')
    const servers = ['master-1', 'master-2', 'worker-0'].map(
      (name) => /^server: .*$/m.exec(configOf(plan, `airlift-dev-${name}`))?.[0],
    )
    // Workers through the load balancer; masters through the first one itself, whose etcd they ask.
    expect(servers).toEqual([3, 3, 2].map((last) => `server: "https://10.118.154.${last}:6443"`))
  })

  it('publishes the API once: at the load balancer, or at the only master', () => {
    const at = (masters: number): string[] => {
      const spec = testContainers(masters, 1)
      return creations(planAll(spec, testContainerWorld(spec)))
        .filter((made) => made.config.ports.length > 0)
        .map(
          ({ config }) =>
            `${config.name} ${config.ports.map((port) => `${port.address}:${port.hostPort}:${port.containerPort}`)}`,
        )
    }
    expect(at(1)).toEqual(['airlift-dev-master-0 127.0.0.1:40001:6443'])
    expect(at(3)).toEqual(['airlift-dev-lb 127.0.0.1:40001:6443'])
  })

  it('takes the first network that neither the engine nor its computer uses', () => {
    const spec = testContainers(1, 0)
    const network = testEngine().networks[0]
    const engine = testEngine({
      networks: network ? [{ ...network, name: 'other', subnets: ['10.118.154.0/23'] }] : [],
      routes: ['0.0.0.0/0', '10.118.156.128/25'],
    })
    const [step] = planAll(spec, testContainerWorld(spec, engine)).steps
    expect(step?.actions[1]).toMatchObject({ subnet: '10.118.157.0/24', gateway: '10.118.157.1' })
  })

  it('uses the image of k3s itself where the engine has it, and builds none', () => {
    const spec = testContainers(1, 0)
    const image = { id: 'i', tags: [], arch: 'amd64', sizeBytes: 1, labels: {}, entrypoint: [], env: [] }
    const engine = testEngine({ images: new Map([['rancher/k3s:v1.33.1-k3s1', image]]) })
    const plan = planAll(spec, testContainerWorld(spec, engine))
    expect(outline(plan).some((line) => line.startsWith('engine/image '))).toBe(false)
    expect(creations(plan)[0]?.config.image).toBe('rancher/k3s:v1.33.1-k3s1')
  })

  it('pulls an image that the user names and that is not there', () => {
    const spec = testContainers(1, 0, { image: 'registry.local/k3s:1' })
    const step = planAll(spec, testContainerWorld(spec)).steps.find((one) => one.id === 'engine/image')
    expect(step?.actions).toEqual([{ kind: 'image', op: 'pull', ref: 'registry.local/k3s:1' }])
  })

  it('runs an image alone where there is no rootfs, and what it holds is in the labels', () => {
    const spec = testContainers(1, 1, { image: 'registry.local/k3s:v1.35.2-k3s1-own' })
    const engine = testEngine({ info: { ...testInfo, cgroupVersion: '1' } })
    const { rootfs: _, ...world } = testContainerWorld(spec, engine)
    const plan = planAll(spec, world)
    expect(outline(plan)).toEqual([
      'engine/network [volume.create network.create]',
      'engine/image [image.pull]',
      'master-0/create [volume.create volume.create volume.create volume.create container.create] after engine/network, engine/image',
      'master-0/start [container.start wait] after master-0/create',
      'master-0/ready [wait script wait] after master-0/start',
      'worker-0/create [volume.create volume.create volume.create volume.create container.create] after engine/network, engine/image',
      'worker-0/start [container.start wait script] after worker-0/create, master-0/start',
    ])
    expect(creations(plan).map(({ config }) => config.labels['airlift.version'])).toEqual([
      'v1.35.2+k3s1',
      'v1.35.2+k3s1',
    ])
    // The kubelet of that release has to be told; that of 1.33 would not start with it where cgroups are of version 2.
    expect(configOf(plan, 'airlift-dev-worker-0')).toContain('fail-cgroupv1=false')
    expect(configOf(plan, 'airlift-dev-worker-0')).not.toContain('undefined')
  })

  it('says nothing of a release that nothing tells', () => {
    const spec = testContainers(1, 0, { image: 'registry.local/k3s:mine' })
    const engine = testEngine({ info: { ...testInfo, cgroupVersion: '1' } })
    const { rootfs: _, ...world } = testContainerWorld(spec, engine)
    const plan = planAll(spec, world)
    expect(creations(plan)[0]?.config.labels['airlift.version']).toBe('')
    expect(configOf(plan, 'airlift-dev-master-0')).not.toContain('fail-cgroupv1')
    const said = testContainers(1, 0, { image: 'registry.local/k3s:mine', release: 'v1.36.0+k3s1' })
    const again = { ...testContainerWorld(said, engine), rootfs: undefined as never }
    expect(creations(planAll(said, again))[0]?.config.labels['airlift.version']).toBe('v1.36.0+k3s1')
  })

  it('holds no secrets, only their names', () => {
    const spec = testContainers(1, 1)
    const secretive = {
      ...spec,
      masters: spec.masters.map((node) => ({
        ...node,
        container: {
          ...PLAIN_CONTAINER,
          env: { HTTPS_PROXY: 'http://u:hunter22@proxy' },
          k3sArgs: ['--datastore-endpoint=postgres://u:hunter22@db/k', '--disable=traefik'],
          files: [{ path: '/etc/secret', mode: '0600', content: Buffer.from('hunter22') }],
        },
      })),
      config: { 'agent-token': 'hunter22' },
    }
    const text = JSON.stringify(planAll(secretive, testContainerWorld(secretive)))
    expect(text).not.toContain('hunter22')
    expect(text).not.toContain(Buffer.from('hunter22').toString('base64'))
    expect(text).not.toContain('0123456789abcdef')
    expect(text).toContain('{{secret:env:airlift-dev-master-0:HTTPS_PROXY}}')
    expect(text).toContain('--disable=traefik')
  })
})

describe('run again', () => {
  it.each([
    [1, 0],
    [1, 2],
    [3, 1],
  ])('has nothing to do for %i masters and %i workers', (masters, workers) => {
    const spec = testContainers(masters, workers)
    expect(outline(planAll(spec, settled(spec, testContainerWorld(spec))))).toEqual([])
  })

  it('and grown without a rootfs gives new nodes the image and the release of the others', () => {
    const spec = testContainers(1, 0)
    const built = settled(spec, testContainerWorld(spec))
    const [container] = built.engine?.containers ?? []
    const grown = testContainers(1, 1)
    const { rootfs: _, ...world } = testContainerWorld(grown, built.engine, (name) => {
      const machine = built.machines.find((entry) => entry.name === name)
      return machine ? { facts: machine.facts, installed: machine.installed } : {}
    })
    const plan = planAll(grown, world)
    expect(creations(plan).map(({ config }) => [config.name, config.image])).toEqual([
      ['airlift-dev-worker-0', container?.image],
    ])
    expect(container?.image).toMatch(/^airlift\/k3s:v1\.33\.1-k3s1-/)
    expect(creations(plan)[0]?.config.labels['airlift.version']).toBe('v1.33.1+k3s1')
    // No registry has what airlift made: that is found before anything is.
    const without = { ...world, engine: testEngine({ ...built.engine, images: new Map() }) }
    expect(() => planAll(grown, without)).toThrow(/does not have it any more/)
    expect(planAll(spec, { ...without, machines: built.machines }).steps).toEqual([])
    expect(planAll(grown, { ...without, rootfs: { manifest: testManifest } }).steps[0]?.title).toBe(
      'make the node image from the rootfs',
    )
  })

  it('has nothing to do where ports were left to airlift', () => {
    const port = {
      address: '127.0.0.1',
      hostPort: 0,
      containerPort: 80,
      protocol: 'tcp',
      via: 'proxy',
      nodes: [],
    } as const
    const spec = testContainers(1, 1, { ports: [port, { ...port, containerPort: 443 }] })
    const world = settled(spec, testContainerWorld(spec))
    expect(outline(planAll(spec, world))).toEqual([])
    expect(world.engine?.containers[0]?.ports.map((one) => one.hostPort)).toEqual([40001, 40002, 40003])
  })

  it('starts what was stopped, and completes it first', () => {
    const spec = testContainers(1, 1)
    const world = settled(spec, testContainerWorld(spec), ({ config }) =>
      config.name.endsWith('worker-0') ? { state: 'exited' } : {},
    )
    expect(outline(planAll(spec, world))).toEqual([
      'worker-0/create [volume.create volume.create volume.create volume.create container.create]',
      'worker-0/start [container.start wait wait wait script] after worker-0/create',
    ])
  })

  it('makes a node that is missing at a free address, and keeps those of the others', () => {
    const small = testContainers(1, 1)
    const spec = testContainers(1, 2)
    const before = settled(small, testContainerWorld(small))
    const world = testContainerWorld(spec, before.engine, (name) => {
      const { node: _, ...rest } = before.machines.find((machine) => machine.name === name) ?? {}
      return rest
    })
    const plan = planAll(spec, world)
    expect(outline(plan)).toEqual([
      'worker-1/create [volume.create volume.create volume.create volume.create container.create]',
      'worker-1/start [container.start wait wait script] after worker-1/create',
    ])
    expect(creations(plan)[0]?.config.address).toBe('10.118.154.5')
  })

  it('adds masters to a cluster that carries data one after the other, and tells the load balancer', () => {
    const small = testContainers(2, 0)
    const spec = testContainers(4, 0)
    const before = settled(small, testContainerWorld(small))
    const world = testContainerWorld(spec, before.engine, (name) => {
      const { node: _, ...rest } = before.machines.find((machine) => machine.name === name) ?? {}
      return rest
    })
    expect(outline(planAll(spec, world)).filter((line) => /start|targets/.test(line))).toEqual([
      'lb/targets [write]',
      'master-2/start [container.start wait wait wait script] after master-2/create, lb/targets',
      'master-3/start [container.start wait wait wait script] after master-3/create, master-2/start, lb/targets',
    ])
  })

  it('never founds a second cluster where the founder is gone', () => {
    const spec = testContainers(3, 0)
    const full = settled(spec, testContainerWorld(spec))
    const containers = full.engine?.containers.filter((one) => !one.name.endsWith('master-0')) ?? []
    const world = testContainerWorld(spec, testEngine({ ...full.engine, containers }), (name) => {
      if (name.endsWith('master-0')) return {}
      const { node: _, ...rest } = full.machines.find((machine) => machine.name === name) ?? {}
      return rest
    })
    const plan = planAll(spec, world)
    expect(configOf(plan, 'airlift-dev-master-0')).toContain('server: "https://10.118.154.4:6443"')
    expect(configOf(plan, 'airlift-dev-master-0')).not.toContain('cluster-init')
  })

  it('founds it after all where a run died before anything was started', () => {
    const spec = testContainers(3, 0)
    const full = settled(spec, testContainerWorld(spec), () => ({
      state: 'created',
      startedAt: '0001-01-01T00:00:00Z',
    }))
    const containers = full.engine?.containers.filter((one) => !one.name.endsWith('master-0')) ?? []
    const plan = planAll(spec, testContainerWorld(spec, testEngine({ ...full.engine, containers })))
    expect(configOf(plan, 'airlift-dev-master-0')).toContain('cluster-init: true')
  })

  it('restarts a node whose configuration changed, and no other', () => {
    const spec = testContainers(1, 1)
    const world = settled(spec, testContainerWorld(spec))
    const [master, worker] = world.machines
    const changed = { ...spec, masters: spec.masters.map((node) => ({ ...node, labels: { tier: 'gold' } })) }
    const machines = [master, worker].flatMap((machine, i) =>
      machine ? [{ ...machine, node: [...changed.masters, ...changed.nodes][i] ?? machine.node }] : [],
    )
    expect(outline(planAll(changed, { ...world, machines }))).toEqual([
      'master-0/start [write container.restart wait]',
      'master-0/ready [wait script wait wait wait] after master-0/start',
    ])
  })

  it.each([
    ['--memory', { memoryBytes: 1e9 }],
    ['--cpus', { cpus: 1.5 }],
  ] as const)('refuses a changed %s by its name, and another for new nodes is fine', (flag, own) => {
    const spec = testContainers(1, 1)
    const world = settled(spec, testContainerWorld(spec))
    expect(() => planAll(withNodes(spec, own), world)).toThrow(
      expect.objectContaining({ code: 'E_REMOVE_REFUSED', message: expect.stringContaining(flag) }),
    )
    const grown = testContainers(1, 2)
    const [first, second] = grown.nodes
    if (!first || !second) throw new Error('no workers')
    const more = { ...grown, nodes: [first, { ...second, container: { ...PLAIN_CONTAINER, ...own } }] }
    const before = testContainerWorld(more, world.engine, (name) => {
      const { node: _, ...rest } = world.machines.find((machine) => machine.name === name) ?? {}
      return rest
    })
    const made = planAll(more, before)
      .steps.flatMap(({ actions }) => actions)
      .flatMap((action) => (action.kind === 'container' && action.op === 'create' ? [action.config] : []))
    expect(made).toMatchObject([{ name: 'airlift-dev-worker-1', ...own }])
  })

  it.each([
    ['--api-port', { api: { address: '127.0.0.1', port: 7000 } }],
    ['--network', { network: 'mine' }],
    ['--subnet', { subnet: '10.9.0.0/24' }],
    ['--image', { image: 'other:1' }],
    ['--dns', { dns: ['10.0.0.53'] }],
    ['--host-alias', { hostAliases: [{ ip: '10.0.0.9', names: ['nas'] }] }],
    ['--ulimit', { ulimits: [{ name: 'nofile', soft: 1, hard: 2 }] }],
    [
      '--port',
      {
        ports: [
          { address: '127.0.0.1', hostPort: 80, containerPort: 80, protocol: 'tcp', via: 'proxy', nodes: [] },
        ],
      },
    ],
  ] as const)('refuses a changed %s by its name', (flag, more) => {
    const spec = testContainers(1, 0)
    const world = settled(spec, testContainerWorld(spec))
    const changed = testContainers(1, 0, more)
    const machines = world.machines.map((machine, i) => ({
      ...machine,
      node: changed.masters[i] ?? machine.node,
    }))
    expect(() => planAll(changed, { ...world, machines })).toThrow(
      expect.objectContaining({ code: 'E_REMOVE_REFUSED', message: expect.stringContaining(flag) }),
    )
  })

  it('refuses to leave a container of the cluster out', () => {
    const spec = testContainers(1, 2)
    const world = settled(spec, testContainerWorld(spec))
    const fewer = { ...spec, nodes: spec.nodes.slice(0, 1) }
    expect(() => planAll(fewer, world)).toThrow(
      expect.objectContaining({
        code: 'E_REMOVE_REFUSED',
        message: expect.stringContaining('airlift-dev-worker-1'),
      }),
    )
  })
})
