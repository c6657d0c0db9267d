import { describe, expect, it } from 'vitest'
import { buildSpec } from './build-spec.js'
import { GIVEN, givenFor } from './given.js'
import type { SpecIo } from './spec-io.js'

describe('an option with a filter', () => {
  it.each([
    [undefined, 'all', 'all'],
    ['all', 'all', 'all'],
    ['all:*', 'all', 'all'],
    ['masters:*', 'role', 'node'],
    ['server', 'role', 'node'],
    ['agents[*]', 'node', 'role'],
    ['workers:*;masters:*', 'all', 'all'],
    ['workers:*:direct;masters:0', 'node', 'role'],
    ['masters:0', 'node', 'node'],
    ['workers:0-1', 'node', 'node'],
    ['airlift-dev-worker-0', 'node', 'node'],
    ['loadbalancer', 'node', 'node'],
  ])('%s is for whom it names', (filter, master, worker) => {
    expect([givenFor(filter, 'master'), givenFor(filter, 'worker')]).toEqual([master, worker])
  })
})

it('shows no secret in a key', () => {
  expect(GIVEN.k3sArg('--my-password=word')).toBe('--k3s-arg --my-password=')
})

it('is noted with the nodes that it was given to, the wider filter where there are two', async () => {
  const io: SpecIo = {
    readFile: async () => Buffer.from('x'),
    listDirectory: async () => undefined as never,
    loadRegistries: async () => ({}) as never,
  }
  const flags = {
    ...{ masters: '1', nodes: '2', name: 'dev' },
    ...{ env: ['A=1@workers:0', 'A=1', 'B=1@workers:1'], k3sArg: ['--disable=traefik', '--debug'] },
    ...{ volume: ['named:/n@workers:*'], file: ['f:/etc/f@all'], runtimeLabel: ['team=x'] },
    ...{
      memory: ['1g@masters:0'],
      cpus: ['2'],
      nodeLabel: ['zone=a'],
      nodeTaint: ['k=v:NoSchedule@masters:*'],
    },
  }
  const { spec } = await buildSpec(flags, io)
  const shared = {
    '--cpus': 'all',
    '--env A': 'all',
    '--file /etc/f': 'all',
    '--k3s-arg --debug': 'all',
    '--node-label zone': 'all',
    '--runtime-label team': 'all',
  }
  expect([...spec.masters, ...spec.nodes].map(({ given }) => given)).toEqual([
    {
      ...shared,
      '--k3s-arg --disable=traefik': 'role',
      '--memory': 'node',
      '--node-taint k:NoSchedule': 'role',
    },
    { ...shared, '--volume /n': 'role' },
    { ...shared, '--env B': 'node', '--volume /n': 'role' },
  ])
  const plain = await buildSpec({ masters: '1', name: 'dev' }, io)
  expect(plain.spec.masters[0]).not.toHaveProperty('given')
})
