import { describe, expect, it } from 'vitest'
import { clusterToken, type FoundToken } from './cluster-token.js'
import { testSpec } from './world.fixture.js'

const full = 'K10aabbcc::server:secret123'

describe('the token of a cluster', () => {
  const token = (wanted: string | undefined, found: FoundToken = {}): string | undefined =>
    clusterToken({ ...testSpec(1, 0), config: wanted === undefined ? {} : { token: wanted } }, found)

  it.each<[string | undefined, FoundToken, string | undefined]>([
    [undefined, {}, undefined],
    [undefined, { full, written: 'x' }, 'secret123'],
    [undefined, { written: 'secret123' }, 'secret123'],
    ['secret123', {}, 'secret123'],
    ['secret123', { full }, 'secret123'],
    [full, { full }, 'secret123'],
    [full, { written: 'secret123' }, 'secret123'],
    ['K10aabbcc::node:secret123', { full }, 'secret123'],
    ['a:b::c', {}, 'a:b::c'],
  ])('of %j, where there is %j, is %j', (wanted, found, expected) =>
    expect(token(wanted, found)).toBe(expected),
  )

  it.each<[string, FoundToken, RegExp, RegExp]>([
    ['other', { full }, /not that of the cluster/, /leave the token out/],
    ['K10dd::server:secret123', { full }, /not that of the cluster/, /leave the token out/],
    [full, {}, /K10…::…/, /what follows ::server:/],
    ['abcdef.0123456789abcdef', {}, /bootstrap token/, /another form/],
    ['K10aabbcc::abcdef.0123456789abcdef', {}, /K10…::…/, /password only/],
  ])('%j is refused where there is %j, without being shown', (wanted, found, message, hint) => {
    const refused = (): unknown => token(wanted, found)
    expect(refused).toThrow(
      expect.objectContaining({
        code: 'E_SPEC_INVALID',
        exit: 2,
        message: expect.stringMatching(message),
        hint: expect.stringMatching(hint),
      }),
    )
    expect(refused).not.toThrow(wanted)
  })
})
