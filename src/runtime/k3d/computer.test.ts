import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import type { PortSpec } from '../../cluster/container-spec.js'
import { lookAtComputer } from './computer.js'
import { testContainers } from './world.fixture.js'

const port = (address: string, hostPort: number, protocol: PortSpec['protocol'] = 'tcp'): PortSpec => ({
  address,
  hostPort,
  containerPort: 80,
  protocol,
  nodes: ['airlift-dev-master-0'],
  via: 'direct',
})

it('tells ports that others have, and addresses that it has not, of every protocol', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port: busy } = server.address() as { port: number }
  try {
    const ports = [
      port('127.0.0.1', busy),
      port('127.0.0.1', 0),
      port('203.0.113.7', 0),
      port('203.0.113.8', 8080, 'udp'),
      port('203.0.113.7', 8080, 'sctp'),
    ]
    const found = await lookAtComputer(testContainers(1, 0, { ports }), [])
    expect(found.busyPorts).toMatchObject([{ address: '127.0.0.1', port: busy }])
    expect(found.foreignAddresses).toEqual(['203.0.113.7', '203.0.113.8'])
  } finally {
    server.close()
  }
})
