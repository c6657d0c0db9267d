import { describe, expect, it } from 'vitest'
import { type ContainerSpec, PLAIN_CONTAINERS, type PortSpec } from '../cluster/container-spec.js'
import { joiningOptions } from './joining-options.js'

const port = (hostPort: number, via: PortSpec['via'], node: string): PortSpec => ({
  address: '127.0.0.1',
  hostPort,
  containerPort: 80,
  protocol: 'tcp',
  via,
  nodes: [node],
})
/** As labels tell it. */
const known: ContainerSpec = {
  ...PLAIN_CONTAINERS,
  image: 'rancher/k3s:v1.33.1-k3s1',
  subnet: '10.118.154.0/24',
  api: { address: '127.0.0.1', port: 6550 },
  ports: [port(8080, 'proxy', 'airlift-dev-master-0')],
  hostAliases: [{ ip: '10.1.2.3', names: ['git.lan'] }],
}
const ask = (more: Partial<ContainerSpec>) => joiningOptions('dev', known, { ...PLAIN_CONTAINERS, ...more })

describe('a flag of the whole cluster', () => {
  const cases: [string, Partial<ContainerSpec>][] = [
    ['--image', { image: 'other:1' }],
    ['--network', { network: 'mine' }],
    ['--subnet', { subnet: '10.9.0.0/24' }],
    ['--subnet', { subnet6: 'fd00:9::/64' }],
    ['--ip-family', { ipFamily: 'dual' }],
    ['--gpus', { gpus: { count: -1, ids: [], capabilities: [] } }],
    ['--ulimit', { ulimits: [{ name: 'nofile', soft: 1, hard: 2 }] }],
    ['--host-alias', { hostAliases: [{ ip: '10.1.2.4', names: ['git.lan'] }] }],
    ['--dns', { dns: ['10.0.0.53'] }],
    ['--api-port', { api: { address: '127.0.0.1', port: 6551 } }],
    ['--api-port', { api: { address: '0.0.0.0', port: 6550 } }],
    ['--no-lb', { loadBalancer: false }],
    ['--port', { ports: [port(9090, 'proxy', 'airlift-dev-worker-2')] }],
    ['--port', { ports: [port(8080, 'direct', 'airlift-dev-worker-2')] }],
    ['--port', { ports: [port(6550, 'direct', 'airlift-dev-worker-2')] }],
  ]
  it.each(cases)('%s is refused where it says something else', (flag, more) => {
    expect(() => ask(more)).toThrow(
      expect.objectContaining({ code: 'E_USAGE', exit: 2, message: expect.stringMatching(`^${flag}: `) }),
    )
  })

  it('is fine where it says what is so already', () => {
    const { image, subnet, api, hostAliases } = known
    const same = { image, subnet, api, hostAliases, network: 'airlift-dev' } as ContainerSpec
    expect(ask(same)).toEqual(known)
    const without = { ...known, loadBalancer: false }
    expect(joiningOptions('dev', without, { ...PLAIN_CONTAINERS, loadBalancer: false })).toEqual(without)
  })

  it('is told with all others that are wrong, the value that it has, and what to do', () => {
    const wrong = { subnet: '10.9.0.0/24', dns: ['10.0.0.53'], ports: [port(9090, 'proxy', 'x')] }
    const thrown = (() => {
      try {
        return ask(wrong)
      } catch (error) {
        return error as Error & { data: { errors: { path: string; message: string; hint: string }[] } }
      }
    })()
    if (!(thrown instanceof Error)) throw new Error('nothing was refused')
    expect(thrown.data.errors.map(({ path }) => path)).toEqual(['--subnet', '--dns', '--port'])
    expect(thrown.data.errors[0]?.message).toMatch(/^10\.9\.0\.0\/24 is not .* \(10\.118\.154\.0\/24\)/)
    expect(thrown.data.errors[2]?.hint).toContain('airlift ports add 9090:80 --name dev')
  })
})

it('takes ports that a new node publishes itself, and what comes from this computer each time', () => {
  const caCertificates = [Buffer.from('one')]
  const proxy = { http: 'http://p:1', except: [] }
  const direct = port(9090, 'direct', 'airlift-dev-worker-2')
  expect(ask({ ports: [direct], caCertificates, proxy, keep: true })).toEqual({
    ...known,
    ports: [...known.ports, direct],
    keep: true,
    caCertificates,
    proxy,
  })
})

it('keeps the proxy and the certificates that the cluster has, and adds certificates that are new', () => {
  const [one, two, other] = ['one', 'two', 'other'].map((text) => Buffer.from(text)) as [
    Buffer,
    Buffer,
    Buffer,
  ]
  const proxy = { http: 'http://cluster:1', except: [] }
  const found = joiningOptions(
    'dev',
    { ...known, proxy, caCertificates: [one, two] },
    { ...PLAIN_CONTAINERS, proxy: { http: 'http://here:1', except: [] }, caCertificates: [other, two] },
  )
  expect(found).toMatchObject({ proxy, caCertificates: [one, two, other] })
})

it('says what is different in the words of the user', () => {
  const wrong = {
    gpus: { count: -1, ids: [], capabilities: ['gpu', 'utility'] },
    ulimits: [{ name: 'nofile', soft: 1, hard: -1 }],
    hostAliases: [
      { ip: 'fd00::1', names: ['a.lan', 'b.lan'] },
      { ip: '10.1.2.3', names: ['c.lan'] },
    ],
    dns: ['10.0.0.53', '10.0.0.54'],
  }
  for (const text of [
    '--gpus: all,capabilities=utility is not',
    '--ulimit: nofile=1:-1 is not',
    '--host-alias: [fd00::1]:a.lan,b.lan 10.1.2.3:c.lan is not',
    'was made with (10.1.2.3:git.lan)',
    '--dns: 10.0.0.53 10.0.0.54 is not',
  ])
    expect(() => ask(wrong)).toThrow(text)
  expect(() => ask(wrong)).not.toThrow(/[{"]count/)
})
