import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import type { World } from '../runtime/runtime.js'
import { checkOwnership, otherRelease } from './ownership.js'

const NODES = [
  { name: 'bare1', role: 'master', address: '10.0.0.1' },
  { name: 'bare2', role: 'worker', address: '10.0.0.2' },
  { name: 'bare3', role: 'worker', address: '10.0.0.3' },
]
const machine = (address: string, hostname: string, role: string) => ({
  name: `root@${address}`,
  node: { role },
  facts: { hostname, addresses: [{ address, device: 'eth0' }] },
  installed: { role, cluster: 'prod', initialized: true, ...(role === 'master' ? { nodes: NODES } : {}) },
})
const check = (...machines: ReturnType<typeof machine>[]): void =>
  checkOwnership({ name: 'prod' } as ClusterSpec, { machines } as unknown as World)

describe('what run would remove', () => {
  it('is refused, with the command that takes it out', () => {
    expect(() => check(machine('10.0.0.1', 'bare1', 'master'))).toThrow(
      expect.objectContaining({
        code: 'E_REMOVE_REFUSED',
        message: expect.stringContaining('bare2 (worker, 10.0.0.2), bare3'),
        hint: expect.stringContaining('airlift delete --name prod --nodes bare2,bare3'),
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
