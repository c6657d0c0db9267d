import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import type { World } from '../runtime/runtime.js'
import { checkNetworksKept } from './fixed-networks.js'

type Config = ClusterSpec['config']

const check = (
  before: unknown,
  config: Config,
  installed: object = { role: 'master', initialized: true },
) => {
  const machines = [
    { installed, facts: { managed: before === undefined ? {} : { record: { config: before } } } },
  ]
  return () => checkNetworksKept({ name: 'prod', config } as ClusterSpec, { machines } as unknown as World)
}
const OTHER = { 'cluster-cidr': '10.50.0.0/16' }

describe('the networks of a cluster', () => {
  it.each([
    ['are named for the first time', {}, OTHER, '10.42.0.0/16, and cannot become 10.50.0.0/16'],
    ['are left out', OTHER, {}, '10.50.0.0/16, and cannot become 10.42.0.0/16'],
    ['are others', OTHER, { 'cluster-cidr': ['10.51.0.0/16'] }, 'cannot become 10.51.0.0/16'],
    [
      'of services change',
      {},
      { 'service-cidr': '10.60.0.0/16' },
      '10.43.0.0/16, and cannot become 10.60.0.0/16',
    ],
  ])('are refused when they %s', (_what, before, now, says) => {
    expect(check(before, now)).toThrow(
      expect.objectContaining({ code: 'E_UNSUPPORTED', exit: 2, message: expect.stringContaining(says) }),
    )
    const [key] = Object.keys({ ...before, ...now })
    expect(check(before, now)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining(`--set ${key}=`) }),
    )
  })

  it('may be written in another way, or named as they are', () => {
    expect(check(OTHER, { 'cluster-cidr': ['10.50.0.0/16'] })).not.toThrow()
    expect(check({}, { 'cluster-cidr': '10.42.0.0/16' })).not.toThrow()
    expect(check({}, { 'cluster-cidr': '10.42.0.0/16,fd00:42::/56' })).not.toThrow()
  })

  it('may be chosen anew while the first start was not finished, and are nothing of workers', () => {
    expect(check({}, OTHER, { role: 'master', initialized: false })).not.toThrow()
    expect(check({}, OTHER, { role: 'worker', initialized: true })).not.toThrow()
    expect(check(undefined, OTHER)).not.toThrow()
    expect(check('nonsense', OTHER)).not.toThrow()
  })
})
