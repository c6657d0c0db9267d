import { describe, expect, it } from 'vitest'
import { type ContainerSelection, selectContainers } from './filter.js'
import { viewOf } from './view.fixture.js'

// Places 0 to 2 are masters, 3 to 6 workers.
const view = viewOf(3, 4)
const none: ContainerSelection = { proxied: [], direct: [], loadBalancer: false }

describe('selectContainers', () => {
  it.each<[string, Partial<ContainerSelection>]>([
    ['server:0', { proxied: [0] }],
    ['servers:*', { proxied: [0, 1, 2] }],
    ['server:*', { proxied: [0, 1, 2] }],
    ['masters', { proxied: [0, 1, 2] }],
    ['agents[0,2-3]', { proxied: [3, 5, 6] }],
    ['agent:0,2', { proxied: [3, 5] }],
    ['agent:1-2', { proxied: [4, 5] }],
    ['workers:*', { proxied: [3, 4, 5, 6] }],
    ['all', { proxied: [0, 1, 2, 3, 4, 5, 6], loadBalancer: true }],
    ['all:*', { proxied: [0, 1, 2, 3, 4, 5, 6], loadBalancer: true }],
    ['loadbalancer', { loadBalancer: true }],
    ['loadbalancer:*', { loadBalancer: true }],
    ['loadbalancer[0]', { loadBalancer: true }],
    ['lb', { loadBalancer: true }],
    ['airlift-dev-lb', { loadBalancer: true }],
    ['airlift-dev-worker-1', { proxied: [4] }],
    ['airlift-dev-worker-[1-2]', { proxied: [4, 5] }],
    ['server:0:proxy', { proxied: [0] }],
    ['server:0:direct', { direct: [0] }],
    ['servers:*:proxy;agents:*:proxy', { proxied: [0, 1, 2, 3, 4, 5, 6] }],
    ['servers:*:proxy;agent:1:direct', { proxied: [0, 1, 2], direct: [4] }],
    ['masters:direct', { direct: [0, 1, 2] }],
    ['airlift-dev-master-1:direct', { direct: [1] }],
    ['agents[1]:direct', { direct: [4] }],
    ['agent:1; server:0', { proxied: [0, 4] }],
    ['agent:1;agent:1', { proxied: [4] }],
  ])('%s', (filter, expected) => expect(selectContainers(filter, view)).toEqual({ ...none, ...expected }))

  it.each([
    ['', 'the filter is empty'],
    ['server:0;', 'the filter is empty'],
    ['server:3', 'the filter "server:3" matches nothing at 3'],
    ['agents[2-9]', 'the filter "agents[2-9]" matches nothing at 2-9'],
    ['airlift-dev-worker-9', 'the filter "airlift-dev-worker-9" matches no node'],
    ['airlift-other-master-0', 'the filter "airlift-other-master-0" matches no node'],
    ['servant:0', 'the filter "servant:0" matches no node'],
    ['agents[a]', '"a" in the filter "agents[a]" is not a list of numbers'],
    ['server:0:foo', '"foo" in the filter "server:0:foo" is not a way'],
    ['servers:*:prox', '"prox" in the filter "servers:*:prox" is not a way'],
    ['loadbalancer:1', 'there is no load balancer'],
    ['all:0', '"all" has no order'],
  ])('refuses %s', (filter, message) => {
    const refused = selectContainers(filter, view)
    expect(refused).toMatchObject({ message: expect.stringContaining(message) })
  })

  it('says what there is', () => {
    expect(selectContainers('x', view)).toMatchObject({
      hint: 'there are masters:0 to masters:2, workers:0 to workers:3, all, and airlift-dev-master-0, airlift-dev-master-1, airlift-dev-master-2, airlift-dev-worker-0, airlift-dev-worker-1, …, and loadbalancer',
    })
    expect(selectContainers('agents', viewOf(1, 0))).toMatchObject({
      message: 'the filter "agents" matches no node',
      hint: 'there are masters:0, all, and airlift-dev-master-0',
    })
  })
})
