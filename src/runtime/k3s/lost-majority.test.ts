import { describe, expect, it } from 'vitest'
import type { World } from '../runtime.js'
import { planInit } from './init.js'
import { planJoinMasters } from './join-masters.js'
import { unknownMajority } from './lost-majority.js'
import { testMachine, testSpec, testWorld } from './world.fixture.js'

const UNHEALTHY = '{"health":"false","reason":"RAFT NO LEADER"}'

/** Masters that have the data of etcd, with what etcd says there; `undefined` is a host that was wiped. */
function cluster(...health: (string | undefined)[]) {
  const spec = testSpec(health.length, 0)
  const machines = testWorld(spec).machines.map((machine, i) => {
    const says = health[i]
    if (says === undefined) return machine
    const found = testMachine(
      machine.node,
      `bare${i + 1}`,
      {
        fragments: {
          'k3s-token': i === 0 ? '0123456789abcdef' : 'K10aa::server:0123456789abcdef',
          'k3s-datastore': 'etcd\n',
          'k3s-etcd': says,
          'k3s-server': i === 0 ? '' : 'https://10.0.0.1:6443\n',
        },
        record: { name: 'prod', masters: spec.masters.map((node) => node.target.text) },
      },
      { cluster: 'prod', role: 'master', active: true, initialized: true },
    )
    return found
  })
  const world: World = { ...testWorld(spec), machines }
  return {
    plan: () => [planInit(spec, world), planJoinMasters(spec, world, spec.masters)],
    openrc: () => {
      const machinesThen = machines.map((one) => ({
        ...one,
        facts: { ...one.facts, init: 'openrc' as const },
      }))
      return planInit(spec, { ...world, machines: machinesThen })
    },
    undecided: () => unknownMajority(spec, world),
  }
}

describe('masters of which some were wiped', () => {
  it.each([
    ['the second of two', [UNHEALTHY, undefined], '1 of 2 masters still has', 'bare2', ''],
    ['the founder of two', [undefined, UNHEALTHY], '1 of 2 masters still has', 'bare1', ' --server='],
    [
      'two of three',
      [undefined, UNHEALTHY, undefined],
      '1 of 3 masters still has',
      'bare1 bare3',
      ' --server=',
    ],
  ])('are refused at once: %s', (_what, health, says, lost, flag) => {
    expect(cluster(...health).plan).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        exit: 5,
        message: expect.stringContaining(says),
        hint: expect.stringMatching(new RegExp(`--cluster-reset${flag}; .*delete node ${lost}"`)),
      }),
    )
  })

  it('are told what their init system understands', () => {
    expect(cluster(UNHEALTHY, undefined).plan).toThrow(
      expect.objectContaining({
        hint: expect.stringMatching(/"systemctl stop k3s; .*; systemctl start k3s; /),
      }),
    )
    expect(cluster(UNHEALTHY, undefined).openrc).toThrow(
      expect.objectContaining({
        hint: expect.stringMatching(/"rc-service k3s stop; .*; rc-service k3s start; /),
      }),
    )
  })

  it('are waited for while a majority can come back', () => {
    expect(cluster(UNHEALTHY, UNHEALTHY, undefined).plan).not.toThrow()
  })

  it('are looked at again while k3s is about to start, and etcd says nothing yet', () => {
    const what = 'etcd of bare2 to say whether it has a majority'
    expect(cluster(undefined, '').undecided()).toBe(what)
    expect(cluster(undefined, '', undefined).undecided()).toBe(what)
    for (const known of [
      [undefined, UNHEALTHY],
      ['', ''],
      ['', '', undefined],
      [undefined, undefined],
    ])
      expect(cluster(...known).undecided()).toBeUndefined()
  })

  it('are planned as ever where etcd has a leader, or does not run', () => {
    expect(cluster('{"health":"true","reason":""}', undefined).plan).not.toThrow()
    expect(cluster('', undefined).plan).not.toThrow()
  })
})
