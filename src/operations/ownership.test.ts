import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import { testMachine, testSpec } from '../runtime/k3s/world.fixture.js'
import type { World } from '../runtime/runtime.js'
import { checkOwnership, otherRelease, refuseForgetting } from './ownership.js'

const NODES = [
  { name: 'bare1', role: 'master', address: '10.0.0.1' },
  { name: 'bare2', role: 'worker', address: '10.0.0.2' },
  { name: 'bare3', role: 'worker', address: '10.0.0.3' },
]
const machine = (address: string, hostname: string, role: string) => ({
  name: `root@${address}`,
  node: { role },
  facts: { hostname, addresses: [{ address, device: 'eth0' }] },
  installed: {
    role,
    cluster: 'prod',
    initialized: true,
    ...(role === 'master' ? { nodes: NODES, apiReady: true } : {}),
  },
})
const check = (...machines: ReturnType<typeof machine>[]): void =>
  checkOwnership({ name: 'prod' } as ClusterSpec, { machines } as unknown as World)

describe('what run would remove', () => {
  it('is refused, with the command that takes it out', () => {
    expect(() => check(machine('10.0.0.1', 'bare1', 'master'))).toThrow(
      expect.objectContaining({
        code: 'E_REMOVE_REFUSED',
        message: expect.stringContaining('bare2 (worker, 10.0.0.2), bare3'),
        hint: 'name all machines of the cluster; to take them out: airlift delete --name prod --through root@10.0.0.1 --nodes bare2,bare3',
      }),
    )
  })
  it('is not a host that was renamed: its old name is told', () => {
    const all = [
      machine('10.0.0.1', 'bare1', 'master'),
      machine('10.0.0.2', 'fresh', 'worker'),
      machine('10.0.0.3', 'bare3', 'worker'),
    ]
    expect(() => check(...all)).toThrow(
      expect.objectContaining({
        message: 'root@10.0.0.2 is the node "bare2" of the cluster, and its hostname is now "fresh"',
        hint: 'give it its name again, on root@10.0.0.2: hostnamectl set-hostname bare2',
      }),
    )
  })
})

describe('a run that would forget a machine', () => {
  const spec = { ...testSpec(1, 1), name: 'prod' }
  const world = (
    nodes: string[],
    apiReady: boolean,
    role: 'master' | 'worker' = 'master',
    initialized = apiReady,
  ): World => {
    const [node] = role === 'master' ? spec.masters : spec.nodes
    if (!node) throw new Error('a node')
    const record = { name: 'prod', masters: ['root@10.0.0.1'], nodes }
    const found = testMachine(node, 'bare1', { record }, { cluster: 'prod', role, apiReady, initialized })
    return { machines: [found], unreachable: [], secrets: new Map(), templates: {} }
  }

  it('is refused, also where the cluster itself does not know that machine', async () => {
    await expect(
      refuseForgetting(spec, world(['root@10.0.0.2', 'root@10.0.0.3'], true)),
    ).rejects.toMatchObject({
      code: 'E_REMOVE_REFUSED',
      message: 'the cluster "prod" also has root@10.0.0.3 (worker), which the command does not name',
      hint: 'name all machines of the cluster; to take them out: airlift delete --name prod --through root@10.0.0.1 --nodes root@10.0.0.3',
    })
  })

  it('names what can be done where no master answers: a cluster that has data is not to be removed', async () => {
    const stopped = world(['root@10.0.0.3'], false, 'master', true)
    await expect(refuseForgetting(spec, stopped)).rejects.toMatchObject({
      hint: 'name all machines of the cluster; to take them out, first start it, airlift start --name prod --masters root@10.0.0.1, and then: airlift delete --name prod --through root@10.0.0.1 --nodes root@10.0.0.3',
    })
    await expect(refuseForgetting(spec, world(['root@10.0.0.3'], false))).rejects.toMatchObject({
      hint: 'name all machines of the cluster; or remove the whole cluster and begin anew: airlift reset --name prod --masters root@10.0.0.1',
    })
  })

  it('is none where all are named, in whatever words; what workers remember does not count', async () => {
    await refuseForgetting(spec, world(['10.0.0.2'], true))
    await refuseForgetting(spec, world(['root@10.0.0.3'], true, 'worker'))
  })
})

describe('a rootfs whose name is of another release than its program', () => {
  const world = (...versions: (string | undefined)[]): World =>
    ({
      rootfs: { manifest: { version: 'v1.33.1+k3s1' } },
      machines: versions.map((version, i) => ({ name: `h${i}`, installed: { version } })),
    }) as unknown as World
  const hosts = { name: 'prod' } as ClusterSpec

  it('is told by the first host that runs another', () => {
    expect(otherRelease(hosts, world('v1.33.1+k3s1', undefined))).toBeUndefined()
    const found = world('v1.33.1+k3s1', 'v1.32.5+k3s1')
    expect(otherRelease(hosts, found)).toMatchObject({ code: 'E_VERIFY', machine: 'h1' })
    expect(otherRelease(hosts, found, found.machines.slice(0, 1))).toBeUndefined()
  })

  it('is no matter of containers, which run an image, nor of a run without a rootfs', () => {
    const found = world('v1.32.5+k3s1')
    expect(otherRelease({ ...hosts, containers: {} } as ClusterSpec, found)).toBeUndefined()
    expect(otherRelease(hosts, { machines: found.machines } as unknown as World)).toBeUndefined()
  })
})
