import { describe, expect, it } from 'vitest'
import { containerTargets } from '../cluster/container/container-targets.js'
import { type ContainerNodeSpec, type ContainerSpec, PLAIN_CONTAINER } from '../cluster/container-spec.js'
import { readRecord } from '../cluster/record.js'
import type { ClusterSpec, Role } from '../cluster/spec.js'
import { packEntries } from '../rootfs/tar/pack-entries.js'
import { testContainers, withNodes } from '../runtime/k3d/world.fixture.js'
import { add } from './add.js'
import {
  belongings,
  type ContainerLab,
  containerHome,
  type LabOptions,
  tinyRootfs,
} from './containers.fixture.js'
import { deleteNodes } from './delete.js'
import { nextPlaces } from './next-places.js'
import { run } from './run.js'

const home = containerHome()

const ref = (spec: ClusterSpec) => ({ name: spec.name, masters: [], nodes: [], ssh: spec.ssh })
const FAIL = { exitCode: 1, stdout: '@@fail E_START k3s does not start\n' }
const notReady =
  (name: string): NonNullable<LabOptions['script']> =>
  (container, text) =>
    container.endsWith(name) && text.includes('to be Ready') ? FAIL : undefined

/** A cluster of so many nodes, all of them ready. */
async function cluster(spec: ClusterSpec, options: Partial<LabOptions> = {}): Promise<ContainerLab> {
  const own = home.lab(options)
  expect((await run({ spec, rootfs: tinyRootfs() }, own.ctx, own.deps)).error).toBeUndefined()
  return own
}

/** `add --masters M --nodes N`, with indexes as the command line finds them. */
async function more(
  own: ContainerLab,
  counts: { readonly masters?: number; readonly nodes?: number },
  options: { readonly keep?: boolean; readonly each?: Partial<ContainerNodeSpec> } = {},
) {
  const plain = testContainers(0, 0, { keep: options.keep ?? false })
  const places = await nextPlaces(ref(plain), own.ctx, own.deps)
  const nodes = (role: Role, count = 0) =>
    containerTargets('dev', role, count, places[role]).map((target) => ({
      target,
      role,
      labels: {},
      taints: [],
      container: { ...PLAIN_CONTAINER, ...options.each },
    }))
  const joining = { ...plain, masters: nodes('master', counts.masters), nodes: nodes('worker', counts.nodes) }
  return add({ cluster: ref(plain), joining, rootfs: tinyRootfs() }, own.ctx, own.deps)
}
const containers = async (own: ContainerLab): Promise<string[]> =>
  (await belongings(own.engine, 'dev')).filter((line) => line.startsWith('container'))

describe('an add of containers that fails', () => {
  it('leaves the cluster as it was: no container, no volume, no Node of what it made', async () => {
    const forgotten = new Set<string>()
    const own = await cluster(testContainers(1, 1), {
      script: (name, text) => {
        const left = /(\S+)\.node-password\.k3s/.exec(text)?.[1]
        if (left && name.endsWith('master-0')) forgotten.add(left.replace(/^.*airlift/, 'airlift'))
        return notReady('worker-2')(name, text)
      },
    })
    const before = await belongings(own.engine, 'dev')
    const outcome = await more(own, { nodes: 2 })
    expect(outcome.error).toMatchObject({
      code: 'E_START',
      hint: expect.stringContaining('what this add made was removed'),
    })
    expect(outcome.report?.outcome).toBe('failed')
    expect(await belongings(own.engine, 'dev')).toEqual(before)
    // Both are deleted from the cluster before their containers go.
    expect([...forgotten].sort()).toEqual(['airlift-dev-worker-1', 'airlift-dev-worker-2'])
    expect((await readRecord('dev', own.ctx.env))?.nodes).toEqual(['airlift-dev-worker-0'])
  })

  it('takes a master out of the load balancer and of etcd before it goes', async () => {
    const own = await cluster(testContainers(3, 0), { script: notReady('master-3') })
    const targets = own.engine.files('airlift-dev-lb').get('/etc/airlift/lb')?.content.toString()
    const before = await belongings(own.engine, 'dev')
    const said = own.scripts.length
    expect((await more(own, { masters: 1 })).error).toMatchObject({ code: 'E_START' })
    expect(await belongings(own.engine, 'dev')).toEqual(before)
    expect(own.engine.files('airlift-dev-lb').get('/etc/airlift/lb')?.content.toString()).toBe(targets)
    expect(own.scripts.slice(said).some((line) => /wait for .*the datastore to be healthy/.test(line))).toBe(
      true,
    )
  })

  it('runs nothing in a master that ends again and again', async () => {
    let dead = false
    const own = await cluster(testContainers(3, 0), {
      script: (name, text) => {
        if (name.endsWith('master-3') && text.includes('to be Ready')) dead = true
        return dead && name.endsWith('master-3') ? FAIL : undefined
      },
    })
    const before = await belongings(own.engine, 'dev')
    expect((await more(own, { masters: 1 })).error?.hint).toContain('what this add made was removed')
    expect(await belongings(own.engine, 'dev')).toEqual(before)
  })

  it('leaves it with --keep', async () => {
    const own = await cluster(testContainers(1, 0), { script: notReady('worker-0') })
    expect((await more(own, { nodes: 1 }, { keep: true })).error).toMatchObject({ code: 'E_START' })
    expect(await containers(own)).toContain('container airlift-dev-worker-0 running')
  })

  it('removes nothing where no master answers any more, and says how to go on', async () => {
    let dead = false
    const own = await cluster(testContainers(1, 0), {
      script: (name, text) => {
        if (!name.endsWith('worker-0') || !text.includes('to be Ready')) return undefined
        dead = true
        return FAIL
      },
    })
    const { containers: list } = own.engine
    own.engine.containers = async (labels) => {
      const found = await list(labels)
      return dead
        ? found.map((one) => (one.name.endsWith('master-0') ? { ...one, state: 'exited' } : one))
        : found
    }
    const { error } = await more(own, { nodes: 1 })
    expect(error?.hint).toMatch(
      /not everything .*\(no master .* airlift delete .*--nodes airlift-dev-worker-0/,
    )
    expect(await containers(own)).toContain('container airlift-dev-worker-0 running')
  })
})

it('an add that is interrupted leaves nothing, although its signal is spent', async () => {
  const own: ContainerLab = await cluster(testContainers(1, 0), {
    onStart: (name) => {
      if (name.endsWith('worker-0')) own.abort()
    },
  })
  const before = await belongings(own.engine, 'dev')
  await expect(more(own, { nodes: 1 })).rejects.toMatchObject({
    code: 'E_INTERRUPTED',
    exit: 130,
    hint: expect.stringContaining('what this add made was removed'),
  })
  expect(await belongings(own.engine, 'dev')).toEqual(before)
})

describe('an add that was killed', () => {
  /** As after kill -9: the container is there, k3s has not joined. */
  async function killed(state: 'created' | 'running', options: { each?: Partial<ContainerNodeSpec> } = {}) {
    let first = true
    const own: ContainerLab = await cluster(testContainers(1, 1), {
      script: (name, text) =>
        first && name.endsWith('worker-1') && text.includes('to be Ready') ? FAIL : undefined,
    })
    if (state === 'created')
      own.engine.fail({ method: 'startContainer', match: 'worker-1', error: { status: 500, text: 'killed' } })
    await more(own, { nodes: 1 }, { keep: true, ...options })
    first = false
    expect(await containers(own)).toContain(`container airlift-dev-worker-1 ${state}`)
    return own
  }

  it.each(['created', 'running'] as const)('is finished by the same command (%s)', async (state) => {
    const own = await killed(state)
    const outcome = await more(own, { nodes: 1 })
    expect(outcome.error).toBeUndefined()
    expect(await containers(own)).toEqual([
      'container airlift-dev-master-0 running',
      'container airlift-dev-worker-0 running',
      'container airlift-dev-worker-1 running',
    ])
    expect(outcome.report?.machines.map(({ node }) => node)).toEqual(['airlift-dev-worker-1'])
    // The next one adds another.
    await more(own, { nodes: 1 })
    expect(await containers(own)).toContain('container airlift-dev-worker-2 running')
  })

  it('is finished first where more are asked for', async () => {
    const own = await killed('running')
    const outcome = await more(own, { nodes: 2 })
    expect(outcome.report?.machines.map(({ node }) => node)).toEqual([
      'airlift-dev-worker-1',
      'airlift-dev-worker-2',
    ])
  })

  it('is not finished with other options than it was begun with', async () => {
    const own = await killed('created')
    await expect(more(own, { nodes: 1 }, { each: { env: { A: 'b' } } })).rejects.toMatchObject({
      code: 'E_REMOVE_REFUSED',
      exit: 2,
      machine: 'airlift-dev-worker-1',
      hint: expect.stringContaining('airlift delete --nodes airlift-dev-worker-1'),
    })
  })
})

it('begins no new node on the volumes of one that has left, which delete still finds by its name', async () => {
  const own = await cluster(testContainers(1, 2))
  const name = 'airlift-dev-worker-1'
  await own.engine.removeContainer(name, { force: true })
  own.forget(name)
  expect((await nextPlaces(ref(testContainers(1, 1)), own.ctx, own.deps)).worker(1)).toEqual([2])
  const input = { cluster: ref(testContainers(1, 2)), options: {}, kubeconfig: 'none' }
  const { error } = await deleteNodes(
    { ...input, leaving: { masters: [], nodes: [name] } },
    own.ctx,
    own.deps,
  )
  expect(error).toBeUndefined()
  expect((await belongings(own.engine, 'dev')).filter((one) => one.includes('worker-1'))).toEqual([])
  await expect(
    deleteNodes({ ...input, leaving: { masters: [], nodes: [name] } }, own.ctx, own.deps),
  ).rejects.toMatchObject({ exit: 2 })
})

it('asks only the engine where every node was seen ready', async () => {
  const own = await cluster(testContainers(1, 1))
  const mark = packEntries(
    [{ path: '/var/lib/rancher/k3s/airlift/state/initialized', mode: '0600', content: 'x' }],
    String,
  )
  for (const name of ['airlift-dev-master-0', 'airlift-dev-worker-0'])
    await own.engine.putArchive(name, '/', mark)
  const before = own.engine.calls.filter(({ method }) => method === 'exec').length
  const places = await nextPlaces(ref(testContainers(1, 1)), own.ctx, own.deps)
  expect([places.master(2), places.worker(1)]).toEqual([[1, 2], [1]])
  expect(own.engine.calls.filter(({ method }) => method === 'exec')).toHaveLength(before)
})

describe('an add to a cluster with options', () => {
  const own: Partial<ContainerNodeSpec> = {
    env: { WORD: 'secret' },
    k3sArgs: ['--disable=traefik', '--debug', '--my-password=hidden'],
    files: [{ path: '/etc/note', content: Buffer.from('a note'), mode: '0644' }],
    runtimeLabels: { team: 'x' },
  }
  const options: Partial<ContainerSpec> = {
    proxy: { http: 'http://me:word@p:1', except: ['lan.test'] },
    caCertificates: [Buffer.from('a certificate')],
  }
  const like = (masters: number, workers: number): ClusterSpec =>
    withNodes(testContainers(masters, workers, options, { config: { 'cluster-init': true } }), own)

  it('gives new nodes what those of their role have, so that run has nothing left to do', async () => {
    const lab = await cluster(like(1, 1))
    const outcome = await more(lab, { masters: 1, nodes: 1 })
    expect(outcome.error).toBeUndefined()
    for (const name of ['airlift-dev-master-1', 'airlift-dev-worker-1']) {
      const made = await lab.engine.container(name)
      const raw = made?.raw as { Config: { Env: string[]; Cmd: string[] } } | undefined
      const { Env, Cmd } = raw?.Config ?? {}
      expect(Env).toEqual(expect.arrayContaining(['WORD=secret', 'http_proxy=http://me:word@p:1']))
      expect(Cmd).toEqual(expect.arrayContaining(['--debug', '--my-password=hidden']))
      expect(JSON.stringify(made?.labels)).not.toMatch(/secret|hidden|me:word/)
      const files = lab.engine.files(name)
      expect(files.get('/etc/note')?.content.toString()).toBe('a note')
      expect(files.get('/etc/ssl/certs/airlift-1.pem')?.content.toString()).toBe('a certificate')
    }
    const again = await run({ spec: like(2, 2), rootfs: tinyRootfs() }, lab.ctx, lab.deps)
    expect(again.plan.steps.map(({ id }) => id)).toEqual([])
  })

  it('reads a file of many nodes once', async () => {
    const lab = await cluster(like(1, 3))
    await more(lab, { nodes: 1 })
    const reads = lab.engine.calls.filter(
      ({ method, args }) => method === 'getArchive' && args.includes('/etc/note'),
    )
    expect(reads).toHaveLength(2)
  })
})

it('an add that a full network has no addresses for changes nothing and says what can be done', async () => {
  const own = await cluster(testContainers(1, 1, { subnet: '10.118.9.0/29' }))
  const before = await belongings(own.engine, 'dev')
  await expect(more(own, { nodes: 12 })).rejects.toMatchObject({
    code: 'E_SPEC_INVALID',
    exit: 2,
    message: expect.stringContaining('the network "airlift-dev" (10.118.9.0/29) has no address left'),
    hint: expect.stringMatching(/ask for fewer, or airlift delete .* airlift run with .*--subnet/),
  })
  expect(await belongings(own.engine, 'dev')).toEqual(before)
})
