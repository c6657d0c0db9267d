import { describe, expect, it } from 'vitest'
import type { ClusterSpec, MachineTarget } from '../cluster/spec.js'
import { testMachine, testNode, testSpec } from '../runtime/k3s/world.fixture.js'
import { recordedHost } from '../runtime/recorded-host.js'
import type { InstalledState, MachineWorld, World } from '../runtime/runtime.js'
import { withRecorded } from './recorded-nodes.js'
import { checkResetScope, isWholeRecord, withoutMoved } from './reset-scope.js'

const none: ClusterSpec = { ...testSpec(1, 0), masters: [], nodes: [] }
const record = (more: Record<string, unknown>): Record<string, unknown> => ({ name: 'prod', ...more })

/** A master at 10.0.0.1 whose host name is bare1, reached as it was named, with its record. */
function master(
  named: MachineTarget,
  told: Record<string, unknown>,
  installed: Partial<InstalledState> = {},
): MachineWorld {
  const found = testMachine(
    testNode('10.0.0.1', 'master'),
    'bare1',
    { record: record(told) },
    { cluster: 'prod', role: 'master', ...installed },
  )
  return { ...found, name: named.text, node: { ...found.node, target: named } }
}
const ssh = (text: string, host: string, port?: number): MachineTarget => ({
  kind: 'ssh',
  text,
  host,
  ...(port === undefined ? {} : { port }),
})
const local: MachineTarget = { kind: 'local', text: 'local', host: 'local' }
const texts = ({ masters, nodes }: ClusterSpec): string[] => [...masters, ...nodes].map((n) => n.target.text)

describe('a record that names machines', () => {
  const told = { masters: ['root@10.0.0.1'], nodes: ['root@10.0.0.2'] }

  it.each<[string, MachineTarget, Record<string, unknown>]>([
    ['by the same address, as another user', ssh('ops@10.0.0.1', '10.0.0.1'), told],
    ['by its address, and the command by an alias', ssh('m1', 'm1'), told],
    [
      'by its host name, and the command by its address',
      ssh('10.0.0.1', '10.0.0.1'),
      { ...told, masters: ['bare1'] },
    ],
    [
      'by an alias, and the command by its address',
      ssh('10.0.0.1', '10.0.0.1'),
      { ...told, host: 'm1', masters: ['m1'] },
    ],
    ['by its address, where it is this computer', local, told],
  ])('does not make a second one of a machine that it knows %s', async (_, named, told) => {
    const found = master(named, told)
    const whole = await withRecorded({ ...none, masters: [found.node] }, [found])
    expect(texts(whole)).toEqual([named.text, 'root@10.0.0.2'])
    expect(whole.nodes[0]?.role).toBe('worker')
  })

  it('tells machines behind one address apart by their ports', async () => {
    const found = master(ssh('root@gate:2201', 'gate', 2201), {
      masters: ['root@gate:2201', 'root@gate:2202'],
    })
    expect(texts(await withRecorded({ ...none, masters: [found.node] }, [found]))).toEqual([
      'root@gate:2201',
      'root@gate:2202',
    ])
  })

  it('is not believed that "local" is this computer: it was that of whoever wrote it', async () => {
    const found = master(ssh('10.0.0.1', '10.0.0.1'), { masters: ['local'] })
    expect(texts(await withRecorded({ ...none, masters: [found.node] }, [found]))).toEqual(['10.0.0.1'])
  })
})

describe('recordedHost', () => {
  it('is what was typed, and of this computer the address that others know it by', () => {
    const here = master(local, {})
    const other = testNode('10.0.0.2', 'worker')
    expect(recordedHost(here.node, [here])).toBe('10.0.0.1')
    expect(recordedHost(other, [here])).toBe(other.target.text)
  })
})

describe('what a reset may remove beyond what it was told', () => {
  const member = (n: number, role: 'master' | 'worker', masters: string[], cluster = 'prod'): MachineWorld =>
    testMachine(
      testNode(`10.0.0.${n}`, role),
      `bare${n}`,
      { record: record({ name: cluster, role, masters }) },
      { cluster, role },
    )
  const world = (...machines: MachineWorld[]): World =>
    ({ machines, unreachable: [], secrets: new Map(), templates: {} }) satisfies World
  const of = (machine: MachineWorld): ClusterSpec => ({
    ...none,
    masters: machine.node.role === 'master' ? [machine.node] : [],
    nodes: machine.node.role === 'worker' ? [machine.node] : [],
  })

  it('is the rest of a cluster that a master led to', async () => {
    const all = ['root@10.0.0.1', 'root@10.0.0.2']
    const [one, two, three] = [member(1, 'master', all), member(2, 'master', all), member(3, 'worker', all)]
    await expect(checkResetScope(of(one), world(one, two, three))).resolves.toBeUndefined()
  })

  it('is not a cluster that only a worker led to', async () => {
    const [one, two] = [member(1, 'master', ['root@10.0.0.1']), member(2, 'worker', ['root@10.0.0.1'])]
    await expect(checkResetScope(of(two), world(one, two))).rejects.toMatchObject({
      code: 'E_REMOVE_REFUSED',
      exit: 2,
      hint: expect.stringContaining('airlift delete --name prod --through root@10.0.0.1'),
    })
  })

  it('is not a cluster that a master led to which the others have let go', async () => {
    const gone = member(2, 'master', ['root@10.0.0.1', 'root@10.0.0.2'])
    const stays = member(1, 'master', ['root@10.0.0.1'])
    await expect(checkResetScope(of(gone), world(stays, gone))).rejects.toMatchObject({
      code: 'E_REMOVE_REFUSED',
      machine: 'root@10.0.0.1',
    })
  })

  it('is not a machine that belongs to another cluster by now', () => {
    const one = member(1, 'master', ['root@10.0.0.1'])
    const moved = member(2, 'worker', ['root@10.0.0.9'], 'other')
    expect(withoutMoved(of(one), world(one, moved)).machines).toEqual([one])
    expect(withoutMoved({ ...of(one), nodes: [moved.node] }, world(one, moved)).machines).toEqual([
      one,
      moved,
    ])
  })
})

describe('a reset that found nothing', () => {
  const spec = testSpec(1, 1)
  const record = { masters: ['root@10.0.0.1'], nodes: ['root@10.0.0.2'] }

  it('lets the cluster be forgotten only where it looked at all that is remembered', () => {
    expect(isWholeRecord(spec, record)).toBe(true)
    expect(isWholeRecord(spec, undefined)).toBe(true)
    expect(isWholeRecord({ ...spec, nodes: [] }, record)).toBe(false)
    expect(isWholeRecord(testSpec(1, 1), { ...record, masters: ['root@10.9.9.9'] })).toBe(false)
  })
})
