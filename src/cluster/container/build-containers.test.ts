import { describe, expect, it } from 'vitest'
import { isAirliftError } from '../../core/errors.js'
import { Secret } from '../../core/secret.js'
import { type BuildSpecOptions, buildSpec, type SpecFlags } from '../build-spec.js'
import { PLAIN_CONTAINER } from '../container-spec.js'
import type { SpecProblem } from '../problems.js'
import type { LocalFacts, SpecIo } from '../spec-io.js'
import { CERTIFICATE_ONE } from './certificates.fixture.js'
import { joiningPlaces } from './container-targets.js'

const io = (local: Partial<LocalFacts> = {}): SpecIo => ({
  readFile: async (path) => {
    if (path.includes('gone') || path.includes('.docker'))
      throw Object.assign(new Error(path), { code: 'ENOENT' })
    return Buffer.from(path.endsWith('.pem') ? CERTIFICATE_ONE : path)
  },
  listDirectory: async () => undefined,
  loadRegistries: async (path) => ({
    registries: { content: new Secret(path ?? ''), files: [], mirrors: [] },
    warnings: [],
  }),
  local: {
    env: { HOME: '/h', HERE: 'yes' },
    absolutePath: (path) => path,
    pathKind: async (path) => (path.includes('gone') ? undefined : 'directory'),
    lookup: async () => undefined,
    engineIsLocal: async () => true,
    ...local,
  },
})
const build = (flags: SpecFlags, options: BuildSpecOptions = {}) =>
  buildSpec({ name: 'dev', ...flags }, io(), options)
const problemsOf = async (flags: SpecFlags): Promise<SpecProblem[]> => {
  try {
    await build(flags)
  } catch (error) {
    if (isAirliftError(error) && error.exit === 2) return error.data?.errors as SpecProblem[]
    throw error
  }
  throw new Error('it was taken')
}
const messages = async (flags: SpecFlags) =>
  (await problemsOf(flags)).map(({ path, message }) => `${path}: ${message}`)

describe('a number of masters', () => {
  it('is that many containers, with names', async () => {
    const { spec, counts, warnings } = await build({ masters: '1', nodes: '2' })
    expect(spec).toMatchObject({ runtime: 'k3d', name: 'dev' })
    expect([...spec.masters, ...spec.nodes]).toEqual(
      [
        ['airlift-dev-master-0', 'master'],
        ['airlift-dev-worker-0', 'worker'],
        ['airlift-dev-worker-1', 'worker'],
      ].map(([name, role]) => ({
        target: { kind: 'container', text: name, host: name },
        role,
        labels: {},
        taints: [],
        container: PLAIN_CONTAINER,
      })),
    )
    expect(spec.containers).toEqual({
      loadBalancer: true,
      api: { address: '127.0.0.1' },
      ports: [],
      ulimits: [],
      hostAliases: [],
      lb: PLAIN_CONTAINER,
      keep: false,
      proxy: {
        except: expect.arrayContaining(['localhost', '10.42.0.0/16', '10.43.0.0/16', 'airlift-dev-master-0']),
      },
      caCertificates: [],
    })
    expect(counts).toEqual({ masters: 1, nodes: 2 })
    expect(warnings).toEqual([])
  })

  it('may be two, and 1 + 200', async () => {
    expect((await build({ masters: '2' })).spec.masters).toHaveLength(2)
    const { spec } = await build({ masters: '1', nodes: '200' })
    expect(spec.nodes).toHaveLength(200)
    expect(spec.nodes[199]?.target.host).toBe('airlift-dev-worker-199')
  })

  const at = (next: number, begun: readonly number[] = []) => joiningPlaces(begun, next)
  const joining = { mastersRequired: false, joining: true }

  it('finishes first what was begun, and filters name that by its index', async () => {
    const options = { ...joining, places: { master: at(1), worker: at(4, [1, 3]) } }
    const { spec } = await build(
      { nodes: '3', nodeLabel: ['a=b@workers:3'], env: ['A=b@workers:1,4'] },
      options,
    )
    expect(spec.nodes.map(({ target, labels, container }) => [target.host, labels, container?.env])).toEqual([
      ['airlift-dev-worker-1', {}, { A: 'b' }],
      ['airlift-dev-worker-3', { a: 'b' }, {}],
      ['airlift-dev-worker-4', {}, { A: 'b' }],
    ])
  })

  it('that join have no load balancer among them, and publish through it only', async () => {
    const options = { ...joining, places: { master: at(1), worker: at(0) } }
    const flags = { masters: '2', port: ['8080:80', '9090:90@masters:2:direct'] }
    const { spec } = await build(flags, options)
    expect(spec.containers?.ports.map(({ hostPort, via }) => [hostPort, via])).toEqual([
      [8080, 'proxy'],
      [9090, 'direct'],
    ])
    await expect(build({ ...flags, env: ['A=b@loadbalancer'] }, options)).rejects.toThrow(
      /^--env: .*loadbalancer/,
    )
  })

  it('goes on counting where the cluster has containers already', async () => {
    const options = { ...joining, places: { master: at(1), worker: at(3) } }
    const { spec } = await build({ nodes: '2', nodeLabel: ['a=b@workers:4'], env: ['A=b@agent:3'] }, options)
    expect(spec.nodes.map(({ target, labels, container }) => [target.host, labels, container?.env])).toEqual([
      ['airlift-dev-worker-3', {}, { A: 'b' }],
      ['airlift-dev-worker-4', { a: 'b' }, {}],
    ])
  })

  it.each<[SpecFlags, string]>([
    [{ masters: '0' }, '--masters: 0 masters make no cluster'],
    [{ masters: '10000000' }, '--masters: 10000000 containers are more than 500 (position 1)'],
    [{ masters: '1', nodes: '10000000' }, '--nodes: 10000000 containers are more than 500 (position 1)'],
    [
      { masters: '99999999999999999999' },
      '--masters: 99999999999999999999 containers are more than 500 (position 1)',
    ],
    [{ nodes: '2' }, '--masters: no master is named'],
    [
      { masters: '1', runtime: 'k3s' },
      '--masters: "1" is a number of containers, which the runtime k3s does not make',
    ],
    [{ masters: '1', nodes: 'root@a' }, '--nodes: hosts and a number of containers cannot be one cluster'],
    [
      { masters: '1', set: ['bind-address=127.0.0.1'] },
      '--set: "bind-address" names one node, and containers have their names and addresses',
    ],
  ])('refuses %j', async (flags, message) => expect(await messages(flags)).toEqual([message]))
})

it('spreads every option over the containers that its filter names', async () => {
  const { spec, warnings } = await build({
    masters: '2',
    nodes: '2',
    env: ['A=1', 'HERE@server:0', 'GONE', 'B=u\\@h@loadbalancer', 'C=3@all'],
    volume: ['/srv:/srv@agents:*', '/data@agent:1', 'cache:k3s-storage@all'],
    k3sArg: ['--disable=traefik', '--kubelet-arg=v=4@workers:0', '--debug@all', '--what=x@server:0'],
    runtimeLabel: ['team=web', 'lb=yes@loadbalancer'],
    file: ['a.yaml:k3s-manifests/@server:0'],
    nodeLabel: ['disk=ssd@agent:0', 'name=x@docker://airlift-dev-master-1'],
  })
  const [m0, m1] = spec.masters
  const [w0, w1] = spec.nodes
  expect(spec.masters.concat(spec.nodes).map((node) => node.container?.env)).toEqual([
    { A: '1', HERE: 'yes', C: '3' },
    { A: '1', C: '3' },
    { A: '1', C: '3' },
    { A: '1', C: '3' },
  ])
  expect(spec.containers?.lb).toMatchObject({
    env: { B: 'u@h', C: '3' },
    runtimeLabels: { lb: 'yes' },
    k3sArgs: [],
  })
  const sources = (container = PLAIN_CONTAINER) =>
    container.mounts.map(({ source, target }) => `${source}:${target}`)
  expect(sources(m0?.container)).toEqual(['cache:/var/lib/rancher/k3s/storage'])
  expect(sources(w0?.container)).toEqual(['/srv:/srv', 'cache:/var/lib/rancher/k3s/storage'])
  expect(sources(w1?.container)).toContain('airlift-dev-worker-1-mount-data:/data')
  expect(sources(spec.containers?.lb)).toEqual(['cache:/var/lib/rancher/k3s/storage'])
  expect(m0?.container?.k3sArgs).toEqual(['--disable=traefik', '--debug', '--what=x'])
  expect(m1?.container?.k3sArgs).toEqual(['--disable=traefik', '--debug'])
  expect(w0?.container?.k3sArgs).toEqual(['--kubelet-arg=v=4', '--debug'])
  expect(w1?.container).toMatchObject({ k3sArgs: ['--debug'], runtimeLabels: { team: 'web' }, files: [] })
  expect(m0?.container?.files).toEqual([
    { path: '/var/lib/rancher/k3s/server/manifests/a.yaml', content: Buffer.from('a.yaml'), mode: '0644' },
  ])
  expect([m1?.labels, w0?.labels]).toEqual([{ name: 'x' }, { disk: 'ssd' }])
  expect(warnings).toEqual([
    '--env: GONE is not set here, so no node gets it',
    '--k3s-arg: k3s has no option "what"; it is passed on as it is',
  ])
})

it('takes everything that holds for all containers', async () => {
  const { spec } = await build({
    masters: '3',
    image: 'rancher/k3s:v1.33.1-k3s1',
    port: ['8080:80@loadbalancer'],
    ingress: true,
    apiPort: '0.0.0.0:6550',
    subnet: '172.28.0.0/16',
    lb: true,
    memory: ['2g'],
    cpus: ['1.5'],
    gpus: 'all',
    hostAlias: ['10.0.0.1:a', '10.0.0.1:b'],
    dns: ['10.0.0.53,[fd00::53]', '10.0.0.53', '9.9.9.9'],
    ulimit: ['nofile=1:2', 'core=-1'],
    ca: ['corporate.pem'],
    keep: true,
    set: ['cluster-cidr=10.50.0.0/16'],
  })
  expect(spec.containers).toMatchObject({
    image: 'rancher/k3s:v1.33.1-k3s1',
    subnet: '172.28.0.0/16',
    api: { address: '0.0.0.0', port: 6550 },
    gpus: { count: -1 },
    hostAliases: [{ ip: '10.0.0.1', names: ['a', 'b'] }],
    dns: ['10.0.0.53', 'fd00::53', '9.9.9.9'],
    ulimits: [{ name: 'nofile' }, { name: 'core' }],
    keep: true,
    proxy: { except: expect.arrayContaining(['10.50.0.0/16', '10.43.0.0/16', 'airlift-dev-lb']) },
  })
  expect(
    spec.containers?.ports.map(({ hostPort, containerPort, via }) => [hostPort, containerPort, via]),
  ).toEqual([
    [8080, 80, 'proxy'],
    [80, 80, 'proxy'],
    [443, 443, 'proxy'],
  ])
  expect(spec.masters.map(({ container }) => [container?.memoryBytes, container?.cpus])).toEqual(
    Array(3).fill([2 * 1024 ** 3, 1.5]),
  )
  expect(spec.containers?.lb).not.toHaveProperty('memoryBytes')
  expect(spec.containers?.caCertificates?.map(String)).toEqual([CERTIFICATE_ONE])
  expect((await build({ masters: '3', lb: false })).spec.containers?.loadBalancer).toBe(false)
  expect((await build({ masters: '1', network: 'mine' })).spec.containers).toMatchObject({ network: 'mine' })
  expect((await build({ masters: '1', subnet: 'auto' })).spec.containers).not.toHaveProperty('subnet')
})

it('tells everything that is wrong at once, each with its flag and remedy', async () => {
  const problems = await problemsOf({
    masters: '1',
    nodes: '1',
    image: 'latest',
    port: ['80:80@worker:7', 'x'],
    apiPort: 'x',
    volume: ['/gone:/x'],
    env: ['1=2', 'A=b@worker:7'],
    k3sArg: ['x', '--disable=x@agents:*', '--debug@loadbalancer'],
    runtimeLabel: ['airlift.x=y'],
    file: ['gone:/x'],
    network: 'host',
    subnet: '10.42.0.0/16',
    memory: ['2x', '2g@worker:7'],
    cpus: ['x'],
    gpus: 'x',
    hostAlias: ['x', '10.0.0.1:a', '10.0.0.2:a'],
    ulimit: ['x', 'core=1', 'core=2'],
    dns: ['dns.lan', '127.0.0.53'],
    ca: ['gone'],
  })
  expect(problems.map(({ path, message }) => `${path}: ${message}`).sort()).toEqual(
    [
      '--api-port: "x" is not a port, in "x"',
      '--ca: cannot read "gone": no such file',
      '--cpus: "x" is not a number of processors',
      '--dns: "127.0.0.53" is the loopback of each container, and not of the computer',
      '--dns: "dns.lan" is not an IP address',
      '--env: "1" is not the name of a variable',
      '--env: the filter "worker:7" matches nothing at 7, in "A"',
      '--file: cannot read "gone": no such file',
      '--gpus: "x" is not a number of GPUs',
      '--host-alias: "a" is given the addresses 10.0.0.1 and 10.0.0.2',
      '--host-alias: "x" is not an address with names',
      '--image: "latest" is a channel of releases, not an image',
      '--k3s-arg: "x" is not an argument of k3s',
      '--k3s-arg: only masters have the option --disable, and airlift-dev-worker-0 is a worker, in "--disable=x"',
      '--k3s-arg: the filter "loadbalancer" matches nothing: there is no load balancer, in "--debug"',
      '--memory: "2x" is not an amount of memory',
      '--memory: the filter "worker:7" matches nothing at 7, in "2g@worker:7"',
      '--network: containers have no fixed addresses in the network "host"',
      '--port: "x" is not a port (1 to 65535), in "x"',
      '--port: the filter "worker:7" matches nothing at 7, in "80:80@worker:7"',
      `--runtime-label: the label "airlift.x" is one of airlift's own`,
      '--subnet: "10.42.0.0/16" overlaps 10.42.0.0/16, which pods or services have',
      '--subnet: the network "host" has its subnet, so "10.42.0.0/16" cannot be chosen',
      '--ulimit: "core=2" gives core a second time',
      '--ulimit: "x" is not a limit',
      '--volume: there is no "/gone" to mount',
    ].sort(),
  )
  for (const { hint, message } of problems) expect(hint, message).toBeTruthy()
})

it.each<[SpecFlags, string]>([
  [{ env: ['A=1', 'A=2@server:0'] }, '--env: "A" gives airlift-dev-master-0 a second value'],
  [{ runtimeLabel: ['a=1', 'a=2'] }, '--runtime-label: "a=2" gives airlift-dev-master-0 a second value'],
  [
    { volume: ['/a:/x', '/b:/x@agent:0'] },
    '--volume: "/b:/x@agent:0" gives airlift-dev-worker-0 a second value',
  ],
  [{ volume: ['/a:/x'], file: ['a:/x'] }, '--file: "a:/x" gives airlift-dev-master-0 a second value'],
  [{ file: ['a:/x', 'b:/x'] }, '--file: "b:/x" gives airlift-dev-master-0 a second value'],
  [
    { registries: 'r.yaml', file: ['a:k3s-registry-config'] },
    '--file: "/etc/rancher/k3s/registries.yaml" is what --registries writes',
  ],
  [
    { registries: 'r.yaml', volume: ['/a:k3s-registry-config'] },
    '--volume: "/etc/rancher/k3s/registries.yaml" is what --registries writes',
  ],
  [{ env: ['A=1@lb'] }, '--env: the filter "lb" matches nothing: there is no load balancer, in "A"'],
  [{ ingress: true, port: ['80:8080'] }, '--port: port 80 of "80:80" is taken by "80:8080"'],
  [{ apiPort: '443', ingress: true }, '--port: port 443 of "443:443" is taken by --api-port'],
])('refuses %j', async (flags, message) => {
  expect(await messages({ masters: '1', nodes: '1', ...flags })).toEqual([message])
})

it('refuses arguments of k3s on the load balancer, and options of one role where that has no node', async () => {
  expect(await messages({ masters: '2', k3sArg: ['--debug@loadbalancer'] })).toEqual([
    '--k3s-arg: the filter "loadbalancer" names the load balancer, which runs no k3s, in "--debug"',
  ])
  expect(await messages({ masters: '1', k3sArg: ['--disable-apiserver-lb'] })).toEqual([
    '--k3s-arg: only workers have the option --disable-apiserver-lb, and airlift-dev-master-0 is a master, in "--disable-apiserver-lb"',
  ])
})

it('shows no value of a variable in an error', async () => {
  const errors = await problemsOf({
    masters: '1',
    env: ['PASS=geheim@nobody', 'PASS=geheim', 'PASS=geheim2'],
  })
  expect(errors).toHaveLength(2)
  expect(JSON.stringify(errors)).not.toContain('geheim')
})
