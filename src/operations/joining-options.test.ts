import { describe, expect, it } from 'vitest'
import { type ContainerSpec, PLAIN_CONTAINERS, type PortSpec } from '../cluster/container-spec.js'
import { joiningOptions } from './joining-options.js'

const GIB = 1024 ** 3
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
  memoryBytes: 2 * GIB,
  hostAliases: [{ ip: '10.1.2.3', names: ['git.lan'] }],
}
const ask = (more: Partial<ContainerSpec>) => joiningOptions('dev', known, { ...PLAIN_CONTAINERS, ...more })

describe('a flag of the whole cluster', () => {
  const cases: [string, Partial<ContainerSpec>][] = [
    ['--image', { image: 'other:1' }],
    ['--network', { network: 'mine' }],
    ['--subnet', { subnet: '10.9.0.0/24' }],
    ['--memory', { memoryBytes: GIB }],
    ['--cpus', { cpus: 2 }],
    ['--gpus', { gpus: { count: -1, ids: [], capabilities: [] } }],
    ['--ulimit', { ulimits: [{ name: 'nofile', soft: 1, hard: 2 }] }],
    ['--host-alias', { hostAliases: [{ ip: '10.1.2.4', names: ['git.lan'] }] }],
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
    const { image, subnet, api, memoryBytes, hostAliases } = known
    const same = { image, subnet, api, memoryBytes, hostAliases, network: 'airlift-dev' } as ContainerSpec
    expect(ask(same)).toEqual(known)
    const without = { ...known, loadBalancer: false }
    expect(joiningOptions('dev', without, { ...PLAIN_CONTAINERS, loadBalancer: false })).toEqual(without)
  })

  it('is told with all others that are wrong, the value that it has, and what to do', () => {
    const wrong = { memoryBytes: GIB, cpus: 2, ports: [port(9090, 'proxy', 'x')] }
    const thrown = (() => {
      try {
        return ask(wrong)
      } catch (error) {
        return error as Error & { data: { errors: { path: string; message: string; hint: string }[] } }
      }
    })()
    if (!(thrown instanceof Error)) throw new Error('nothing was refused')
    expect(thrown.data.errors.map(({ path }) => path)).toEqual(['--memory', '--cpus', '--port'])
    expect(thrown.data.errors[0]?.message).toMatch(/^1\.1 GB is not .* \(2\.1 GB\)/)
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
