import { describe, expect, it } from 'vitest'
import { recordOfLabels } from '../../cluster/container-labels.js'
import type { ContainerSpec } from '../../cluster/container-spec.js'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { World } from '../runtime.js'
import { checkUnchanged } from './check-unchanged.js'
import { planDeleteNodes } from './delete-nodes.js'
import { layoutOf } from './layout.js'
import { configOf, creations, outline, planAll, settled } from './plan.fixture.js'
import { testContainers, testContainerWorld, testEngine } from './world.fixture.js'

// Clusters of IPv4 and IPv6: what is chosen, what every container is told, and that it stays.

const dual = (masters: number, workers: number, more: Partial<ContainerSpec> = {}): ClusterSpec =>
  testContainers(masters, workers, { ipFamily: 'dual', ...more })
const planOf = (spec: ClusterSpec) => planAll(spec, testContainerWorld(spec))
const networkOf = (spec: ClusterSpec, world: World = testContainerWorld(spec)) =>
  planAll(spec, world)
    .steps.flatMap((step) => step.actions)
    .find((action) => action.kind === 'network')
const SUBNET6 = 'fd39:f367:19b7::/64'

describe('a new cluster of both families', () => {
  it('has a network of both, and fixed addresses of both for every container', async () => {
    const spec = dual(1, 1)
    const plan = planOf(spec)
    expect(networkOf(spec)).toMatchObject({
      subnet: '10.118.154.0/24',
      gateway: '10.118.154.1',
      subnet6: SUBNET6,
      gateway6: SUBNET6.replace('/64', '1'),
    })
    expect(creations(plan).map(({ config }) => [config.address, config.address6, config.sysctls])).toEqual(
      [3, 4].map((place) => [
        `10.118.154.${place}`,
        SUBNET6.replace('/64', String(place)),
        { 'net.ipv6.conf.all.disable_ipv6': '0', 'net.ipv6.conf.all.forwarding': '1' },
      ]),
    )
    await expect(JSON.stringify(plan, null, 2)).toMatchFileSnapshot('golden/dual-stack.json')
  })

  it('tells masters the pairs of networks and every node its two addresses', () => {
    const plan = planOf(dual(1, 1))
    const [master, worker] = ['master-0', 'worker-0'].map((name) => configOf(plan, `airlift-dev-${name}`))
    expect(master).toContain(`node-ip: "10.118.154.3,${SUBNET6.replace('/64', '3')}"`)
    expect(master).toMatch(/cluster-cidr:\n {2}- "?10\.42\.0\.0\/16"?\n {2}- "?fd00:42::\/56"?\n/)
    expect(master).toMatch(/service-cidr:\n {2}- "?10\.43\.0\.0\/16"?\n {2}- "?fd00:43::\/112"?\n/)
    expect(master).toContain('flannel-ipv6-masq: true')
    expect(master).toMatch(new RegExp(`tls-san:(\\n {2}- .*)*${SUBNET6.replace('/64', '3')}`))
    expect(worker).toContain(`node-ip: "10.118.154.4,${SUBNET6.replace('/64', '4')}"`)
    expect(worker).not.toMatch(/cidr|flannel/)
  })

  it('leaves to the user what the user chose', () => {
    const config = {
      'cluster-cidr': ['10.50.0.0/16', 'fd00:50::/56'],
      'flannel-ipv6-masq': false,
    }
    const master = configOf(planOf({ ...dual(1, 0), config }), 'airlift-dev-master-0')
    expect(master).toMatch(/cluster-cidr:\n {2}- "?10\.50\.0\.0\/16"?\n {2}- "?fd00:50::\/56"?\n(?! {2}-)/)
    expect(master).toContain('fd00:43::/112')
    expect(master).toContain('flannel-ipv6-masq: false')
  })

  it('gives the load balancer both addresses, and both of every target', () => {
    const plan = planOf(dual(3, 0))
    const lb = creations(plan).find(({ config }) => config.name === 'airlift-dev-lb')
    expect(lb?.config).toMatchObject({
      address: '10.118.154.2',
      address6: SUBNET6.replace('/64', '2'),
      sysctls: { 'net.ipv4.ip_forward': '1', 'net.ipv6.conf.all.forwarding': '1' },
    })
    const target = (place: number): string => `10.118.154.${place},${SUBNET6.replace('/64', String(place))}`
    expect(lb?.files.find((file) => file.path === '/etc/airlift/lb')?.content).toBe(
      `6443 api ${target(3)} ${target(4)} ${target(5)}\n`,
    )
    expect(configOf(plan, 'airlift-dev-master-1')).toContain(SUBNET6.replace('/64', '2'))
  })

  it('takes the subnets that the user names', () => {
    expect(networkOf(dual(1, 0, { subnet: '172.28.0.0/24', subnet6: 'fd00:28::/64' }))).toMatchObject({
      subnet: '172.28.0.0/24',
      subnet6: 'fd00:28::/64',
      gateway6: 'fd00:28::1',
    })
  })

  it('takes another network where its first one is in use, and none that pods have', () => {
    const [network] = testEngine().networks
    if (!network) throw new Error('no network')
    const chosen = (taken: string, config = {}): string | undefined => {
      const spec = { ...dual(1, 0), config }
      const engine = testEngine({ networks: [{ ...network, name: 'other', subnets: [taken] }] })
      const action = networkOf(spec, testContainerWorld(spec, engine))
      return action?.kind === 'network' && action.op === 'create' ? action.subnet6 : undefined
    }
    expect(chosen('fd00:99::/64')).toBe(SUBNET6)
    expect(chosen('fd39:f367::/32')).toMatch(/^fd(?!39:f367)[0-9a-f]{2}:.*::\/64$/)
    const pods = { 'cluster-cidr': ['10.50.0.0/16', SUBNET6.replace('/64', '/56')] }
    expect(chosen('fd00:99::/64', pods)).not.toBe(SUBNET6)
  })

  it('uses no proxy for what is inside, of either family', () => {
    const proxy = { http: 'http://p:1', except: ['localhost'] }
    const env = creations(planOf(dual(1, 0, { proxy })))[0]?.config.env
    expect(env?.NO_PROXY).toBe(
      `localhost,10.118.154.0/24,${SUBNET6},10.42.0.0/16,fd00:42::/56,10.43.0.0/16,fd00:43::/112`,
    )
  })
})

describe('a cluster that has both families', () => {
  const spec = dual(1, 1)
  const world = settled(spec, testContainerWorld(spec))

  it('is not changed by the same command, with the flag or without', () => {
    expect(outline(planAll(spec, world))).toEqual([])
    const plain = testContainers(1, 1)
    expect(outline(planAll(plain, grownWorld(plain, world)))).toEqual([])
  })

  it('gives a new node both', () => {
    const grown = testContainers(1, 2)
    const plan = planAll(grown, grownWorld(grown, world))
    const [made] = creations(plan)
    expect(made?.config).toMatchObject({ address: '10.118.154.5', address6: SUBNET6.replace('/64', '5') })
    expect(recordOfLabels(made?.config.labels ?? {})).toMatchObject({ subnet6: SUBNET6 })
    expect(configOf(plan, 'airlift-dev-worker-1')).toContain('node-ip: "10.118.154.5,')
  })

  it('keeps a new node off an address of IPv6 that something else in the network has', () => {
    const engine = world.engine
    if (!engine) throw new Error('no engine')
    const networks = engine.networks.map((network) =>
      network.name === 'airlift-dev'
        ? { ...network, containers6: { stranger: SUBNET6.replace('/64', '5') } }
        : network,
    )
    const grown = testContainers(1, 2)
    const plan = planAll(grown, grownWorld(grown, { ...world, engine: { ...engine, networks } }))
    expect(creations(plan)[0]?.config).toMatchObject({
      address: '10.118.154.5',
      address6: SUBNET6.replace('/64', '6'),
    })
  })

  it.each<[string, ClusterSpec]>([
    ['--ip-family', testContainers(1, 1, { ipFamily: 'ipv4' })],
    ['--subnet', dual(1, 1, { subnet6: 'fd00:28::/64' })],
  ])('is refused another %s', (flag, wanted) => {
    expect(() => checkUnchanged(wanted, world, layoutOf(wanted, world))).toThrow(
      expect.objectContaining({ code: 'E_REMOVE_REFUSED', message: expect.stringContaining(flag) }),
    )
  })

  it('has its load balancer forget both addresses of a node that leaves', () => {
    const big = dual(2, 2, {
      ports: [{ ...port, nodes: ['airlift-dev-worker-0', 'airlift-dev-worker-1'] }],
    })
    const up = settled(big, testContainerWorld(big))
    const steps = planDeleteNodes(big, up, big.nodes.slice(1)).steps
    const script = JSON.stringify(steps.find((step) => step.id === 'airlift-dev-lb/forget')?.actions)
    expect(script).toContain('^(10[.]118[.]154[.]6)([:,]|$)')
  })
})

const port = {
  address: '127.0.0.1',
  hostPort: 8080,
  containerPort: 80,
  protocol: 'tcp',
  via: 'proxy',
  nodes: [] as string[],
} as const

function grownWorld(grown: ClusterSpec, before: World): World {
  return testContainerWorld(grown, before.engine, (name) => {
    const machine = before.machines.find((entry) => entry.name === name)
    return machine ? { facts: machine.facts, installed: machine.installed } : {}
  })
}

describe('a cluster of IPv4', () => {
  const spec = testContainers(1, 0)
  const world = settled(spec, testContainerWorld(spec))

  it('is refused the other family, since its containers are there', () => {
    const wanted = dual(1, 0)
    expect(() => checkUnchanged(wanted, world, layoutOf(wanted, world))).toThrow(/--ip-family is not what/)
  })

  it('is not given IPv6 by a network that has it', () => {
    const [network] = testEngine().networks
    if (!network) throw new Error('no network')
    const engine = testEngine({
      networks: [{ ...network, name: 'mine', subnets: ['172.30.0.0/24', 'fd00:30::/64'] }],
    })
    const layout = (more: Partial<ContainerSpec>) => {
      const wanted = testContainers(1, 0, { network: 'mine', ...more })
      return layoutOf(wanted, testContainerWorld(wanted, engine))
    }
    expect(layout({}).network).not.toHaveProperty('subnet6')
    expect(layout({}).addresses6.size).toBe(0)
    expect(layout({ ipFamily: 'dual' }).network.subnet6).toBe('fd00:30::/64')
    expect([...layout({ ipFamily: 'dual' }).addresses6.values()]).toEqual(['fd00:30::3'])
  })

  it('cannot have both where the network that is there has not', () => {
    const [network] = testEngine().networks
    if (!network) throw new Error('no network')
    const engine = testEngine({
      networks: [{ ...network, name: 'airlift-dev', subnets: ['10.118.154.0/24'] }],
    })
    const wanted = dual(1, 0)
    expect(() => layoutOf(wanted, testContainerWorld(wanted, engine))).toThrow(
      /the network "airlift-dev" has no IPv6/,
    )
  })
})
