import { expect, it } from 'vitest'
import type { Facts } from '../../machine/facts/facts.js'
import { desiredState } from './desired.js'
import { testMachine, testSpec, testWorld } from './world.fixture.js'

const OWN = '/etc/rancher/k3s/resolv.conf'

/** What is configured as resolv-conf, and the file that is written for it. */
function written(change: Partial<Facts>): { readonly named?: string; readonly own?: string } {
  const spec = testSpec(1, 0)
  const [node] = spec.masters
  if (!node) throw new Error('one master')
  const machine = testMachine(node, 'bare1')
  const { files } = desiredState(spec, testWorld(spec), node, {
    ...machine,
    facts: { ...machine.facts, ...change },
  })
  const text = (path: string): string | undefined => files.find((file) => file.path === path)?.content
  const named = /resolv-conf: "(.*)"/.exec(text('/etc/rancher/k3s/config.yaml') ?? '')?.[1]
  const own = text(OWN)?.replace(/^#.*\n/, '')
  return { ...(named ? { named } : {}), ...(own ? { own } : {}) }
}
const resolv = (nameservers: string[], search: string[] = []): Pick<Facts, 'resolv'> => ({
  resolv: { path: '/etc/resolv.conf', nameservers, search },
})

it('pods get the resolvers that they can reach, and k3s never has to choose any', () => {
  expect(written(resolv(['10.0.0.254']))).toEqual({})
  expect(written(resolv(['169.254.169.254']))).toEqual({ named: '/etc/resolv.conf' })
  expect(written({ ...resolv(['127.0.0.53']), resolvedNameservers: ['10.0.0.254'] })).toEqual({
    named: '/run/systemd/resolve/resolv.conf',
  })
  expect(written(resolv(['127.0.0.53', '10.0.0.254'], ['example.org', 'lan']))).toEqual({
    named: OWN,
    own: 'search example.org lan\nnameserver 10.0.0.254\n',
  })
  expect(written(resolv(['127.0.0.53'], ['lan']))).toEqual({ named: OWN, own: 'nameserver 10.0.0.1\n' })
})
