import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import { createContext } from '../core/context.js'
import type { EventInput } from '../core/events.js'
import type { Plan } from '../plan/plan.js'
import { parseNodes } from '../runtime/k3s/nodes.js'
import { machines, spec } from '../runtime/preflight/preflight.fixture.js'
import type { World } from '../runtime/runtime.js'
import { warnOfKeptLabels } from './kept-labels.js'

const one = spec(1, 0)
const [master] = machines(one)
if (!master) throw new Error('no machine')
const name = master.facts.hostname.toLowerCase()

/** What is said of a master whose Node has these labels, and whose k3s was started with these options. */
function told(
  wanted: Readonly<Record<string, string>>,
  {
    has,
    args,
    config = {},
    touched = true,
  }: { has: object; args: string; config?: ClusterSpec['config']; touched?: boolean },
): string[] {
  const item = {
    metadata: { name, labels: has, annotations: { 'k3s.io/node-args': args } },
    status: { conditions: [{ type: 'Ready', status: 'True' }] },
  }
  const nodes = parseNodes(JSON.stringify({ items: [item] }))
  const installed = { active: true, initialized: true, apiReady: true, nodes }
  const world: World = {
    machines: [
      { ...master, node: { ...master?.node, labels: wanted }, installed },
    ] as unknown as World['machines'],
    unreachable: [],
    secrets: new Map(),
    templates: {},
  }
  const plan = { steps: touched ? [{ machine: world.machines[0]?.id }] : [] } as unknown as Plan
  const messages: string[] = []
  const events = { emit: ({ message }: EventInput): number => messages.push(message) }
  warnOfKeptLabels({ ...one, config }, world, plan, createContext({ env: {}, events }))
  return messages
}

describe('warnOfKeptLabels', () => {
  const args = JSON.stringify(['server', '--node-label', 'disk=ssd', '--node-label=zone=a', '--tls-san', 'x'])
  const has = { disk: 'ssd', zone: 'a', mine: 'yes', 'kubernetes.io/os': 'linux' }

  it('tells what to type where labels are not named any more', () => {
    expect(told({ zone: 'b' }, { has, args })).toEqual([
      expect.stringMatching(new RegExp(`keeps disk, which.*kubectl label nodes ${name} disk-$`)),
    ])
    expect(told({}, { has, args })[0]).toContain('disk- zone-')
  })

  it.each([
    ['labels that are named', told({ disk: 'ssd', zone: 'a' }, { has, args })],
    [
      'labels that are in the configuration',
      told({ disk: 'hdd' }, { has, args, config: { 'node-label': ['zone=a'] } }),
    ],
    ['labels that somebody has taken away', told({}, { has: { mine: 'yes' }, args })],
    ['labels that k3s was not told of', told({}, { has, args: '["server"]' })],
    ['a node that the plan leaves alone', told({}, { has, args, touched: false })],
    ['options that cannot be read', told({}, { has, args: 'none' })],
  ])('says nothing of %s', (_, messages) => {
    expect(messages).toEqual([])
  })
})
