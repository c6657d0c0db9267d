import { describe, expect, it } from 'vitest'
import { checkNetworkName, parseSubnet } from './network.js'

const INSIDE = ['10.42.0.0/16', '10.43.0.0/16']

describe('parseSubnet', () => {
  it.each([
    ['172.28.0.0/16', 201, '172.28.0.0/16'],
    ['192.168.7.0/24', 252, '192.168.7.0/24'],
    ['10.0.0.0/29', 4, '10.0.0.0/29'],
    ['10.44.0.0/16', 1, '10.44.0.0/16'],
  ])('takes %s for %i nodes', (text, nodes, subnet) => {
    expect(parseSubnet(text, nodes, INSIDE)).toEqual({ subnet })
  })

  it('leaves the choice to airlift with auto', () => {
    expect(parseSubnet('auto', 3, INSIDE)).toEqual({})
  })

  it.each([
    ['auto,auto', {}],
    ['172.28.0.0/16,auto', { subnet: '172.28.0.0/16' }],
    ['auto, fd00:28::/64', { subnet6: 'fd00:28::/64' }],
    ['172.28.0.0/16,fd00:0028:0::0/64', { subnet: '172.28.0.0/16', subnet6: 'fd00:28::/64' }],
    ['172.28.0.0/16,2001:db8:1::/125', { subnet: '172.28.0.0/16', subnet6: '2001:db8:1::/125' }],
  ])('takes %s for both families', (text, subnets) => {
    expect(parseSubnet(text, 4, INSIDE)).toEqual({ ...subnets, dual: true })
  })

  it.each([
    ['172.28.0.0/16,fd00:28::', '"fd00:28::" is not a subnet', 'CIDR of IPv6'],
    ['172.28.0.0/16,fd00:28::/129', 'is not a subnet', 'CIDR of IPv6'],
    ['172.28.0.0/16,fd00::28::/64', 'is not a subnet', 'CIDR of IPv6'],
    ['172.28.0.0/16,', '"" is not a subnet', 'CIDR of IPv6'],
    ['nothing,fd00:28::/64', '"nothing" is not a subnet', 'CIDR of IPv4'],
    ['172.28.0.0/16,fd00:28::5/64', 'is an address in the subnet fd00:28::/64', 'write fd00:28::/64'],
    ['172.28.0.0/16,fd00:28::/126', 'has addresses for 0 nodes, and 4 are asked for', 'take a /125 or'],
    ['172.28.0.0/16,fd00::/40', 'is larger than a /48', 'CIDR of IPv6'],
    ['172.28.0.0/16,fd00:42::/64', 'overlaps fd00:42::/56, which pods or services have', 'choose another'],
    ['172.28.0.0/16,fe80::/64', 'overlaps fe80::/10, which is not for networks', 'fd00:28::/64'],
    ['172.28.0.0/16,10.9.0.0/16', 'has more than one subnet of a family', '172.28.0.0/16,fd00:28::/64'],
    ['fd00:28::/64,fd00:29::/64', 'has more than one subnet of a family', 'one of IPv4 and one of IPv6'],
    ['auto,fd00:28::/64,auto', 'has more than one subnet of a family', 'one of IPv4'],
    ['fd00:28::/64,172.28.0.0/16', 'has IPv6 first', 'write IPv4 first: 172.28.0.0/16,fd00:28::/64'],
    ['auto,172.28.0.0/16', 'has IPv6 first', 'write IPv4 first: 172.28.0.0/16,auto'],
  ])('refuses %s', (text, message, hint) => {
    expect(parseSubnet(text, 4, [...INSIDE, 'fd00:42::/56'])).toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
  })

  it.each([
    ['', 1, '"" is not a subnet', 'write CIDR'],
    ['172.28.0.0', 1, '"172.28.0.0" is not a subnet', 'write CIDR'],
    ['172.28.0.0/33', 1, 'is not a subnet', 'write CIDR'],
    ['172.28.0.256/24', 1, 'is not a subnet', 'write CIDR'],
    ['fd00::/64', 1, '"fd00::/64" has no IPv4', 'write auto,fd00::/64'],
    ['172.28.0.5/24', 1, 'is an address in the subnet 172.28.0.0/24', 'write 172.28.0.0/24'],
    ['10.0.0.0/29', 5, 'has addresses for 4 nodes, and 5 are asked for', 'take a /28 or larger'],
    ['10.0.0.0/32', 1, 'has addresses for 0 nodes, and 1 are asked for', 'take a /29 or larger'],
    ['192.168.7.0/24', 253, 'has addresses for 252 nodes, and 253 are asked for', 'take a /23 or larger'],
    ['10.42.7.0/24', 1, 'overlaps 10.42.0.0/16, which pods or services have', 'choose another'],
    ['10.0.0.0/8', 1, 'overlaps 10.42.0.0/16', 'choose another'],
    ['127.0.0.0/16', 1, 'overlaps 127.0.0.0/8, which is not for networks', 'choose another'],
    ['224.0.0.0/24', 1, 'is not for networks', 'choose another'],
    ['0.0.0.0/0', 1, 'is larger than a /8', 'write CIDR'],
  ])('refuses %s for %i nodes', (text, nodes, message, hint) => {
    expect(parseSubnet(text, nodes, INSIDE)).toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
  })

  it('looks at the subnets that the configuration chose', () => {
    expect(parseSubnet('10.42.0.0/16', 1, ['10.50.0.0/16', 'fd00:42::/56'])).toEqual({
      subnet: '10.42.0.0/16',
    })
    expect(parseSubnet('10.50.1.0/24', 1, ['10.50.0.0/16'])).toHaveProperty('message')
  })
})

describe('checkNetworkName', () => {
  it.each(['dev', 'my_net-1.x', '0a'])('takes %s', (name) => expect(checkNetworkName(name)).toBeUndefined())
  it.each(['', '-x', 'a b', 'a/b', 'container:x'])('refuses "%s"', (name) => {
    expect(checkNetworkName(name)?.message).toBe(`"${name}" is not the name of a network`)
  })
  it.each(['host', 'none', 'bridge', 'default'])('refuses %s, which gives no fixed addresses', (name) => {
    expect(checkNetworkName(name)?.message).toBe(
      `containers have no fixed addresses in the network "${name}"`,
    )
  })
})
