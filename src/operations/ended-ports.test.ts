import { expect, it } from 'vitest'
import { LABELS } from '../cluster/container-labels.js'
import type { PortSpec } from '../cluster/container-spec.js'
import type { ClusterSpec } from '../cluster/spec.js'
import type { EngineContainer } from '../machine/docker/engine.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import type { World } from '../runtime/runtime.js'
import { endedPorts } from './ended-ports.js'

const port = (more: Partial<PortSpec>): PortSpec => ({
  ...{ address: '127.0.0.1', hostPort: 8095, containerPort: 80, protocol: 'tcp', via: 'proxy' },
  nodes: [],
  ...more,
})
const worldOf = (at: string, ports: readonly PortSpec[]): World => {
  const labels = { [LABELS.spec]: JSON.stringify({ image: 'i', network: 'n', ports }) }
  const containers = [{ name: `airlift-dev-${at}`, labels }] as unknown as EngineContainer[]
  return { engine: { containers } } as unknown as World
}
const spec = testContainers(1, 2)
const without = (...names: string[]): ClusterSpec => ({
  ...spec,
  nodes: spec.nodes.filter(({ target }) => !names.some((name) => target.host.endsWith(name))),
})
const worker = (index: number): string => `airlift-dev-worker-${index}`

it.each<[string, string, Partial<PortSpec>, ClusterSpec, string[]]>([
  [
    'that the node itself publishes',
    'worker-1',
    { via: 'direct', nodes: [worker(1)] },
    without('worker-1'),
    ['the published port 8095:80 ends: airlift-dev-worker-1 publishes it itself'],
  ],
  [
    'that led to that node alone',
    'lb',
    { nodes: [worker(1)] },
    without('worker-1'),
    [
      'the published port 8095:80 leads nowhere: of airlift-dev-worker-1 none stays; to take it away: airlift ports remove --name dev 8095:80',
    ],
  ],
  [
    'of all workers',
    'lb',
    { nodes: [worker(0)], group: 'workers' },
    without('worker-0', 'worker-1'),
    [
      'the published port 8095:80 leads nowhere: of airlift-dev-worker-0, airlift-dev-worker-1 none stays; it leads to the workers that are added later',
    ],
  ],
  ['that leads to another one, too', 'lb', { nodes: [worker(0), worker(1)] }, without('worker-1'), []],
  ['of one that stays', 'worker-0', { via: 'direct', nodes: [worker(0)] }, without('worker-1'), []],
  ['that a master publishes for the cluster', 'worker-1', {}, without('worker-1'), []],
  ['of all nodes', 'lb', { group: 'all' }, without('worker-0', 'worker-1'), []],
])('a port %s', (_, at, more, after, said) => {
  expect(endedPorts(spec, after, worldOf(at, [port(more)]))).toEqual(said)
})
