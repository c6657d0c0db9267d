import { expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { testMachine, testNode, testSpec, testWorld } from '../runtime/k3s/world.fixture.js'
import type { NodeStatus } from '../runtime/runtime.js'
import { inheritOptions } from './inherit-options.js'

/** What k3s on a node was told, as the API has it. */
const told = (name: string, labels: string[], taints: string[] = []): NodeStatus => ({
  ...{ name, role: 'worker', ready: true, version: '', address: '', message: '' },
  asked: { labels, taints },
})

it('gives hosts the labels and taints of their role, without those of one host and those of the configuration', async () => {
  const known = testSpec(1, 2)
  const nodes = [
    told('bare2', ['zone=a', 'disk=ssd', 'set=1'], ['k=v:NoSchedule']),
    told('bare3', ['zone=a', 'set=1'], ['k=v:NoSchedule']),
  ]
  const [first, ...workers] = testWorld(known).machines
  if (!first) throw new Error('no master')
  const through = { ...first, installed: { ...first.installed, nodes } }
  const [second, third] = workers.map(({ node }, i) =>
    testMachine(node, `bare${i + 2}`, {
      record: { given: i === 0 ? { '--node-label zone': 'all', '--node-label disk': 'node' } : {} },
    }),
  )
  const machines = [through, second, third].filter((machine) => machine !== undefined)
  const joining = { ...testSpec(0, 0), nodes: [testNode('10.0.0.9', 'worker', { labels: { rack: '7' } })] }
  const config = { 'node-label': ['set=1'] }
  const world = { ...testWorld(known), machines }
  const { joining: found } = await inheritOptions(
    { joining, known, world, through, config, stays: () => true },
    createContext(),
    { secrets: undefined as never },
  )
  expect(found.nodes[0]).toMatchObject({
    labels: { zone: 'a', rack: '7' },
    taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }],
    given: { '--node-label rack': 'node', '--node-label zone': 'all', '--node-taint k:NoSchedule': 'role' },
  })
  expect(found.nodes[0]).not.toHaveProperty('container')
})
