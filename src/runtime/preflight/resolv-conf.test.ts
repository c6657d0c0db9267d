import { describe, expect, it } from 'vitest'
import { facts } from './preflight.fixture.js'
import { chooseResolvConf, isForPods, RESOLVED_CONF, type ResolvConf } from './resolv-conf.js'

const choose = (nameservers: string[], resolvedNameservers?: string[]): ResolvConf | undefined =>
  chooseResolvConf(
    facts('10.0.0.1', {
      resolv: { path: '/etc/resolv.conf', nameservers, search: [] },
      ...(resolvedNameservers ? { resolvedNameservers } : {}),
    }),
  )

describe('a resolver', () => {
  it.each(['10.0.0.2', '8.8.8.8', '169.254.169.254', 'fd00::53', '2001:db8::1'])(
    'that pods reach: %s',
    (one) => {
      expect(isForPods(one)).toBe(true)
    },
  )

  it.each([
    '127.0.0.53',
    '0.0.0.0',
    '169.254.11.53',
    '224.0.0.251',
    '255.255.255.255',
    '::',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::ffff:127.0.0.1',
    'fe80::1',
    'fe80::1%eth0',
    'fd00::1%eth0',
    'ff02::fb',
    'dns.example.org',
    '10.0.0.0/8',
  ])('that k3s takes for none of theirs: %s', (one) => {
    expect(isForPods(one)).toBe(false)
  })
})

describe('the resolv.conf of pods', () => {
  it('is the own of the machine where they reach all that it names', () => {
    expect(choose(['10.0.0.2', 'fd00::53'])).toBeUndefined()
    expect(choose(['10.0.0.2'], ['127.0.0.1'])).toBeUndefined()
  })

  it('is the own by its name where that is the resolver of a cloud, which not every k3s takes', () => {
    expect(choose(['169.254.169.254'])).toEqual({ path: '/etc/resolv.conf' })
  })

  it('is that of systemd-resolved where one of the machine’s own is out of reach', () => {
    expect(choose(['127.0.0.53'], ['10.0.0.2'])).toEqual({ path: RESOLVED_CONF })
    expect(choose(['127.0.0.53', '10.0.0.9'], ['10.0.0.2'])).toEqual({ path: RESOLVED_CONF })
  })

  it('is written with those within reach where no file has these alone', () => {
    expect(choose(['127.0.0.53', '10.0.0.2'])).toEqual({ nameservers: ['10.0.0.2'] })
    expect(choose(['127.0.0.53', '10.0.0.2'], ['10.0.0.2', 'fe80::1', '10.0.0.3'])).toEqual({
      nameservers: ['10.0.0.2', '10.0.0.3'],
    })
  })

  it('is written without any where none is within reach', () => {
    expect(choose(['127.0.0.1'])).toEqual({ nameservers: [] })
    expect(choose([])).toEqual({ nameservers: [] })
  })
})
