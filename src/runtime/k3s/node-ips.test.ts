import { describe, expect, it } from 'vitest'
import type { Facts } from '../../machine/facts/facts.js'
import type { MachineWorld } from '../runtime.js'
import { hostConfig, nodeAddress } from './config.js'
import { isAt, parseNodes } from './nodes.js'
import { testMachine, testNode, testSpec } from './world.fixture.js'

// What a host with addresses of both families is told, and how the cluster shows it.

const pairs = (first: '4' | '6') => {
  const pods = ['10.50.0.0/16', 'fd00:50::/56']
  const services = ['10.51.0.0/16', 'fd00:51::/112']
  return first === '4'
    ? { 'cluster-cidr': pods, 'service-cidr': services }
    : { 'cluster-cidr': pods.reverse(), 'service-cidr': services.reverse() }
}
const six = (address: string, more: Partial<Facts['addresses'][number]> = {}) => ({
  device: 'eth0',
  address,
  prefix: 64,
  ...more,
})
const host = (...addresses: Facts['addresses']): MachineWorld => {
  const machine = testMachine(testNode('10.0.0.1', 'master'), 'bare1')
  return {
    ...machine,
    facts: { ...machine.facts, addresses: [...machine.facts.addresses, ...addresses] },
  }
}
const configOf = (config: Record<string, string[]>, machine: MachineWorld): string =>
  hostConfig({ spec: testSpec(1, 0, { config }), node: machine.node, machine })

describe('node-ip of a host', () => {
  const several = host(
    six('fd00:1::9', { device: 'eth1' }),
    six('2001:db8::77', { temporary: true }),
    six('fd00:1::5'),
    six('2001:db8::5'),
  )

  it('has its address alone where the networks of pods were not chosen, or are of that family', () => {
    expect(configOf({}, several)).toContain('node-ip: "10.0.0.1"')
    expect(configOf({ 'cluster-cidr': ['10.50.0.0/16'] }, several)).toContain('node-ip: "10.0.0.1"')
  })

  it('has one of each family where the pods have both: the lowest lasting one of the same device', () => {
    const text = configOf(pairs('4'), several)
    expect(text).toContain('node-ip: "10.0.0.1,2001:db8::5"')
    expect(text).toMatch(/tls-san:(\n {2}- .*)*"?2001:db8::5/)
  })

  it('has them in the order of the networks', () => {
    expect(configOf(pairs('6'), several)).toContain('node-ip: "2001:db8::5,10.0.0.1"')
  })

  it('is what a single node was given', () => {
    const given = { ...pairs('4'), 'node-ip': ['10.0.0.1', 'fd00:1::5'] }
    expect(configOf(given, host())).toMatch(/node-ip:\n {2}- "?10\.0\.0\.1"?\n {2}- "?fd00:1::5"?\n/)
  })

  it('is refused where the device has none of a family', () => {
    expect(() => configOf(pairs('4'), host(six('fd00:1::9', { device: 'eth1' })))).toThrow(
      expect.objectContaining({ code: 'E_PREFLIGHT', hint: expect.stringContaining('node-ip-family') }),
    )
  })
})

describe('the address of a host with IPv6 alone', () => {
  const alone = (source: string, ...addresses: Facts['addresses']): MachineWorld => {
    const machine = host()
    const route = { to: '2001:db8::1', address: source, device: 'eth0' }
    return { ...machine, facts: { ...machine.facts, addresses, routeSource: route } }
  }
  const temporary = { temporary: true } as const

  it('is a lasting one of the network from which the kernel sends with a temporary one', () => {
    const machine = alone(
      '2001:db8::77',
      six('2001:db8::77', temporary),
      six('2001:aaaa::5'),
      six('2001:db8::5'),
      six('2001:db8::2', { device: 'eth1' }),
    )
    expect(nodeAddress(machine)).toBe('2001:db8::5')
  })

  it('is one of the same device where that network has none, and never a temporary one', () => {
    expect(nodeAddress(alone('2001:db8::77', six('2001:db8::77', temporary), six('fd00:1::5')))).toBe(
      'fd00:1::5',
    )
    expect(() => nodeAddress(alone('2001:db8::77', six('2001:db8::77', temporary)))).toThrow(
      expect.objectContaining({ code: 'E_PREFLIGHT' }),
    )
  })

  it('is a lasting one of the device of the default route where no route has a source', () => {
    const { facts, ...machine } = alone('::', six('2001:db8::77', temporary), six('2001:db8::5'))
    const { routeSource: _, ...others } = facts
    expect(nodeAddress({ ...machine, facts: others })).toBe('2001:db8::5')
  })
})

describe('a node with addresses of both families', () => {
  const list = (addresses: readonly string[]): string =>
    JSON.stringify({
      items: [
        {
          metadata: { name: 'bare1' },
          status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
        },
      ],
    })

  it('shows both, and is found by either', () => {
    const [node] = parseNodes(list(['2001:db8::5', '10.0.0.1']))
    expect(node).toMatchObject({ address: '2001:db8::5', addresses: ['2001:db8::5', '10.0.0.1'] })
    expect(node && ['10.0.0.1', '2001:db8::5', '10.0.0.2', undefined].map((one) => isAt(node, one))).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  it('and one of a single family show no more than before', () => {
    expect(parseNodes(list(['10.0.0.1']))[0]).not.toHaveProperty('addresses')
  })
})
