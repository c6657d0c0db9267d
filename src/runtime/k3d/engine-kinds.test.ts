import { describe, expect, it } from 'vitest'
import type { ContainerSpec } from '../../cluster/container-spec.js'
import { PLAIN_CONTAINERS } from '../../cluster/container-spec.js'
import { configOf, creations, planAll } from './plan.fixture.js'
import { testContainers, testContainerWorld, testEngine, testInfo } from './world.fixture.js'

// What is planned otherwise because of the engine: where it is, and what its computer has.

describe('an engine on another computer', () => {
  const endpoint = { url: 'ssh://root@10.9.9.9', source: 'DOCKER_HOST', local: false, host: '10.9.9.9' }
  const published = (api: ContainerSpec['api'], engine = testEngine({ endpoint, freePorts: [40001] })) => {
    const spec = testContainers(1, 0, { api })
    const plan = planAll(spec, testContainerWorld(spec, engine))
    const [made] = creations(plan)
    return {
      ports: made?.config.ports.map(({ address, hostPort }) => `${address}:${hostPort}`),
      names: configOf(plan, 'airlift-dev-master-0'),
    }
  }

  it('publishes the API where it is reached from here, and has that in the certificate', () => {
    const { ports, names } = published(PLAIN_CONTAINERS.api)
    expect(ports).toEqual(['0.0.0.0:40001'])
    expect(names).toContain('10.9.9.9')
  })

  it('publishes it where the user says', () => {
    // `--api-port 127.0.0.1:6550`, for a tunnel.
    expect(published({ host: '127.0.0.1', address: '127.0.0.1', port: 6550 }).ports).toEqual([
      '127.0.0.1:6550',
    ])
    expect(published({ host: '10.9.9.9', address: '10.9.9.9', port: 6550 }).ports).toEqual(['10.9.9.9:6550'])
  })

  it('is no reason to do so here', () => {
    expect(published(PLAIN_CONTAINERS.api, testEngine({ freePorts: [40001] })).ports).toEqual([
      '127.0.0.1:40001',
    ])
  })
})

describe('an engine with cgroup v1', () => {
  const config = (cgroupVersion: '1' | '2', version: string): string => {
    const spec = testContainers(1, 0)
    const world = testContainerWorld(spec, testEngine({ info: { ...testInfo, cgroupVersion } }))
    const manifest = world.rootfs && { ...world.rootfs.manifest, version }
    return configOf(
      planAll(spec, { ...world, ...(manifest ? { rootfs: { manifest } } : {}) }),
      'airlift-dev-master-0',
    )
  }

  it('has a kubelet told to bear with it, where it would refuse it by itself', () => {
    expect(config('1', 'v1.35.5+k3s1')).toContain('fail-cgroupv1=false')
    expect(config('1', 'v1.36.0+k3s1')).toContain('fail-cgroupv1=false')
  })

  it('has nothing told to a kubelet that does not mind, or does not know the option', () => {
    expect(config('1', 'v1.34.2+k3s1')).not.toContain('cgroup')
    expect(config('2', 'v1.35.5+k3s1')).not.toContain('cgroup')
  })
})
