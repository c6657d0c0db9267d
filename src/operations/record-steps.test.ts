import { describe, expect, it } from 'vitest'
import type { ClusterSpec, NodeSpec, Role } from '../cluster/spec.js'
import type { MachineWorld } from '../runtime/runtime.js'
import { recordSteps } from './record-steps.js'

const node = (text: string, role: Role): NodeSpec => ({
  target: { kind: 'ssh', text, host: text },
  role,
  labels: {},
  taints: [],
})
const a = node('a', 'master')
const b = node('b', 'worker')
const spec = { name: 'prod', masters: [a], nodes: [b] } as unknown as ClusterSpec
const machine = (of: NodeSpec, record?: Record<string, unknown>): MachineWorld =>
  ({
    id: `ssh://${of.target.host}`,
    node: of,
    facts: { hostname: of.target.host.toUpperCase(), managed: { ...(record ? { record } : {}) } },
  }) as unknown as MachineWorld
const master = {
  name: 'prod',
  runtime: 'k3s',
  role: 'master',
  masters: ['a'],
  nodes: ['b', 'gone'],
  config: { x: 1 },
}

describe('the record on a machine', () => {
  it('is written where it names others than the members, all else as it was', () => {
    const [step, ...rest] = recordSteps(spec, [machine(a, master)], ['b/remove'])
    expect(rest).toEqual([])
    expect(step).toMatchObject({ id: 'a/record', machine: 'ssh://a', needs: ['b/remove'] })
    expect(step?.effect).toBeUndefined()
    const [action] = step?.actions ?? []
    expect(action).toMatchObject({ kind: 'write', path: '/var/lib/airlift/cluster.json', mode: '0600' })
    expect(action?.kind === 'write' && action.content).toBe(
      `${JSON.stringify({ ...master, nodes: ['b'] }, null, 2)}\n`,
    )
  })

  it.each([
    ['is right already', machine(a, { ...master, nodes: ['b'] })],
    [
      'is of a worker, which knows masters only',
      machine(b, { name: 'prod', role: 'worker', masters: ['a'] }),
    ],
    ['is of another cluster', machine(a, { ...master, name: 'other' })],
    ['is not there', machine(a)],
  ])('is left alone when it %s', (_, found) => {
    expect(recordSteps(spec, [found], [])).toEqual([])
  })
})
