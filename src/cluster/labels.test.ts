import { describe, expect, it } from 'vitest'
import { type Filterable, filterNames, selectNodes } from './filters.js'
import { parseNodeLabel, parseNodeTaint } from './labels.js'

describe('parseNodeLabel', () => {
  it.each([
    ['disk=ssd', { value: { key: 'disk', value: 'ssd' } }],
    ['disk=', { value: { key: 'disk', value: '' } }],
    ['a.b/disk_1=x.y@workers:0', { value: { key: 'a.b/disk_1', value: 'x.y' }, filter: 'workers:0' }],
    ['disk=ssd@root@10.0.0.1', { value: { key: 'disk', value: 'ssd' }, filter: 'root@10.0.0.1' }],
    ['topology.kubernetes.io/zone=a', { value: { key: 'topology.kubernetes.io/zone', value: 'a' } }],
    ['x.node.kubernetes.io/y=a', { value: { key: 'x.node.kubernetes.io/y', value: 'a' } }],
  ])('reads %s', (text, expected) => {
    expect(parseNodeLabel(text)).toEqual(expected)
  })

  it.each([
    ['disk', '"disk" is not a label'],
    ['=ssd', '"" is not a key'],
    ['disk=-x', '"-x" is not a value'],
    [`disk=${'x'.repeat(64)}`, 'is not a value'],
    ['a/b/c=d', '"a/b/c" is not a key'],
    ['A/b=d', '"A" is not a prefix'],
    ['/b=d', '"" is not a prefix'],
    ['node-role.kubernetes.io/worker=true', 'may not give itself the label "node-role.kubernetes.io/worker"'],
    ['node-restriction.kubernetes.io/x=y', 'may not give itself'],
    ['foo.k8s.io/x=y', 'may not give itself'],
  ])('refuses %s', (text, message) => {
    const result = parseNodeLabel(text)
    expect('message' in result && result.message).toContain(message)
    expect('hint' in result && result.hint).toBeTruthy()
  })

  it('tells how to set a role when the cluster is up', () => {
    expect(parseNodeLabel('node-role.kubernetes.io/worker=true')).toMatchObject({
      hint: 'set it when the cluster is up: kubectl label node NAME node-role.kubernetes.io/worker=true',
    })
  })
})

describe('parseNodeTaint', () => {
  it.each([
    ['gpu=yes:NoSchedule', { value: { key: 'gpu', value: 'yes', effect: 'NoSchedule' } }],
    [
      'node-role.kubernetes.io/control-plane:NoSchedule@masters',
      {
        value: { key: 'node-role.kubernetes.io/control-plane', value: '', effect: 'NoSchedule' },
        filter: 'masters',
      },
    ],
  ])('reads %s', (text, expected) => {
    expect(parseNodeTaint(text)).toEqual(expected)
  })

  it.each([
    ['gpu=yes', 'has no effect'],
    ['gpu=yes:noschedule', '"noschedule" is not an effect'],
    ['gpu=a=b:NoExecute', '"a=b" is not a value'],
    ['=x:NoExecute', '"" is not a key'],
  ])('refuses %s', (text, message) => {
    const result = parseNodeTaint(text)
    expect('message' in result && result.message).toContain(message)
  })
})

describe('selectNodes', () => {
  const node = (role: 'master' | 'worker', index: number, host: string, ...names: string[]): Filterable => ({
    role,
    index,
    names: [...filterNames({ kind: 'ssh', host, text: `root@${host}` }), ...names],
  })
  const nodes = [
    node('master', 0, '10.0.0.1', 'bare1'),
    node('worker', 0, '10.0.0.2', 'bare2'),
    node('worker', 1, 'fd00::3', 'bare3'),
    node('worker', 2, 'Host4.lan', 'bare4'),
  ]

  it.each([
    ['all', [0, 1, 2, 3]],
    ['masters', [0]],
    ['masters:0', [0]],
    ['server:0', [0]],
    ['servers:*', [0]],
    ['workers:*', [1, 2, 3]],
    ['agents[0,2]', [1, 3]],
    ['agents[*]', [1, 2, 3]],
    ['agents:[1-2]', [2, 3]],
    ['workers:0,2', [1, 3]],
    ['workers:1;masters', [0, 2]],
    ['bare2', [1]],
    ['bare[2-3]', [1, 2]],
    ['10.0.0.1-10.0.0.2', [0, 1]],
    ['root@10.0.0.2', [1]],
    ['ssh://root@10.0.0.2', [1]],
    ['[fd00::3]', [2]],
    ['fd00::3', [2]],
    ['host4.lan', [3]],
  ])('%s selects %j', (filter, indexes) => {
    expect(selectNodes(filter, nodes)).toEqual({ ok: true, indexes })
  })

  it.each([
    ['masters:1', 'the filter "masters:1" matches nothing at 1'],
    ['workers:1-5', 'matches nothing at 1-5'],
    ['workers:x', '"x" in the filter "workers:x" is not a list of numbers'],
    ['all:0', 'has no order'],
    ['loadbalancer', 'there is no load balancer'],
    ['nobody', 'the filter "nobody" matches no node'],
    ['bare[1-9]', 'the filter "bare5" matches no node'],
    ['masters;', 'the filter is empty'],
    ['', 'the filter is empty'],
  ])('%s is refused with what there is', (filter, message) => {
    const result = selectNodes(filter, nodes)
    if (result.ok) throw new Error('it was taken')
    expect(result.message).toContain(message)
    expect(result.hint).toBe(
      'there are masters:0, workers:0 to workers:2, all, and 10.0.0.1, 10.0.0.2, fd00::3, Host4.lan',
    )
  })

  it('says when there is none of a role', () => {
    expect(selectNodes('workers', nodes.slice(0, 1))).toMatchObject({
      message: 'the filter "workers" matches no node',
    })
  })
})
