import {
  type ContainerNodeSpec,
  type ContainerSpec,
  containerName,
  PLAIN_CONTAINER,
  PLAIN_CONTAINERS,
} from '../../cluster/container-spec.js'
import type { ClusterSpec, NodeSpec, Role } from '../../cluster/spec.js'
import { Secret } from '../../core/secret.js'
import type { ContainerConfig, EngineContainer, EngineInfo } from '../../machine/docker/engine.js'
import { testManifest, testSpec } from '../k3s/world.fixture.js'
import type { EngineWorld, MachineWorld, World } from '../runtime.js'
import { containerState, plannedFacts } from './facts.js'

// Builders for the tests of this folder: an engine without anything, which a test then changes.

/** A spec of so many containers. */
export function testContainers(
  masters: number,
  workers: number,
  more: Partial<ContainerSpec> = {},
  spec: Partial<ClusterSpec> = {},
): ClusterSpec {
  const node = (role: Role, index: number): NodeSpec => {
    const name = containerName('dev', role, index)
    return {
      target: { kind: 'container', text: name, host: name },
      role,
      labels: {},
      taints: [],
      container: PLAIN_CONTAINER,
    }
  }
  return {
    ...testSpec(0, 0),
    name: 'dev',
    runtime: 'k3d',
    masters: Array.from({ length: masters }, (_, i) => node('master', i)),
    nodes: Array.from({ length: workers }, (_, i) => node('worker', i)),
    containers: { ...PLAIN_CONTAINERS, ...more },
    ...spec,
  }
}

/** The same with these options for every node. */
export function withNodes(spec: ClusterSpec, own: Partial<ContainerNodeSpec>): ClusterSpec {
  const all = (node: NodeSpec): NodeSpec => ({ ...node, container: { ...PLAIN_CONTAINER, ...own } })
  return { ...spec, masters: spec.masters.map(all), nodes: spec.nodes.map(all) }
}

/** An engine of today on a computer with 2 processors. */
export const testInfo: EngineInfo = {
  kind: 'docker',
  version: '27.0.0',
  apiVersion: '1.46',
  arch: 'amd64',
  os: 'linux',
  cgroupVersion: '2',
  rootless: false,
  usernsRemap: false,
  memoryBytes: 8e9,
  cpus: 2,
  storageDriver: 'overlay2',
  containerdStore: false,
  serverName: 'laptop',
  rootDir: '/var/lib/docker',
  gpuReady: false,
}

/** What an engine holds on which airlift made nothing yet. */
export function testEngine(more: Partial<EngineWorld> = {}): EngineWorld {
  return {
    endpoint: { url: 'unix:///var/run/docker.sock', source: 'default', local: true, host: '127.0.0.1' },
    info: testInfo,
    containers: [],
    others: [],
    networks: [
      {
        id: 'n0',
        name: 'bridge',
        driver: 'bridge',
        subnets: ['172.17.0.0/16'],
        gateway: '172.17.0.1',
        labels: {},
        containers: {},
      },
    ],
    volumes: [],
    images: new Map(),
    routes: ['172.17.0.0/16', '192.168.1.0/24'],
    freePorts: [40001, 40002, 40003, 40004],
    ...more,
  }
}

/** A world with this engine; nodes whose containers it has are as `inside` says. */
export function testContainerWorld(
  spec: ClusterSpec,
  engine: EngineWorld = testEngine(),
  inside: (name: string) => Partial<MachineWorld> = () => ({}),
): World {
  const machines = [...spec.masters, ...spec.nodes].map((node): MachineWorld => {
    const name = node.target.host
    const facts = plannedFacts(node, engine.info, undefined)
    const container = engine.containers.find((entry) => entry.name === name)
    return {
      id: `docker://${name}`,
      name,
      node,
      facts,
      installed: containerState(container, facts),
      ...inside(name),
    }
  })
  return {
    machines,
    unreachable: [],
    secrets: new Map([['token', new Secret('0123456789abcdef')]]),
    rootfs: { manifest: testManifest },
    templates: {
      'templates/entry.sh': '#!/bin/sh\n# what every node starts with\n',
      'templates/lb.sh': '#!/bin/sh\n# the load balancer\n',
    },
    engine,
  }
}

/** A container as the engine would show it after it was made from a configuration. */
export function testContainer(
  config: ContainerConfig,
  state: EngineContainer['state'] = 'running',
  startedAt = state === 'created' ? '0001-01-01T00:00:00Z' : '2026-01-02T03:04:05Z',
): EngineContainer {
  return {
    id: `id-${config.name}`,
    name: config.name,
    image: config.image,
    state,
    exitCode: 0,
    labels: config.labels,
    addresses: config.address ? { [config.network]: config.address } : {},
    ...(config.address6 ? { addresses6: { [config.network]: config.address6 } } : {}),
    ports: config.ports,
    mounts: config.mounts.map(({ kind, source, target }) => ({ kind, source, target })),
    restarts: 0,
    startedAt,
    raw: {},
  }
}
