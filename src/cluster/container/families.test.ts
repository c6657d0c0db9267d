import { describe, expect, it } from 'vitest'
import { isAirliftError } from '../../core/errors.js'
import { buildSpec, type SpecFlags } from '../build-spec.js'
import type { SpecProblem } from '../problems.js'
import type { SpecIo } from '../spec-io.js'

const io: SpecIo = {
  readFile: async (path) => {
    throw Object.assign(new Error(path), { code: 'ENOENT' })
  },
  listDirectory: async () => undefined,
  loadRegistries: async () => {
    throw new Error('none was given')
  },
}
const build = (flags: SpecFlags) => buildSpec({ name: 'dev', ...flags }, io)
const messages = async (flags: SpecFlags): Promise<string[]> => {
  const error = await build(flags).then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!isAirliftError(error)) throw error ?? new Error('it was taken')
  expect(error.exit).toBe(2)
  const errors = (error.data?.errors ?? []) as readonly SpecProblem[]
  return errors.map(({ path, message }) => `${path}: ${message}`)
}

describe('the families of a cluster', () => {
  it.each<[string, SpecFlags, object]>([
    ['--ip-family dual', { ipFamily: 'dual' }, {}],
    [
      'two subnets',
      { subnet: '172.28.0.0/16,fd00:28::/64' },
      { subnet: '172.28.0.0/16', subnet6: 'fd00:28::/64' },
    ],
    ['auto twice', { subnet: 'auto,auto' }, {}],
    ['one subnet and the flag', { subnet: '172.28.0.0/16', ipFamily: 'dual' }, { subnet: '172.28.0.0/16' }],
    ['pods with IPv6', { set: ['cluster-cidr=10.50.0.0/16,fd00:50::/56'] }, {}],
    ['a network of their own and the flag', { network: 'mine', ipFamily: 'dual' }, { network: 'mine' }],
  ])('are both with %s', async (_, flags, subnets) => {
    const { spec } = await build({ masters: '1', ...flags })
    const { subnet, subnet6, network } = spec.containers ?? {}
    expect(JSON.parse(JSON.stringify({ subnet, subnet6, network }))).toEqual(subnets)
    expect(spec.containers?.ipFamily).toBe('dual')
    expect(spec.containers?.proxy?.except).toContain('fd00:43::/112')
  })

  it('are IPv4 alone otherwise, and said only where it was asked for', async () => {
    expect((await build({ masters: '1' })).spec.containers).not.toHaveProperty('ipFamily')
    expect((await build({ masters: '1', ipFamily: 'ipv4' })).spec.containers?.ipFamily).toBe('ipv4')
  })

  it.each<[SpecFlags, string]>([
    [
      { ipFamily: 'ipv6' },
      '--ip-family: "ipv6" alone is not to be had: nodes in containers join, and the engine publishes their ports, over IPv4',
    ],
    [{ ipFamily: 'six' }, '--ip-family: "six" is not a choice'],
    [{ ipFamily: 'ipv4', subnet: 'auto,auto' }, '--ip-family: "ipv4" does not go with --subnet auto,auto'],
    [
      { ipFamily: 'ipv4', set: ['service-cidr=10.51.0.0/16,fd00:51::/112'] },
      '--ip-family: "ipv4" does not go with cluster-cidr or service-cidr, which have IPv6',
    ],
    [
      { ipFamily: 'dual', set: ['cluster-cidr=10.50.0.0/16'] },
      '--set: "cluster-cidr" has only 10.50.0.0/16, and a cluster with IPv4 and IPv6 needs one of each for its pods',
    ],
    [
      { set: ['cluster-cidr=fd00:50::/56'] },
      '--set: "cluster-cidr" has only fd00:50::/56, and a cluster with IPv4 and IPv6 needs one of each for its pods',
    ],
    [
      { subnet: '172.28.0.0/16,fd00:42:0:1::/64' },
      '--subnet: "fd00:42:0:1::/64" overlaps fd00:42::/56, which pods or services have',
    ],
    [
      { subnet: 'fd00:28::/64' },
      '--subnet: "fd00:28::/64" has no IPv4, and nodes in containers reach each other over IPv4',
    ],
  ])('are refused with %j', async (flags, message) => {
    expect(await messages({ masters: '1', ...flags })).toContain(message)
  })

  it('of hosts follow k3s, which wants a pair for pods and for services', async () => {
    const dual = ['cluster-cidr=10.50.0.0/16,fd00:50::/56', 'service-cidr=10.51.0.0/16,fd00:51::/112']
    expect((await build({ masters: 'root@10.0.0.1', set: dual })).spec.config).toEqual({
      'cluster-cidr': ['10.50.0.0/16', 'fd00:50::/56'],
      'service-cidr': ['10.51.0.0/16', 'fd00:51::/112'],
    })
    expect(await messages({ masters: 'root@10.0.0.1', set: dual.slice(0, 1) })).toEqual([
      '--set: cluster-cidr is IPv4 and IPv6, service-cidr IPv4: k3s wants the same families in the same order',
    ])
  })
})
