import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readRecord, recordOf, writeRecord } from '../cluster/record.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { createContext } from '../core/context.js'
import { createEvents } from '../core/events.js'
import { packEntries } from '../rootfs/tar/pack-entries.js'
import { testContainers, withNodes } from '../runtime/k3d/world.fixture.js'
import { testSpec } from '../runtime/k3s/world.fixture.js'
import { belongings, type ContainerLab, containerHome, tinyRootfs } from './containers.fixture.js'
import { exec } from './exec.js'
import { hostAnswer, hostLab } from './hosts.fixture.js'
import { kubeconfig, saveKubeconfig } from './kubeconfig.js'
import { list } from './list.js'
import { reset } from './reset.js'
import { resolveCluster } from './resolve-cluster.js'
import { run } from './run.js'
import { status } from './status.js'

const home = containerHome()
const up = (spec: ClusterSpec, { ctx, deps }: ContainerLab) =>
  run(
    { spec, rootfs: tinyRootfs(), kubeconfig: { path: join(home.path, 'config'), switchContext: true } },
    ctx,
    deps,
  )
const ref = (spec: ClusterSpec) => ({ name: spec.name, masters: [], nodes: [], ssh: spec.ssh })

describe('a cluster in containers', () => {
  it('is made, found by its labels alone, and removed without a trace', async () => {
    const spec = testContainers(1, 2)
    const own = home.lab()
    const made = await up(spec, own)
    expect(made.error).toBeUndefined()
    expect(made.report).toMatchObject({ outcome: 'done', steps: { failed: 0, skipped: 0 } })
    expect(made.kubeconfig).toMatchObject({ context: 'airlift-dev' })
    expect(made.report?.bytesSent).toBeGreaterThan(1000)
    expect(readFileSync(join(home.path, 'config'), 'utf8')).toMatch(/server: "?https:\/\/127\.0\.0\.1:2\d{4}/)
    expect((await belongings(own.engine, 'dev')).filter((line) => !line.startsWith('volume'))).toEqual([
      'container airlift-dev-master-0 running',
      'container airlift-dev-worker-0 running',
      'container airlift-dev-worker-1 running',
      'network airlift-dev',
    ])

    // Nothing on this computer is needed.
    rmSync(join(home.path, 'airlift'), { recursive: true, force: true })
    expect(await status(ref(spec), own.ctx, own.deps)).toMatchObject({
      health: 'ready',
      runtime: 'k3d',
      endpoint: expect.stringMatching(/^https:\/\/127\.0\.0\.1:\d+$/),
      nodes: [{ name: 'airlift-dev-master-0', ready: true }, { ready: true }, { ready: true }],
    })
    expect(await list(own.ctx, own.deps)).toEqual([
      { name: 'dev', runtime: 'k3d', version: 'v1.33.1+k3s1', masters: 1, workers: 2 },
    ])
    const selection = { cluster: ref(spec), roles: [], on: ['airlift-dev-worker-1'] }
    const ran = await exec({ selection, command: ['true'], root: true, timeoutMs: 1000 }, own.ctx, own.deps)
    expect(ran.machines).toMatchObject([{ machine: 'docker://airlift-dev-worker-1', exitCode: 0 }])
    expect((await kubeconfig(ref(spec), own.ctx, own.deps)).context).toBe('airlift-dev')

    const found = await resolveCluster(ref(spec), own.ctx, own.deps)
    const gone = await reset({ spec: found, kubeconfig: join(home.path, 'config') }, own.ctx, own.deps)
    expect(gone).toMatchObject({ left: [], report: { outcome: 'done' } })
    expect(await belongings(own.engine, 'dev')).toEqual([])
    expect(readFileSync(join(home.path, 'config'), 'utf8')).not.toContain('airlift-dev')
    await expect(resolveCluster(ref(spec), own.ctx, own.deps)).rejects.toMatchObject({ code: 'E_NO_CLUSTER' })
    own.engine.verify()
  })

  it('is taken out of every kubeconfig that it was merged into, wherever the environment points by then', async () => {
    const own = home.lab()
    const file = (name: string): string => join(home.path, name)
    const before = 'apiVersion: v1\nkind: Config\ncontexts: [{name: work}]\ncurrent-context: work\n'
    for (const name of ['mine', 'broken']) writeFileSync(file(name), before)
    await up(testContainers(1, 0), own)
    const found = await kubeconfig(ref(testContainers(1, 0)), own.ctx, own.deps)
    for (const name of ['mine', 'broken', 'gone'])
      await saveKubeconfig(found, { path: file(name), switchContext: true }, own.ctx)
    writeFileSync(file('broken'), 'contexts: [')
    rmSync(file('gone'))
    const said: string[] = []
    const events = createEvents([(event) => event.level === 'warn' && said.push(event.message)])
    const ctx = createContext({ ...own.ctx, env: { ...own.ctx.env, KUBECONFIG: file('other') }, events })
    const spec = await resolveCluster(ref(testContainers(1, 0)), ctx, own.deps)
    expect((await reset({ spec }, ctx, own.deps)).error).toBeUndefined()
    for (const name of ['config', 'mine'])
      expect(readFileSync(file(name), 'utf8')).not.toMatch(/airlift-dev|client-key/)
    expect(readFileSync(file('mine'), 'utf8')).toContain('current-context: work')
    expect(said).toEqual([expect.stringMatching(/^the context airlift-dev is still in .*broken: .*/)])
    expect(existsSync(file('other'))).toBe(false)
    expect(existsSync(join(home.path, 'airlift/kubeconfigs/dev.json'))).toBe(false)
  })

  it('of three masters has a load balancer that leads to all, and a token that no label shows', async () => {
    const spec = testContainers(3, 1)
    const own = home.lab()
    expect((await up(spec, own)).error).toBeUndefined()
    expect(own.engine.files('airlift-dev-lb').get('/etc/airlift/lb')?.content.toString()).toBe(
      '6443 api 10.118.154.3 10.118.154.4 10.118.154.5\n',
    )
    const token = own.engine.files('airlift-dev-master-0').get('/etc/rancher/k3s/token')
    expect(token).toMatchObject({ mode: '0600' })
    const secret = token?.content.toString().trim() ?? ''
    expect(secret).toMatch(/^[0-9a-f]{64}$/)
    expect(own.engine.files('airlift-dev-worker-0').get('/etc/rancher/k3s/token')).toEqual(token)
    const shown = JSON.stringify((await own.engine.containers([])).map(({ raw: _, ...rest }) => rest))
    expect(shown).not.toContain(secret)
  })

  it('run again changes nothing', async () => {
    const spec = testContainers(3, 1)
    const own = home.lab()
    await up(spec, own)
    const before = own.scripts.length
    const again = await up(spec, own)
    expect(again.plan.steps).toEqual([])
    expect(again.report).toMatchObject({ outcome: 'unchanged' })
    expect(own.scripts.slice(before).filter((line) => !line.includes('k3s.yaml'))).toEqual([])
  })

  it('keeps its token when its containers are stopped and made complete again', async () => {
    const spec = testContainers(1, 1)
    const own = home.lab()
    await up(spec, own)
    const before = own.engine.files('airlift-dev-worker-0').get('/etc/rancher/k3s/token')
    for (const name of ['airlift-dev-master-0', 'airlift-dev-worker-0'])
      await own.engine.stopContainer(name, 1)
    expect((await up(spec, own)).error).toBeUndefined()
    expect(own.engine.files('airlift-dev-worker-0').get('/etc/rancher/k3s/token')).toEqual(before)
    expect(await belongings(own.engine, 'dev')).toContain('container airlift-dev-worker-0 running')
  })

  it('finishes what a run that was killed had only begun', async () => {
    const spec = testContainers(1, 1)
    const own = home.lab()
    await up(spec, own)
    // As after kill -9: one container is made but empty, the other is not there.
    await own.engine.removeContainer('airlift-dev-worker-0', { force: true })
    const finished = await up(spec, own)
    expect(finished.error).toBeUndefined()
    expect(finished.report?.machines.map((machine) => machine.outcome)).toEqual(['unchanged', 'changed'])
  })
})

describe('a run that creates a cluster and fails', () => {
  it.each([
    [
      'its container cannot be started',
      'startContainer',
      { status: 500, text: 'driver failed: port is already allocated' },
    ],
    ['its files cannot be put', 'putArchive', { status: 500, text: 'no space left on device' }],
    ['its network is refused', 'createNetwork', { status: 403, text: 'Pool overlaps with other one' }],
  ] as const)('because %s removes all that it made, and nothing else', async (_, method, error) => {
    const own = home.lab()
    await up(testContainers(1, 0, {}, { name: 'other' }), own)
    const before = await belongings(own.engine, 'other')
    own.engine.fail({ method, match: 'dev', error, times: 9 })
    const outcome = await up(testContainers(1, 2), own)
    expect(outcome.error).toBeDefined()
    expect(outcome.error?.hint).toContain('what this run made was removed')
    expect(outcome.report?.outcome).toBe('failed')
    expect(await belongings(own.engine, 'dev')).toEqual([])
    expect(await readRecord('dev', own.ctx.env)).toBeUndefined()
    expect(await belongings(own.engine, 'other')).toEqual(before)
  })

  it('leaves it with --keep', async () => {
    const own = home.lab({
      script: (name, text) =>
        name.endsWith('worker-0') && text.includes('to be Ready')
          ? { exitCode: 1, stdout: '@@fail E_START k3s does not start\n' }
          : undefined,
    })
    const outcome = await up(testContainers(1, 1, { keep: true }), own)
    expect(outcome.error).toMatchObject({ code: 'E_START' })
    expect(await belongings(own.engine, 'dev')).toContain('container airlift-dev-worker-0 running')
  })

  it('and one that is interrupted does so too, although its signal is spent', async () => {
    const own: ContainerLab = home.lab({
      onStart: (name) => {
        if (name.endsWith('master-0')) own.abort()
      },
    })
    await expect(up(testContainers(1, 1), own)).rejects.toMatchObject({
      code: 'E_INTERRUPTED',
      exit: 130,
      hint: expect.stringContaining('what this run made was removed'),
    })
    expect(await belongings(own.engine, 'dev')).toEqual([])
    expect(existsSync(join(home.path, 'config'))).toBe(false)
  })
})

describe('before anything is made', () => {
  it.each([
    ['in SQLite, is refused', ['state.db'], 'E_REFUSED'],
    ['in etcd, is made', ['state.db', 'etcd/name'], undefined],
  ])('a second master beside one that is stopped and has its data %s', async (_, files, code) => {
    const own = home.lab()
    await up(testContainers(1, 0), own)
    const name = 'airlift-dev-master-0'
    const put = (path: string) =>
      own.engine.putArchive(name, '/', packEntries([{ path, mode: '0600', content: 'x' }], String))
    for (const file of files) await put(`/var/lib/rancher/k3s/server/db/${file}`)
    await put('/var/lib/rancher/k3s/airlift/state/initialized')
    await own.engine.stopContainer(name, 1)
    const before = await belongings(own.engine, 'dev')
    const made = await up(testContainers(2, 0), own).catch((error) => error)
    expect(made.code).toBe(code)
    if (code) {
      expect(made.message).toMatch(/master-0 keeps the data .* in SQLite/)
      expect(await belongings(own.engine, 'dev')).toEqual(before)
    } else expect(await belongings(own.engine, 'dev')).toContain('container airlift-dev-master-1 running')
  })

  it('an engine without root is refused by a code of its own', async () => {
    const own = home.lab({ info: { rootless: true } })
    await expect(up(testContainers(1, 0), own)).rejects.toMatchObject({ code: 'E_ENGINE_PRIVILEGE', exit: 5 })
    expect(own.engine.calls.filter((call) => call.method.startsWith('create'))).toEqual([])
  })

  it.each<readonly [string, string, string, 'ipv4' | 'dual']>([
    ['is not there', 'nowhere', 'network-missing', 'ipv4'],
    ['was made without a subnet', 'automatic', 'network-automatic', 'ipv4'],
    ['has no IPv6 where that is wanted', 'automatic', 'network-ipv6', 'dual'],
  ])(
    'a network that %s is a wrong flag, with the command that makes one',
    async (_, network, code, ipFamily) => {
      const own = home.lab({ networks: [{ name: 'automatic', subnet: '172.20.0.0/16', automatic: true }] })
      await expect(up(testContainers(1, 0, { network, ipFamily }), own)).rejects.toMatchObject({
        code: 'E_SPEC_INVALID',
        exit: 2,
        message: expect.stringContaining(code),
        hint: expect.stringContaining('docker network create --subnet'),
      })
      expect(own.engine.calls.filter((call) => call.method.startsWith('create'))).toEqual([])
    },
  )

  it('all that is wrong is told at once', async () => {
    const own = home.lab()
    await up(testContainers(1, 0, { api: { address: '0.0.0.0', port: 7000 } }, { name: 'other' }), own)
    const spec = testContainers(1, 0, {
      api: { address: '127.0.0.1', port: 7000 },
      subnet: '10.118.0.0/16',
    })
    const before = own.engine.calls.filter((call) => call.method.startsWith('create')).length
    const error = await up(withNodes(spec, { memoryBytes: 100e6 }), own).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'E_PREFLIGHT', exit: 5 })
    expect(error.data.problems.map((problem: { code: string }) => problem.code).sort()).toEqual([
      'memory-low',
      'port-in-use',
      'subnet-overlap',
    ])
    expect(own.engine.calls.filter((call) => call.method.startsWith('create'))).toHaveLength(before)
  })

  it('is not made under the name of hosts that this computer remembers', async () => {
    const own = home.lab()
    await writeRecord(recordOf(testSpec(1, 0, { name: 'dev' }), '', new Date()), own.ctx.env)
    const noted = hostLab({ '10.0.0.1': hostAnswer('one', { record: { name: 'dev' } }) })
    const { createConnector } = noted.deps
    const deps = { ...own.deps, ...(createConnector ? { createConnector } : {}) }
    await expect(up(testContainers(1, 1), { ...own, deps })).rejects.toMatchObject({
      code: 'E_PREFLIGHT',
      hint: expect.stringContaining('--name'),
    })
    expect(await belongings(own.engine, 'dev')).toEqual([])
    expect(await readRecord('dev', own.ctx.env)).toMatchObject({ runtime: 'k3s' })
  })
})
