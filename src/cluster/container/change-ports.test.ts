import { describe, expect, it } from 'vitest'
import { isAirliftError } from '../../core/errors.js'
import { LABELS } from '../container-labels.js'
import { containerName, type PortSpec } from '../container-spec.js'
import type { ClusterSpec, NodeSpec, Role } from '../spec.js'
import { changePorts } from './change-ports.js'
import { areSamePorts, portNodes, portText, publishedPorts } from './published-ports.js'

const nodes = (role: Role, count: number): NodeSpec[] =>
  Array.from({ length: count }, (_, index) => {
    const host = containerName('dev', role, index)
    return { target: { kind: 'container', text: host, host }, role, labels: {}, taints: [] }
  })
const spec = (masters: number, workers: number) =>
  ({
    name: 'dev',
    masters: nodes('master', masters),
    nodes: nodes('worker', workers),
  }) as unknown as ClusterSpec

const port = (more: Partial<PortSpec> = {}): PortSpec => ({
  address: '127.0.0.1',
  hostPort: 8080,
  containerPort: 80,
  protocol: 'tcp',
  via: 'proxy',
  nodes: ['airlift-dev-master-0'],
  group: 'all',
  ...more,
})
const container = (name: string, ports: PortSpec[], api?: { address: string; port: number }) => ({
  name: `airlift-dev-${name}`,
  labels: { [LABELS.spec]: JSON.stringify({ image: 'i', network: 'n', ports, ...(api ? { api } : {}) }) },
})

/** The three lists as short texts; or the error's code, message and hint. */
function change(
  op: 'add' | 'remove',
  texts: string[],
  containers: ReturnType<typeof container>[],
  of = spec(1, 2),
): unknown {
  const shown = (ports: readonly PortSpec[]): string =>
    ports
      .map((one) => `${portText(one)}>${one.group ?? one.nodes.join().replaceAll('airlift-dev-', '')}`)
      .join(' ')
  try {
    const { balanced, added, removed } = changePorts(of, containers, { op, texts })
    return { balanced: shown(balanced), added: shown(added), removed: shown(removed) }
  } catch (error) {
    if (!isAirliftError(error)) throw error
    return `${error.code} ${error.exit}: ${error.message} (${error.hint})`
  }
}

describe('add', () => {
  it.each([
    [['9090:90'], '9090:90>all'],
    [['9090:90@workers:*'], '9090:90>workers'],
    [['9090:90@agent:*'], '9090:90>workers'],
    [['9090:90@masters'], '9090:90>masters'],
    [['9090:90@all'], '9090:90>all'],
    [['9090:90@loadbalancer'], '9090:90>all'],
    [['9090:90@server:*;agent:*'], '9090:90>all'],
    [['9090:90@workers:1'], '9090:90>worker-1'],
    [['9090:90@airlift-dev-worker-0'], '9090:90>worker-0'],
    [['90'], '90>all'],
    [['[::1]:9090-9091:90-91/udp'], '[::1]:9090:90/udp>all [::1]:9091:91/udp>all'],
    // The first is there already.
    [['8080:80', '9090:90'], '9090:90>all'],
  ])('%s', (texts, added) => {
    const there = [container('lb', [port()])]
    expect(change('add', texts, there)).toEqual({ balanced: `8080:80>all ${added}`, added, removed: '' })
  })

  it('counts nodes by the numbers in their names, and says which there are', () => {
    const of = { ...spec(4, 2), masters: nodes('master', 4).slice(2) }
    const there = [container('lb', [port()])]
    expect(change('add', ['9090:90@masters:3'], there, of)).toMatchObject({ added: '9090:90>master-3' })
    expect(change('add', ['9090:90@masters:0'], there, of)).toContain('there are masters:2 to masters:3, ')
  })

  it('changes nothing where all is there, be it at a node', () => {
    const there = [container('lb', [port()]), container('master-0', [port({ hostPort: 8081 })])]
    const none = { balanced: '8080:80>all', added: '', removed: '' }
    expect(change('add', ['8080:80', '8081:80', '80'], there)).toEqual(none)
    // Nodes that came later are of the same kind.
    expect(change('add', ['8080:80'], there, spec(1, 5))).toEqual(none)
  })

  it.each([
    [
      ['8080:81'],
      'E_SPEC_INVALID 2: ports add: port 8080 of "8080:81" is taken by 8080:80, which is published (give each port of this computer once)',
    ],
    [
      ['0.0.0.0:6550:81'],
      'E_SPEC_INVALID 2: ports add: port 6550 of "0.0.0.0:6550:81" is taken by --api-port (give each port of this computer once)',
    ],
    [
      ['9090:80@workers:*'],
      'E_SPEC_INVALID 2: ports add: port 80 of "9090:80@workers:*" is led to other nodes by 8080:80, which is published (name the same nodes in both, or one node with :direct)',
    ],
    [
      ['9090:90@workers:0:direct'],
      'E_UNSUPPORTED 2: 9090:90 with :direct would be published by airlift-dev-worker-0, and a node that exists cannot be given a port (leave :direct out: the load balancer then leads the port to the same node)',
    ],
  ])('refuses %s', (texts, message) => {
    const there = [container('lb', [port()]), container('master-0', [], { address: '127.0.0.1', port: 6550 })]
    expect(change('add', texts, there)).toBe(message)
  })

  it('tells all that is wrong at once', () => {
    expect(change('add', ['x', '9090:90@workers:7'], [])).toMatch(/^E_SPEC_INVALID 2: 2 problems:\n/)
  })
})

describe('remove', () => {
  const there = [
    container('lb', [
      port(),
      port({ hostPort: 8081 }),
      port({ hostPort: 9090, containerPort: 90, group: 'workers' }),
      port({ hostPort: 5300, containerPort: 53, protocol: 'udp', address: '0.0.0.0' }),
    ]),
    container('worker-1', [
      port({ via: 'direct', hostPort: 7070, containerPort: 70, nodes: ['airlift-dev-worker-1'] }),
    ]),
    container('master-0', [port({ hostPort: 6060, containerPort: 60 })]),
  ]
  const all = ['8080:80>all', '8081:80>all', '9090:90>workers', '0.0.0.0:5300:53/udp>all']

  it.each([
    [['8080:80'], [0]],
    [['80'], [0, 1]],
    [
      ['8080-8080:80-80', '0.0.0.0:5300:53/udp'],
      [0, 3],
    ],
    [['9090:90@workers:*'], [2]],
    [['9090:90@agents'], [2]],
    [['8080:80', '8080:80'], [0]],
  ])('%s', (texts, gone) => {
    expect(change('remove', texts, there)).toEqual({
      balanced: all.filter((_, i) => !gone.includes(i)).join(' '),
      added: '',
      removed: gone.map((i) => all[i]).join(' '),
    })
  })

  it.each([
    [
      ['8082:80'],
      'E_SPEC_INVALID 2: ports remove: no port 8082:80 is published (published are 8080:80, 8081:80, 9090:90, 0.0.0.0:5300:53/udp, 7070:70, 6060:60)',
    ],
    [['5300:53/udp'], 'E_SPEC_INVALID 2: ports remove: no port 5300:53/udp is published (published are'],
    [['9090:90@masters:*'], 'no port 9090:90@masters:* is published'],
    [
      ['7070:70'],
      'E_UNSUPPORTED 2: 7070:70 is published by airlift-dev-worker-1 itself, and a container that exists cannot be changed (take the node out and add another: airlift delete --name dev --nodes airlift-dev-worker-1',
    ],
    [
      ['8080:80', '6060:60'],
      'E_UNSUPPORTED 2: 6060:60 is published by airlift-dev-master-0 itself, and a container that exists cannot be changed (make the cluster anew without it: airlift reset',
    ],
  ])('refuses %s', (texts, message) => expect(change('remove', texts, there)).toContain(message))

  it('says so where nothing is published', () => {
    expect(change('remove', ['80'], [])).toContain('(no port is published beside the API)')
  })
})

it('a port keeps its kind of nodes when they come and go', () => {
  const of = (group: PortSpec['group'], names: string[]) =>
    portNodes({ ...port({ nodes: names }), ...(group ? { group } : {}) }, spec(1, 2)).map((name) =>
      name.replace('airlift-dev-', ''),
    )
  const old = ['airlift-dev-worker-0', 'airlift-dev-worker-7']
  expect(of('all', old)).toEqual(['master-0', 'worker-0', 'worker-1'])
  expect(of('masters', old)).toEqual(['master-0'])
  expect(of('workers', old)).toEqual(['worker-0', 'worker-1'])
  const { group: _, ...named } = port({ nodes: old })
  expect(portNodes(named, spec(1, 2))).toEqual(['airlift-dev-worker-0'])
  expect(publishedPorts([container('lb', [port()])], spec(2, 0))).toMatchObject([
    { at: 'airlift-dev-lb', nodes: ['airlift-dev-master-0', 'airlift-dev-master-1'] },
  ])
})

it('a list with numbers left out is the same as one where they were chosen', () => {
  const any = port({ hostPort: 0 })
  expect(areSamePorts([any, port()], [port(), port({ hostPort: 40001 })])).toBe(true)
  expect(areSamePorts([any, any], [port(), port({ hostPort: 40001 })])).toBe(true)
  expect(areSamePorts([any], [port(), port({ hostPort: 40001 })])).toBe(false)
  expect(areSamePorts([port({ address: '0.0.0.0' })], [port()])).toBe(false)
})
