import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import { createContext } from '../core/context.js'
import type { EventInput } from '../core/events.js'
import type { Plan } from '../plan/plan.js'
import { machines, spec } from '../runtime/preflight/preflight.fixture.js'
import type { World } from '../runtime/runtime.js'
import { warnOfKeptLabels } from './kept-labels.js'

const one = spec(1, 0)
const [master] = machines(one)
const name = master?.facts.hostname.toLowerCase()

interface Case {
  readonly given?: readonly string[]
  readonly config?: ClusterSpec['config']
  readonly touched?: boolean
}

/** What is said of a master that is to have labels and was given some before. */
function told(
  labels: Readonly<Record<string, string>>,
  { given, config = {}, touched = true }: Case,
): string[] {
  const nodes = [{ name, role: 'master', ready: true, ...(given ? { givenLabels: given } : {}) }]
  const machine = {
    ...master,
    id: 'm',
    node: { ...master?.node, labels },
    installed: { active: true, initialized: true, apiReady: true, nodes },
  }
  const world = {
    machines: [machine],
    unreachable: [],
    secrets: new Map(),
    templates: {},
  } as unknown as World
  const plan = { steps: touched ? [{ machine: 'm' }] : [] } as unknown as Plan
  const messages: string[] = []
  const events = { emit: ({ message }: EventInput): number => messages.push(message) }
  warnOfKeptLabels({ ...one, config }, world, plan, createContext({ env: {}, events }))
  return messages
}

describe('warnOfKeptLabels', () => {
  const given = ['disk=ssd', 'zone=a']

  it('tells what to type where labels are not named any more', () => {
    expect(told({ zone: 'b' }, { given })).toEqual([
      expect.stringMatching(new RegExp(`keeps disk, which.*kubectl label nodes ${name} disk-$`)),
    ])
    expect(told({}, { given })[0]).toContain('disk- zone-')
  })

  it.each([
    ['labels that are named', told({ disk: 'ssd', zone: 'a' }, { given })],
    [
      'labels that are in the configuration',
      told({ disk: 'hdd' }, { given, config: { 'node-label': ['zone=a'] } }),
    ],
    ['a node that was given none', told({}, {})],
    ['a node that the plan leaves alone', told({}, { given, touched: false })],
  ])('says nothing of %s', (_, messages) => {
    expect(messages).toEqual([])
  })
})
