import { describe, expect, it } from 'vitest'
import type { ContainerSpec } from '../../../cluster/container-spec.js'
import type { ClusterSpec } from '../../../cluster/spec.js'
import type { EngineContainer, EngineNetwork } from '../../../machine/docker/engine.js'
import { testContainers, testEngine, testInfo, withNodes } from '../../k3d/world.fixture.js'
import type { EngineWorld } from '../../runtime.js'
import { checkContainers } from './check-containers.js'

const GIB = 1024 ** 3

const engine = testEngine({
  info: { ...testInfo, memoryBytes: 8 * GIB, cpus: 4 },
  networks: [],
  routes: ['192.168.1.0/24'],
  computer: {
    inotifyInstances: 8192,
    inotifyWatches: 524288,
    disk: { path: '/var/lib/docker', sizeBytes: 100 * GIB, freeBytes: 50 * GIB },
    missingPaths: [],
    busyPorts: [],
  },
})

function spec(
  containers: Partial<ContainerSpec> = {},
  masters = 1,
  more: Partial<ClusterSpec> = {},
): ClusterSpec {
  return testContainers(masters, 0, containers, more)
}

const network = (name: string, subnet: string, labels = {}): EngineNetwork => ({
  id: name,
  name,
  driver: 'bridge',
  subnets: [subnet],
  labels,
  containers: {},
})

const other = (name: string, more: Partial<EngineContainer> = {}): EngineContainer => ({
  id: name,
  name,
  image: 'img',
  state: 'running',
  exitCode: 0,
  labels: {},
  addresses: {},
  ports: [],
  mounts: [],
  restarts: 0,
  startedAt: '',
  raw: {},
  ...more,
})

const modules = (...missing: string[]) => ({ kernel: '6.12', directory: true, missing })
const dual = { ipFamily: 'dual' } as const
const published = { address: '0.0.0.0', hostPort: 8080, containerPort: 80, protocol: 'tcp' } as const
const port = { ...published, address: '127.0.0.1', via: 'proxy', nodes: [] } as const
const computer = (more: Partial<NonNullable<EngineWorld['computer']>>): Partial<EngineWorld> => ({
  ...(engine.computer ? { computer: { ...engine.computer, ...more } } : {}),
})

it('finds nothing on a good engine', () => {
  expect(checkContainers(spec(), engine)).toEqual([])
})

describe('each check finds what it is for, and nothing else does', () => {
  const cases: [string, string, Partial<EngineWorld>, ClusterSpec, RegExp][] = [
    ['engine-rootless', 'error', { info: { ...engine.info, rootless: true } }, spec(), /runs without root/],
    ['engine-os', 'error', { info: { ...engine.info, os: 'windows' } }, spec(), /windows/],
    ['even-masters', 'warning', {}, spec({}, 2), /2 masters/],
    ['name-taken', 'error', { others: [other('airlift-dev-master-0')] }, spec(), /airlift did not make/],
    [
      'name-taken',
      'error',
      { others: [other('airlift-dev-lb', { labels: { 'airlift.cluster': 'x' } })] },
      spec({}, 3),
      /belongs to the cluster "x"/,
    ],
    ['name-taken', 'error', { networks: [network('airlift-dev', '10.9.0.0/24')] }, spec(), /a network/],
    ['mount-missing', 'error', computer({ missingPaths: ['/nowhere'] }), spec(), /\/nowhere/],
    ['network-missing', 'error', {}, spec({ network: 'mine' }), /"mine"/],
    [
      'network-automatic',
      'error',
      { networks: [network('mine', '172.20.0.0/16')], automaticNetwork: true },
      spec({ network: 'mine' }),
      /"mine" was made without a subnet/,
    ],
    [
      'subnet-overlap',
      'error',
      { networks: [network('kind', '10.9.0.0/16')] },
      spec({ subnet: '10.9.3.0/24' }),
      /"kind"/,
    ],
    ['subnet-overlap', 'error', {}, spec({ subnet: '192.168.0.0/16' }), /route/],
    [
      'subnet-overlap',
      'error',
      { networks: [{ ...network('kind', '10.9.0.0/16'), subnets: ['10.9.0.0/16', 'fd00:9::/64'] }] },
      spec({ ...dual, subnet6: 'fd00:9::/64' }),
      /fd00:9::\/64 overlaps .*"kind"/,
    ],
    [
      'subnet-overlap',
      'error',
      { routes: ['2001:db8::/32'] },
      spec({ ...dual, subnet6: '2001:db8:7::/64' }),
      /2001:db8::\/32, which this computer has a route to/,
    ],
    [
      'subnet-overlap',
      'error',
      { networks: [{ ...network('mine', '10.9.0.0/16'), subnets: ['10.9.0.0/16', 'fd00:43::/64'] }] },
      spec({ ...dual, network: 'mine' }),
      /fd00:43::\/112 of pods or services \(service-cidr\)/,
    ],
    ['subnet-overlap', 'error', {}, spec({ ...dual, subnet6: 'fd00:9::/126' }), /too few/],
    [
      'network-ipv6',
      'error',
      { networks: [network('mine', '10.9.0.0/16')] },
      spec({ ...dual, network: 'mine' }),
      /"mine" has no IPv6 \(it has 10\.9\.0\.0\/16\)/,
    ],
    ['engine-ipv6', 'error', computer({ ipv6: false }), spec(dual), /has no IPv6/],
    ['subnet-overlap', 'error', {}, spec({ subnet: '10.42.7.0/24' }), /cluster-cidr/],
    ['subnet-overlap', 'error', {}, spec({ subnet: '10.77.0.0/29' }, 5), /too few/],
    [
      'port-in-use',
      'error',
      { others: [other('web', { ports: [published] })] },
      spec({ ports: [port] }),
      /web/,
    ],
    [
      'port-in-use',
      'error',
      computer({ busyPorts: [{ address: '127.0.0.1', port: 6550, protocol: 'tcp' }] }),
      spec({ api: { address: '127.0.0.1', port: 6550 } }),
      /--api-port/,
    ],
    ['memory-low', 'error', {}, withNodes(spec(), { memoryBytes: 100e6 }), /--memory gives airlift-dev-/],
    ['memory-low', 'error', { info: { ...engine.info, memoryBytes: GIB } }, spec({}, 3), /the nodes need/],
    [
      'disk-space',
      'error',
      computer({ disk: { path: '/var/lib/docker', sizeBytes: 100 * GIB, freeBytes: GIB / 4 } }),
      spec(),
      /0\.2|256 MiB/,
    ],
    [
      'disk-space',
      'error',
      computer({ disk: { path: '/var/lib/docker', sizeBytes: 100 * GIB, freeBytes: 5 * GIB } }),
      spec(),
      /95 %/,
    ],
    ['inotify', 'warning', computer({ inotifyInstances: 128 }), spec({}, 3), /128/],
    ['inotify', 'warning', computer({ inotifyWatches: 4096 }), spec({}, 3), /max_user_watches is 4096/],
    [
      'module-missing',
      'error',
      computer({ modules: modules('br_netfilter', 'overlay') }),
      spec(),
      /6\.12 .*overlay/,
    ],
    ['module-missing', 'warning', computer({ modules: modules('br_netfilter') }), spec(), /br_netfilter/],
    ['cores-missing', 'error', {}, withNodes(spec(), { cpus: 8 }), /--cpus 8/],
    ['gpu-runtime', 'warning', {}, spec({ gpus: { count: -1, ids: [], capabilities: ['gpu'] } }), /--gpus/],
  ]
  it.each(cases)('%s (%s)', (code, severity, change, wanted, message) => {
    const problems = checkContainers(wanted, { ...engine, ...change })
    expect(problems.map((entry) => [entry.code, entry.severity])).toEqual([[code, severity]])
    expect(problems[0]?.message).toMatch(message)
  })
})

it.each([
  ['exited', 'warning', /^port 8080\/tcp \(--port\) is also that of web, which does not run/],
  ['created', 'warning', /does not run/],
  ['paused', 'error', /taken by the container web/],
  ['restarting', 'error', /taken by the container web/],
] as const)('a port of another container that is %s: %s', (state, severity, message) => {
  const others = [other('web', { ports: [published], state })]
  const [found, ...more] = checkContainers(spec({ ports: [port] }), { ...engine, others })
  expect(more).toEqual([])
  expect(found).toMatchObject({ code: 'port-in-use', severity, message: expect.stringMatching(message) })
})

it('knows engines that may not, and addresses that are elsewhere', () => {
  const privilegeRefused = 'the engine refuses to make privileged containers: no'
  const foreign = computer({ foreignAddresses: ['203.0.113.7'] })
  const found = checkContainers(spec(), { ...engine, ...foreign, privilegeRefused })
  expect(found).toMatchObject([
    { code: 'engine-privilege', ignorable: false, message: privilegeRefused },
    { code: 'address-missing', ignorable: true, message: expect.stringContaining('203.0.113.7') },
  ])
})

it('names the program that has a port, not a stopped container that would like to', () => {
  const busy = computer({ busyPorts: [{ address: '127.0.0.1', port: 8080, protocol: 'tcp' }] })
  const others = [other('web', { ports: [published], state: 'exited' })]
  const found = checkContainers(spec({ ports: [port] }), { ...engine, ...busy, others })
  expect(found.map(({ message }) => message)).toEqual(['port 8080/tcp (--port) is taken by another program'])
})

it('lets pass what is the cluster’s own, and what does not meet', () => {
  const own = { 'airlift.cluster': 'dev' }
  const fine: [Partial<EngineWorld>, ClusterSpec][] = [
    [{ networks: [network('airlift-dev', '10.9.0.0/24', own)] }, spec({ subnet: '10.9.0.0/24' })],
    [{ others: [other('web', { ports: [{ ...published, address: '10.1.1.1' }] })] }, spec({ ports: [port] })],
    [{ others: [other('web', { ports: [{ ...published, protocol: 'udp' }] })] }, spec({ ports: [port] })],
    [{ networks: [network('mine', '10.9.0.0/24')] }, spec({ network: 'mine' })],
    [
      { networks: [{ ...network('mine', '10.9.0.0/24'), subnets: ['10.9.0.0/24', 'fd00:9::/64'] }] },
      spec({ ...dual, network: 'mine' }),
    ],
    [computer({ ipv6: false }), spec()],
    [computer({ ipv6: true }), spec(dual)],
    [{ info: { ...engine.info, usernsRemap: true, cgroupVersion: '1' } }, spec()],
  ]
  for (const [change, wanted] of fine) expect(checkContainers(wanted, { ...engine, ...change })).toEqual([])
})
