import { describe, expect, it } from 'vitest'
import type { NodeSpec } from '../cluster/spec.js'
import { createContext } from '../core/context.js'
import type { EventInput } from '../core/events.js'
import type { Plan } from '../plan/plan.js'
import { machines, spec } from '../runtime/preflight/preflight.fixture.js'
import type { NodeStatus, World } from '../runtime/runtime.js'
import { warnOfUnappliedTaints } from './unapplied-taints.js'

type Found = ReturnType<typeof machines>[number] & { readonly id: string }

const two = spec(1, 1)
const [master, worker] = machines(two).map((machine) => ({ ...machine, id: machine.name })) as [Found, Found]
const none = { active: true, initialized: true, apiReady: false }

const hostname = (machine: Found): string => machine.facts.hostname.toLowerCase()

/** What is said of a worker that is to have taints and has those of the cluster; nothing is known of it where it has none. */
function told(wanted: NodeSpec['taints'], has: readonly string[] | undefined, steps = [worker.id]): string[] {
  const status = (name: string, role: NodeStatus['role'], taints?: readonly string[]): NodeStatus => ({
    ...{ name, role, ready: true, version: 'v1.33.1+k3s1', address: '10.0.0.1', message: '' },
    ...(taints ? { taints } : {}),
  })
  const nodes = [
    status(hostname(master), 'master'),
    ...(has ? [status(hostname(worker), 'worker', has)] : []),
  ]
  const world: World = {
    machines: [
      { ...master, installed: { ...none, apiReady: true, nodes } },
      { ...worker, node: { ...worker.node, taints: wanted }, installed: none },
    ],
    unreachable: [],
    secrets: new Map(),
    templates: {},
  }
  const plan = { steps: steps.map((machine) => ({ machine })) } as unknown as Plan
  const messages: string[] = []
  const events = { emit: ({ message }: EventInput): number => messages.push(message) }
  warnOfUnappliedTaints(two, world, plan, createContext({ env: {}, events }))
  return messages
}

describe('warnOfUnappliedTaints', () => {
  const db = { key: 'dedicated', value: 'db', effect: 'NoSchedule' } as const
  const off = { key: 'off', value: '', effect: 'NoExecute' } as const

  it('tells what to type where a node that registered lacks what it is to have', () => {
    const [message, ...more] = told([db, off], ['off:NoExecute'])
    expect(message).toContain(`kubectl taint nodes ${hostname(worker)} dedicated=db:NoSchedule`)
    expect(message).not.toContain('off')
    expect(more).toEqual([])
  })

  it.each([
    ['a node that has them', told([db], ['dedicated=db:NoSchedule', 'more:NoSchedule'])],
    ['a node that is to register', told([db], undefined)],
    ['a node that the plan leaves alone', told([db], [], [])],
    ['a node that is to have none', told([], ['more:NoSchedule'])],
  ])('says nothing of %s', (_, messages) => {
    expect(messages).toEqual([])
  })
})
