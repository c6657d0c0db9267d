import { describe, expect, it } from 'vitest'
import { clusterNetworks, familiesOf, networkProblems } from './cluster-networks.js'

const PODS = '10.50.0.0/16,fd00:50::/56'
const SERVICES = '10.51.0.0/16,fd00:51::/112'
const both = { 'cluster-cidr': PODS.split(','), 'service-cidr': SERVICES.split(',') }

describe('the networks of pods and services', () => {
  it('are the user’s, as a list or one text, else those of k3s for each family', () => {
    expect(clusterNetworks({}, 'cluster-cidr', false)).toEqual(['10.42.0.0/16'])
    expect(clusterNetworks({}, 'cluster-cidr', true)).toEqual(['10.42.0.0/16', 'fd00:42::/56'])
    expect(clusterNetworks({}, 'service-cidr', true)).toEqual(['10.43.0.0/16', 'fd00:43::/112'])
    expect(clusterNetworks({ 'cluster-cidr': PODS }, 'cluster-cidr', false)).toEqual(PODS.split(','))
    expect(clusterNetworks(both, 'cluster-cidr', true)).toEqual(PODS.split(','))
  })

  it('tell the families of the cluster, in their order', () => {
    expect(familiesOf({})).toBeUndefined()
    expect(familiesOf({ 'cluster-cidr': ['10.50.0.0/16'] })).toEqual([4])
    expect(familiesOf(both)).toEqual([4, 6])
    expect(familiesOf({ 'cluster-cidr': ['fd00:50::/56', '10.50.0.0/16'] })).toEqual([6, 4])
  })
})

describe('networkProblems', () => {
  it.each([
    [{}, false],
    [{}, true],
    [both, false],
    [both, true],
    [{ 'cluster-cidr': PODS }, true],
    [
      { 'cluster-cidr': ['fd00:50::/56', '10.50.0.0/16'], 'service-cidr': ['fd00:51::/112', '10.51.0.0/16'] },
      false,
    ],
    [{ 'cluster-cidr': ['fd00:50::/56'], 'service-cidr': ['fd00:51::/112'] }, false],
    [
      {
        ...both,
        'cluster-cidr': ['10.50.0.0/16', 'fd00:50::/40'],
        'kube-controller-manager-arg': ['node-cidr-mask-size-ipv6=56'],
      },
      false,
    ],
  ])('finds nothing wrong with %j (both families: %s)', (config, dual) => {
    expect(networkProblems(config, dual)).toEqual([])
  })

  it.each([
    [
      { 'cluster-cidr': '10.50.0.0' },
      false,
      '"10.50.0.0" of "cluster-cidr" is not a network in CIDR',
      'fd00:42::/56',
    ],
    [{ 'service-cidr': '10.51.0.0/40' }, false, 'is not a network in CIDR', '--set service-cidr='],
    [
      { 'cluster-cidr': '10.50.0.0/16,10.60.0.0/16' },
      false,
      '10.50.0.0/16 and 10.60.0.0/16: one of each family',
      '',
    ],
    [
      { 'cluster-cidr': '10.50.0.0/16,fd00:50::/80' },
      false,
      '"fd00:50::/80" of "cluster-cidr" is too small',
      '',
    ],
    [
      { 'cluster-cidr': '10.50.0.0/16,fd00:50::/32' },
      false,
      'is too large for IPv6: Kubernetes takes /48 to /64',
      '',
    ],
    [{ 'service-cidr': '10.51.0.0/16,fd00:51::/127' }, true, '"service-cidr" is too small', ''],
    [
      { 'cluster-cidr': PODS },
      false,
      'cluster-cidr is IPv4 and IPv6, service-cidr IPv4: k3s wants the same families in the same order',
      'add --set service-cidr=10.43.0.0/16,fd00:43::/112',
    ],
    [
      { 'service-cidr': SERVICES },
      false,
      'cluster-cidr is IPv4, service-cidr IPv4 and IPv6',
      'add --set cluster-cidr=10.42.0.0/16,fd00:42::/56',
    ],
    [
      { ...both, 'service-cidr': SERVICES.split(',').reverse() },
      false,
      'cluster-cidr is IPv4 and IPv6, service-cidr IPv6 and IPv4',
      'fd00:50::/56,10.50.0.0/16',
    ],
    [
      { 'cluster-cidr': '10.50.0.0/16' },
      true,
      '"cluster-cidr" has only 10.50.0.0/16, and a cluster with IPv4 and IPv6 needs one of each for its pods',
      'write --set cluster-cidr=10.50.0.0/16,fd00:42::/56, or leave it out',
    ],
    [
      { 'service-cidr': 'fd00:51::/112' },
      true,
      '"service-cidr" has only fd00:51::/112',
      'write --set service-cidr=10.43.0.0/16,fd00:51::/112',
    ],
    [
      { 'cluster-cidr': ['fd00:50::/56', '10.50.0.0/16'] },
      true,
      '"cluster-cidr" has IPv6 first',
      'write --set cluster-cidr=10.50.0.0/16,fd00:50::/56',
    ],
    [
      { 'cluster-cidr': '10.43.0.0/17' },
      false,
      'overlaps 10.43.0.0/16 of the services',
      'no address in common',
    ],
    [
      { ...both, 'service-cidr': ['10.51.0.0/16', 'fd00:50::/112'] },
      true,
      'overlaps 10.51.0.0/16,fd00:50::/112 of the services',
      '',
    ],
  ])('finds what is wrong with %j (both families: %s)', (config, dual, message, hint) => {
    expect(networkProblems(config, dual)).toEqual([
      {
        code: 'E_CONFIG_INVALID',
        path: '--set',
        message: expect.stringContaining(message),
        hint: expect.stringContaining(hint),
      },
    ])
  })
})
