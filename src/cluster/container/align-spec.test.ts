import { expect, it } from 'vitest'
import type { ClusterSpec, Role } from '../spec.js'
import { alignSpec } from './align-spec.js'

const node = (role: Role, index: number) => ({
  target: {
    kind: 'container' as const,
    text: `airlift-dev-${role}-${index}`,
    host: `airlift-dev-${role}-${index}`,
  },
  role,
  labels: role === 'worker' ? { place: String(index) } : {},
  taints: [],
})

const spec = (masters: number, workers: number): ClusterSpec =>
  ({
    name: 'dev',
    runtime: 'k3d',
    masters: Array.from({ length: masters }, (_, i) => node('master', i)),
    nodes: Array.from({ length: workers }, (_, i) => node('worker', i)),
    containers: {
      ports: [
        {
          address: '',
          hostPort: 80,
          containerPort: 80,
          protocol: 'tcp',
          via: 'direct',
          nodes: ['airlift-dev-worker-1'],
        },
      ],
    },
  }) as unknown as ClusterSpec

const found = (role: string, ...indexes: number[]) =>
  indexes.map((index) => ({
    name: `airlift-dev-${role}-${index}`,
    labels: { 'airlift.role': role, 'airlift.index': String(index) },
  }))

const names = (of: ClusterSpec): string[] =>
  [...of.masters, ...of.nodes].map((one) => one.target.host.slice(12))

it('leaves a spec alone whose nodes are there, or not there yet', () => {
  const wanted = spec(1, 2)
  expect(alignSpec(wanted, [])).toBe(wanted)
  expect(alignSpec(wanted, [...found('master', 0), ...found('worker', 0)])).toBe(wanted)
})

it('means those that are there, after others have left', () => {
  const aligned = alignSpec(spec(1, 2), [...found('master', 0), ...found('worker', 0, 2)])
  expect(names(aligned)).toEqual(['master-0', 'worker-0', 'worker-2'])
  expect(aligned.nodes[1]).toMatchObject({ labels: { place: '1' }, target: { text: 'airlift-dev-worker-2' } })
  expect(aligned.containers?.ports[0]?.nodes).toEqual(['airlift-dev-worker-2'])
})

it('gives new nodes the lowest places that are free', () => {
  expect(names(alignSpec(spec(3, 3), [...found('master', 1, 2), ...found('worker', 2)]))).toEqual([
    'master-0',
    'master-1',
    'master-2',
    'worker-0',
    'worker-1',
    'worker-2',
  ])
})

it('changes nothing where more are there than are asked for: that is for others to refuse', () => {
  const wanted = spec(1, 1)
  expect(alignSpec(wanted, [...found('master', 0), ...found('worker', 1, 2)])).toBe(wanted)
})
