import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { PLAIN_CONTAINER } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { Plan } from '../../plan/plan.js'
import { planInit } from './init.js'
import { certificateFiles } from './node-files.js'
import { testContainers, testContainerWorld, testEngine, withNodes } from './world.fixture.js'

// What every node gets of this computer's proxy, certificates and of volumes that go with the cluster.

const creation = (plan: Plan) => {
  const action = plan.steps
    .flatMap((step) => step.actions)
    .find((one) => one.kind === 'container' && one.op === 'create')
  if (action?.kind !== 'container' || action.op !== 'create') throw new Error('no container is created')
  return action
}
const planOf = (spec: ClusterSpec) => planInit(spec, testContainerWorld(spec, testEngine()))

describe('the proxy', () => {
  const proxy = { http: 'http://me:geheim@p:1', except: ['localhost', '10.42.0.0/16'] }

  it('is in both cases, its address a secret, and the subnet is reached without it', () => {
    const plan = planOf(testContainers(1, 0, { proxy, subnet: '172.28.0.0/24' }))
    const secret = (key: string) => `{{secret:env:airlift-dev-master-0:${key}}}`
    expect(creation(plan).config.env).toEqual({
      HTTP_PROXY: secret('HTTP_PROXY'),
      http_proxy: secret('http_proxy'),
      NO_PROXY: 'localhost,10.42.0.0/16,172.28.0.0/24,10.43.0.0/16',
      no_proxy: 'localhost,10.42.0.0/16,172.28.0.0/24,10.43.0.0/16',
    })
    expect(JSON.stringify(plan)).not.toContain('geheim')
  })

  it('is nothing that a container is compared by', () => {
    const labels = (spec: ClusterSpec) => creation(planOf(spec)).config.labels
    expect(labels(testContainers(1, 0, { proxy }))).toEqual(labels(testContainers(1, 0)))
  })
})

it('gives nodes the resolvers that the user named', () => {
  const { config } = creation(planOf(testContainers(1, 0, { dns: ['10.0.0.53'] })))
  expect(config.dns).toEqual(['10.0.0.53'])
  expect(creation(planOf(testContainers(1, 0))).config).not.toHaveProperty('dns')
})

it('has lists of arguments in the configuration, since k3s would leave out what is there beside its command line', () => {
  const spec = testContainers(1, 0)
  const [master] = spec.masters
  if (!master) throw new Error('a master')
  const k3sArgs = ['--node-label=by=argument', '--tls-san=dev.lan', '--debug', '--token=geheim']
  const container = { ...PLAIN_CONTAINER, k3sArgs }
  const masters = [{ ...master, container, labels: { zone: 'a' } }]
  const { config, files } = creation(planOf({ ...spec, masters, config: { 'tls-san': ['set.lan'] } }))
  expect(config.command).toEqual(['server', '--debug', '--token={{secret:arg:airlift-dev-master-0:3}}'])
  const file = files?.find(({ path }) => path.endsWith('/config.yaml'))
  expect(parse(file && 'content' in file ? file.content : '')).toMatchObject({
    'node-label': ['zone=a', 'by=argument'],
    'tls-san': expect.arrayContaining(['airlift-dev-master-0', 'set.lan', 'dev.lan']),
  })
})

it('puts each certificate into the directory that every program of the node reads', () => {
  const spec = testContainers(1, 0, { caCertificates: [Buffer.from('one\n'), Buffer.from('two\n')] })
  expect(creation(planOf(spec)).files).toEqual(
    expect.arrayContaining([
      { path: '/etc/ssl/certs/airlift-1.pem', mode: '0644', content: 'one\n' },
      { path: '/etc/ssl/certs/airlift-2.pem', mode: '0644', content: 'two\n' },
    ]),
  )
  expect(certificateFiles(testContainers(1, 0))).toEqual([])
})

it('labels the volumes that are to go with the cluster, and leaves others to the engine', () => {
  const mount = (source: string) => ({
    source,
    kind: 'volume' as const,
    target: `/${source}`,
    readOnly: false,
    options: [],
  })
  const spec = testContainers(1, 0)
  const [master] = spec.masters
  if (!master) throw new Error('no master')
  // What the user has for the logs counts.
  const logs = { ...mount('mine'), target: '/var/log' }
  const mounts = [mount('airlift-dev-shared'), mount('airlift-dev-master-0-mount-data'), logs]
  const plan = planOf({ ...spec, masters: [{ ...master, container: { ...PLAIN_CONTAINER, mounts } }] })
  const made = plan.steps
    .flatMap((step) => step.actions)
    .flatMap((action) => (action.kind === 'volume' && action.op === 'create' ? [action] : []))
  expect(made.map(({ name }) => name)).toEqual([
    'airlift-dev-images',
    'airlift-dev-master-0',
    'airlift-dev-master-0-kubelet',
    'airlift-dev-master-0-cni',
    'airlift-dev-shared',
    'airlift-dev-master-0-mount-data',
  ])
  for (const { labels } of made) expect(labels).toEqual({ 'airlift.cluster': 'dev' })
})

describe('the modules of the kernel', () => {
  const targets = (spec: ClusterSpec, directory?: boolean) => {
    const modules = directory === undefined ? undefined : { kernel: '6.12', directory, missing: [] }
    const computer = { missingPaths: [], busyPorts: [], ...(modules ? { modules } : {}) }
    const plan = planInit(spec, testContainerWorld(spec, testEngine({ computer })))
    return creation(plan).config.mounts.filter((mount) => mount.target === '/lib/modules')
  }
  const own = {
    kind: 'bind',
    source: '/opt/modules',
    target: '/lib/modules',
    readOnly: true,
    options: [],
  } as const

  it('are there for k3s to load, unless the computer is known to have none, or the user mounts others', () => {
    const spec = testContainers(1, 0)
    expect(targets(spec, true)).toMatchObject([{ source: '/lib/modules', readOnly: true, optional: true }])
    expect(targets(spec)).toHaveLength(1)
    expect(targets(spec, false)).toEqual([])
    expect(targets(withNodes(spec, { mounts: [own] }), true)).toMatchObject([{ source: '/opt/modules' }])
  })
})
