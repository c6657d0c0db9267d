import { describe, expect, it } from 'vitest'
import type { PortSpec } from '../container-spec.js'
import { parsePort } from './parse-port.js'
import { buildPorts, type PortSurroundings } from './ports.js'
import { viewOf } from './view.fixture.js'

describe('parsePort', () => {
  const request = (text: string) => {
    const parsed = parsePort(text)
    if ('message' in parsed) throw new Error(parsed.message)
    const { address, pairs, protocol, filter } = parsed
    const shown = pairs.map(({ hostPort, containerPort }) => `${hostPort}:${containerPort}`).join(' ')
    return `${address} ${shown} ${protocol}${filter === undefined ? '' : ` @${filter}`}`
  }

  it.each([
    ['8080:80', '127.0.0.1 8080:80 tcp'],
    ['80', '127.0.0.1 0:80 tcp'],
    ['0:80', '127.0.0.1 0:80 tcp'],
    ['8080:80/udp', '127.0.0.1 8080:80 udp'],
    ['8080:80/SCTP', '127.0.0.1 8080:80 sctp'],
    ['0.0.0.0:8080:80', '0.0.0.0 8080:80 tcp'],
    ['192.168.1.5::80', '192.168.1.5 0:80 tcp'],
    ['192.168.1.5:80', '192.168.1.5 0:80 tcp'],
    ['localhost:8080:80', '127.0.0.1 8080:80 tcp'],
    ['[::1]:8080:80', '::1 8080:80 tcp'],
    ['[::1]:80', '::1 0:80 tcp'],
    ['[::1]::80', '::1 0:80 tcp'],
    ['[0:0:0:0:0:0:0:1]:8080:80', '::1 8080:80 tcp'],
    ['[FD00::A]:8080:80/udp@server:0', 'fd00::a 8080:80 udp @server:0'],
    ['::1:8080:80', '::1 8080:80 tcp'],
    ['8000-8002:9000-9002', '127.0.0.1 8000:9000 8001:9001 8002:9002 tcp'],
    ['8000-8001', '127.0.0.1 0:8000 0:8001 tcp'],
    ['8080:80@loadbalancer', '127.0.0.1 8080:80 tcp @loadbalancer'],
    ['8080:80@server:0:direct;agent:1', '127.0.0.1 8080:80 tcp @server:0:direct;agent:1'],
    ['65535:65535', '127.0.0.1 65535:65535 tcp'],
  ])('reads %s', (text, expected) => expect(request(text)).toBe(expected))

  it.each([
    ['', '"" is not a port (1 to 65535), in ""'],
    ['0', '"0" is not a port (1 to 65535)'],
    ['8080:', '"" is not a port (1 to 65535), in "8080:"'],
    ['8080:65536', '"65536" is not a port'],
    ['65536:80', '"65536" is not a port'],
    ['-1:80', '"-1" is not a port'],
    ['eighty:80', '"eighty" is not a port'],
    ['8080:80/icmp', '"icmp" is not tcp, udp or sctp'],
    ['8080:80/', '"" is not tcp, udp or sctp'],
    ['8002-8000:9000-9002', '"8002-8000" is not a port'],
    ['8000-8001:80', 'the ranges of "8000-8001:80" differ in length'],
    ['8000:80-81', 'the ranges of "8000:80-81" differ in length'],
    ['1-6000:1-6000', '"1-6000:1-6000" is 6000 ports, and 5000 are taken'],
    ['10.0.0.256:8080:80', '"10.0.0.256" is not an IP address'],
    ['dev.lan:8080:80', '"dev.lan" is not an IP address'],
    ['[::1:8080:80', 'is not a port'],
    ['[::1]8080:80', 'is not a port'],
    ['[]:8080:80', 'is not a port'],
    ['[::1]:1:2:3', 'is not a port'],
    ['[127.0.0.1]:x', '"x" is not a port'],
    ['fe80::1%eth0:8080:80', 'is not an IP address'],
  ])('refuses %s', (text, message) => {
    expect(parsePort(text)).toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.stringContaining('8080:80'),
    })
  })
})

describe('buildPorts', () => {
  const api = { address: '127.0.0.1' }
  const around = (
    masters: number,
    workers: number,
    more: Partial<PortSurroundings> = {},
  ): PortSurroundings => ({
    view: viewOf(masters, workers),
    balancerRefused: false,
    api,
    ...more,
  })
  const short = (port: PortSpec) =>
    `${port.hostPort}:${port.containerPort} ${port.via} ${port.nodes.map((node) => node.replace('airlift-dev-', '')).join(' ')}`
  const build = (texts: string[], surroundings: PortSurroundings) => {
    const { ports, problems } = buildPorts(texts, surroundings)
    return problems.length > 0 ? problems.map((problem) => problem.message) : ports.map(short)
  }
  const every = 'master-0 master-1 worker-0 worker-1'

  it.each([
    ['8080:80', [`8080:80 proxy ${every}`]],
    ['8080:80@loadbalancer', [`8080:80 proxy ${every}`]],
    ['8080:80@all', [`8080:80 proxy ${every}`]],
    ['8080:80@servers:*:proxy;agents:*:proxy', [`8080:80 proxy ${every}`]],
    ['8080:80@agents:*', ['8080:80 proxy worker-0 worker-1']],
    ['8080:80@server:1', ['8080:80 proxy master-1']],
    ['8080:80@agent:1:direct', ['8080:80 direct worker-1']],
    ['80@agents:*:direct', ['0:80 direct worker-0', '0:80 direct worker-1']],
    ['80@servers:*;agent:0:direct', ['0:80 proxy master-0 master-1', '0:80 direct worker-0']],
    ['8000-8001:80-81@server:0', ['8000:80 proxy master-0', '8001:81 proxy master-0']],
  ])('behind a load balancer %s', (text, expected) => expect(build([text], around(2, 2))).toEqual(expected))

  it.each([
    ['8080:80', ['8080:80 proxy master-0 worker-0 worker-1']],
    ['8080:80@loadbalancer', ['8080:80 proxy master-0 worker-0 worker-1']],
    ['8080:80@server:0', ['8080:80 proxy master-0']],
    ['8080:80@agents:*', ['8080:80 direct worker-0']],
    ['8080:80@agent:1', ['8080:80 direct worker-1']],
    ['8080:80@agent:1:direct', ['8080:80 direct worker-1']],
  ])('with one master and so no load balancer %s', (text, expected) => {
    expect(build([text], around(1, 2))).toEqual(expected)
  })

  it('without a load balancer publishes at the first of the nodes', () => {
    const alone = { view: viewOf(3, 2, false), balancerRefused: true }
    expect(build(['8080:80', '8081:80@servers:1-2'], around(3, 2, alone))).toEqual([
      '8080:80 proxy master-0 master-1 master-2 worker-0 worker-1',
      '8081:80 direct master-1',
    ])
    expect(build(['8080:80@loadbalancer'], around(3, 2, alone))).toEqual([
      'the filter "loadbalancer" matches nothing: there is no load balancer with --no-lb, in "8080:80@loadbalancer"',
    ])
  })

  it.each([
    [['8080:80@agents:*:direct'], '"8080:80@agents:*:direct" publishes one port at 2 nodes'],
    [['8080:80@agent:9'], 'the filter "agent:9" matches nothing at 9, in "8080:80@agent:9"'],
    [['8080:80', '8080:81'], 'port 8080 of "8080:81" is taken by "8080:80"'],
    [['8080:80', '0.0.0.0:8080:81'], 'port 8080 of "0.0.0.0:8080:81" is taken by "8080:80"'],
    [['[::]:8080:80', '[::1]:8080:81'], 'port 8080 of "[::1]:8080:81" is taken by "[::]:8080:80"'],
    [['8000-8010:8000-8010', '8005:80'], 'port 8005 of "8005:80" is taken by "8000-8010:8000-8010"'],
    [['8005:80', '8000-8010:8000-8010'], 'port 8005 of "8000-8010:8000-8010" is taken by "8005:80"'],
    [['6550:80'], 'port 6550 of "6550:80" is taken by --api-port'],
    [['1-4000:1-4000', '4001-8000:4001-8000'], '"4001-8000:4001-8000" makes more than 5000 published ports'],
  ])('refuses %j', (texts, message) => {
    expect(build(texts, around(2, 2, { api: { ...api, port: 6550 } }))).toEqual([message])
  })

  it('leads one port of the load balancer to one list of nodes', () => {
    expect(build(['8080:80@server:0', '8081:80@agent:0'], around(2, 2))).toEqual([
      'port 80 of "8081:80@agent:0" is led to other nodes by "8080:80@server:0"',
    ])
    expect(
      build(['8080:80@server:0', '8081:80@server:0', '8082:80@agent:0:direct'], around(2, 2)),
    ).toHaveLength(3)
    expect(build(['8080:80@server:0', '8081:80/udp@agent:0'], around(2, 2))).toHaveLength(2)
    expect(build(['8080:80@server:0', '8081:80@agent:0'], around(1, 2))).toEqual([
      '8080:80 proxy master-0',
      '8081:80 direct worker-0',
    ])
    const [before] = buildPorts(['8080:80@server:0'], around(2, 2)).ports
    if (before === undefined) throw new Error('no port')
    expect(build(['8081:80'], around(2, 2, { before: [before] }))).toEqual([
      'port 80 of "8081:80" is led to other nodes by 8080:80, which is published',
    ])
  })

  it('tells an overlap of two ranges once', () => {
    expect(build(['8000-8999:8000-8999', '8500-9499:8500-9499'], around(2, 0))).toEqual([
      'port 8500 of "8500-9499:8500-9499" is taken by "8000-8999:8000-8999"',
    ])
  })

  it.each([
    [['8080:80', '8080:80/udp']],
    [['10.0.0.1:8080:80', '10.0.0.2:8080:80']],
    [['0.0.0.0:8080:80', '[::]:8080:80']],
    [['80', '80']],
  ])('takes %j, which share no port', (texts) => {
    expect(buildPorts(texts, around(2, 2))).toMatchObject({ problems: [], ports: [{}, {}] })
  })

  it('knows ports that are published already', () => {
    const [before] = buildPorts(['8080:80'], around(2, 0)).ports
    if (before === undefined) throw new Error('no port')
    expect(build(['8080:81', '8081:81'], around(2, 0, { before: [before] }))).toEqual([
      'port 8080 of "8080:81" is taken by 8080:80, which is published',
    ])
  })
})
