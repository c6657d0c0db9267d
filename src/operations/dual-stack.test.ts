import { describe, expect, it } from 'vitest'
import { containerTargets, joiningPlaces } from '../cluster/container/container-targets.js'
import { PLAIN_CONTAINER } from '../cluster/container-spec.js'
import type { ClusterSpec } from '../cluster/spec.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { add } from './add.js'
import { type ContainerLab, containerHome, tinyRootfs } from './containers.fixture.js'
import { resolveCluster } from './resolve-cluster.js'
import { run } from './run.js'

const home = containerHome()

const ref = (spec: ClusterSpec) => ({ name: spec.name, masters: [], nodes: [], ssh: spec.ssh })
const up = (spec: ClusterSpec, { ctx, deps }: ContainerLab) => run({ spec, rootfs: tinyRootfs() }, ctx, deps)
const addressesOf = async ({ engine }: ContainerLab): Promise<(string | undefined)[][]> =>
  (await engine.containers([])).map(({ name, addresses, addresses6 }) => [
    name.replace('airlift-dev-', ''),
    addresses['airlift-dev'],
    addresses6?.['airlift-dev'],
  ])

describe('a cluster of IPv4 and IPv6 in containers', () => {
  const spec = testContainers(1, 1, { ipFamily: 'dual', subnet: '172.28.0.0/24', subnet6: 'fd00:28::/64' })

  it('has two addresses for each node, which stay; is found by its labels, and grows', async () => {
    const own = home.lab()
    expect((await up(spec, own)).error).toBeUndefined()
    const first = [
      ['master-0', '172.28.0.3', 'fd00:28::3'],
      ['worker-0', '172.28.0.4', 'fd00:28::4'],
    ]
    expect(await addressesOf(own)).toEqual(first)
    await own.engine.restartDaemon()
    expect(await addressesOf(own)).toEqual(first)
    expect((await up(spec, own)).plan.steps).toEqual([])

    const found = await resolveCluster(ref(spec), own.ctx, own.deps)
    expect(found.containers).toMatchObject({
      ipFamily: 'dual',
      subnet: '172.28.0.0/24',
      subnet6: 'fd00:28::/64',
    })
    const [target] = containerTargets('dev', 'worker', 1, joiningPlaces([], 1))
    if (!target) throw new Error('no target')
    const plain = testContainers(0, 0)
    const node = { target, role: 'worker', labels: {}, taints: [], container: PLAIN_CONTAINER } as const
    const more = { cluster: ref(spec), joining: { ...plain, nodes: [node] }, rootfs: tinyRootfs() }
    expect((await add(more, own.ctx, own.deps)).error).toBeUndefined()
    expect(await addressesOf(own)).toEqual([...first, ['worker-1', '172.28.0.5', 'fd00:28::5']])
    own.engine.verify()
  })

  it('is refused, and nothing is made, where the network that it is to join has no IPv6', async () => {
    const own = home.lab()
    await own.engine.createNetwork({ name: 'mine', subnet: '10.9.0.0/24', gateway: '10.9.0.1', labels: {} })
    const wanted = testContainers(1, 0, { ipFamily: 'dual', network: 'mine' })
    await expect(up(wanted, own)).rejects.toMatchObject({
      code: 'E_SPEC_INVALID',
      message: expect.stringContaining('"mine" has no IPv6'),
    })
    expect(await own.engine.containers([])).toEqual([])
  })

  it('says so where the engine cannot do IPv6, and takes back what it made', async () => {
    const own = home.lab()
    const text =
      'Cannot read IPv6 setup for bridge br-4f: open /proc/sys/net/ipv6/conf/br-4f/disable_ipv6: no such file'
    own.engine.fail({ method: 'createNetwork', error: { status: 500, text } })
    const { error } = await up(spec, own)
    expect(error).toMatchObject({
      code: 'E_ENGINE',
      message: expect.stringContaining('with IPv6'),
      hint: expect.stringContaining('leave --ip-family dual out'),
    })
    expect(await own.engine.containers([])).toEqual([])
  })
})
