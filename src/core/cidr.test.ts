import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cidrsOverlap, familyOf, ipNumber, ipText, parseCidr, prefixOf } from './cidr.js'

describe('addresses', () => {
  it.each([
    ['10.118.0.3', '10.118.0.3'],
    ['fd00:0:0::1', 'fd00::1'],
    ['FD00:00ab::', 'fd00:ab::'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::', '::'],
    ['::ffff:10.0.0.1', '::ffff:a00:1'],
  ])('%s is %s in short', (text, short) => {
    expect(ipText(familyOf(text), ipNumber(text) ?? -1n)).toBe(short)
  })

  it('of IPv6 come back from their short text as they went, written as URLs write them', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (value) => {
        const text = ipText(6, value)
        expect(ipNumber(text)).toBe(value)
        expect(new URL(`http://[${text}]`).hostname).toBe(`[${text}]`)
      }),
    )
  })

  it('are no networks, and the other way round', () => {
    expect(ipNumber('10.0.0.0/8')).toBeUndefined()
    expect(ipNumber('fd00::zz')).toBeUndefined()
    expect(prefixOf('fd00::')).toBeUndefined()
    expect(prefixOf('fd00::/64')).toBe(64)
  })
})

describe('networks', () => {
  it('have a first and a last address', () => {
    expect(parseCidr('fd00:28::/64')).toEqual({
      family: 6,
      first: 0xfd000028n << 96n,
      last: (0xfd000028n << 96n) + (1n << 64n) - 1n,
    })
  })

  it.each([
    ['fd00::/8', 'fd12:3456::/64', true],
    ['fd00:1::/64', 'fd00:2::/64', false],
    ['::/0', '10.0.0.0/8', false],
    ['10.0.0.0/8', '10.9.8.7', true],
    ['nothing', '10.0.0.0/8', false],
  ])('%s and %s overlap: %s', (a, b, meet) => {
    expect(cidrsOverlap(a, b)).toBe(meet)
    expect(cidrsOverlap(b, a)).toBe(meet)
  })
})
