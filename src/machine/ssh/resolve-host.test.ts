import { describe, expect, it } from 'vitest'
import type { SshOptions } from '../../cluster/spec.js'
import { plainSsh } from '../../cluster/ssh.fixture.js'
import { createConfigValues } from './config-values.js'
import { parseJump } from './jump.js'
import type { LocalFacts } from './local-facts.js'
import { resolveHost } from './resolve-host.js'
import type { ResolvedHost } from './resolved-host.js'
import { machineId } from './resolved-host.js'

const local: LocalFacts = {
  home: '/home/me',
  user: 'me',
  uid: 1000,
  env: { SSH_AUTH_SOCK: '/run/agent', OTHER: '/run/other', KRB5CCNAME: 'FILE:/none' },
}
const flags: SshOptions = plainSsh

function resolve(
  settings: readonly string[],
  target: { host: string; user?: string; port?: number } = { host: 'web1' },
  options: Partial<SshOptions> = {},
): ResolvedHost {
  const config = createConfigValues(
    settings.map((line, index) => {
      const [key = '', ...words] = line.split(' ')
      return {
        key: key.toLowerCase(),
        words: key === 'ProxyCommand' ? [words.join(' ')] : words,
        where: `config:${index + 1}`,
      }
    }),
  )
  return resolveHost(target, { ...flags, ...options }, config, local)
}

describe('resolveHost', () => {
  it('has the defaults of ssh', () => {
    const host = resolve([])
    expect(machineId(host)).toBe('ssh://me@web1:22')
    expect(host.identityFiles).toContain('/home/me/.ssh/id_ed25519')
    expect(host.identityAgent).toBe('/run/agent')
    expect(host.userKnownHosts[0]).toBe('/home/me/.ssh/known_hosts')
    expect(host).toMatchObject({
      hostKeys: 'accept-new',
      keepaliveMs: 15_000,
      keepaliveCount: 4,
      proxyJump: [],
      needsOpenssh: undefined,
    })
  })

  it('lets the target win over flags, and flags over the configuration', () => {
    const settings = ['HostName 10.0.0.1', 'User config', 'Port 1']
    expect(machineId(resolve(settings))).toBe('ssh://config@10.0.0.1:1')
    expect(machineId(resolve(settings, { host: 'web1' }, { user: 'flag', port: 2 }))).toBe(
      'ssh://flag@10.0.0.1:2',
    )
    expect(
      machineId(resolve(settings, { host: 'web1', user: 'root', port: 3 }, { user: 'flag', port: 2 })),
    ).toBe('ssh://root@10.0.0.1:3')
  })

  it('writes IPv6 in brackets', () => {
    expect(machineId(resolve([], { host: 'fd00::1', user: 'root' }))).toBe('ssh://root@[fd00::1]:22')
  })

  it('expands tokens and variables', () => {
    const host = resolve([
      'HostName %h.lab',
      'IdentityFile ~/keys/%r@%h-%n-%p',
      'IdentityFile ${OTHER}/%u%%',
      'IdentityFile %d/k',
    ])
    expect(host.hostName).toBe('web1.lab')
    expect(host.identityFiles).toEqual(['/home/me/keys/me@web1.lab-web1-22', '/run/other/me%', '/home/me/k'])
    expect(() => resolve(['IdentityFile %q'])).toThrow(/cannot expand %q/)
    expect(() => resolve(['IdentityFile ${NONE}'])).toThrow(/cannot expand \$\{NONE\}/)
  })

  it.each([
    ['IdentityAgent none', undefined],
    ['IdentityAgent SSH_AUTH_SOCK', '/run/agent'],
    ['IdentityAgent $OTHER', '/run/other'],
    ['IdentityAgent ~/agent.sock', '/home/me/agent.sock'],
  ])('%s', (setting, socket) => {
    expect(resolve([setting]).identityAgent).toBe(socket)
  })

  it.each([
    ['yes', 'accept-new', 'accept-new'],
    ['no', 'accept-new', 'accept-new'],
    ['no', 'strict', 'strict'],
    ['accept-new', 'strict', 'strict'],
    ['yes', 'off', 'off'],
  ] as const)('StrictHostKeyChecking %s with --host-keys %s is %s', (value, flag, outcome) => {
    expect(resolve([`StrictHostKeyChecking ${value}`], { host: 'web1' }, { hostKeys: flag }).hostKeys).toBe(
      outcome,
    )
  })

  it.each([
    ['yes', 'strict'],
    ['no', 'off'],
    ['ask', 'accept-new'],
    ['accept-new', 'accept-new'],
  ] as const)('StrictHostKeyChecking %s without --host-keys is %s', (value, outcome) => {
    expect(resolve([`StrictHostKeyChecking ${value}`]).hostKeys).toBe(outcome)
    expect(resolve([]).hostKeys).toBe('accept-new')
  })

  it('adds the keys of --identity to those of the configuration', () => {
    const host = resolve(
      ['IdentityFile ~/gate', 'IdentityFile ~/a'],
      { host: 'web1' },
      { identities: ['~/a'] },
    )
    expect(host.identityFiles).toEqual(['/home/me/a', '/home/me/gate'])
    expect(host.identitiesNamed).toBe(true)
  })

  it('uses known hosts as named, and no others', () => {
    expect(resolve(['UserKnownHostsFile ~/a ~/b']).userKnownHosts).toEqual(['/home/me/a', '/home/me/b'])
    const host = resolve(['UserKnownHostsFile ~/a'], { host: 'web1' }, { knownHosts: '~/c' })
    expect([host.userKnownHosts, host.globalKnownHosts]).toEqual([['/home/me/c'], []])
    expect(resolve(['UserKnownHostsFile none']).userKnownHosts).toEqual([])
  })

  it('takes --jump over ProxyJump, and none as none', () => {
    expect(resolve(['ProxyJump a,b']).proxyJump).toEqual([{ host: 'a' }, { host: 'b' }])
    expect(resolve(['ProxyJump none']).proxyJump).toEqual([])
    expect(resolve(['ProxyJump a'], { host: 'web1' }, { jump: 'x@c:2' }).proxyJump).toEqual([
      { user: 'x', host: 'c', port: 2 },
    ])
  })

  it.each([
    [['ProxyCommand nc %h %p'], 'ProxyCommand'],
    [['ProxyCommand none'], undefined],
    [['ProxyJump a', 'ProxyCommand nc'], undefined],
    [['ProxyCommand nc', 'ProxyJump a'], 'ProxyCommand'],
    [['CertificateFile ~/cert'], 'CertificateFile'],
    [['RevokedHostKeys ~/revoked'], 'RevokedHostKeys'],
    [['RevokedHostKeys none'], undefined],
    [['BindAddress 10.0.0.9'], 'BindAddress'],
    [['Ciphers aes128-ctr'], undefined],
    [['PubkeyAuthentication no'], 'PubkeyAuthentication'],
    [['PubkeyAuthentication yes'], undefined],
    [['PKCS11Provider /lib/x.so'], 'PKCS11Provider'],
    [['GSSAPIAuthentication yes'], undefined],
    [
      ['GSSAPIAuthentication yes', 'PreferredAuthentications gssapi-with-mic,publickey'],
      'GSSAPIAuthentication',
    ],
    [['GSSAPIAuthentication yes', 'PreferredAuthentications publickey,gssapi-with-mic'], undefined],
    [['CanonicalizeHostname yes'], 'CanonicalizeHostname'],
    [['KnownHostsCommand /bin/x'], 'KnownHostsCommand'],
  ])('%j needs OpenSSH: %s', (settings, why) => {
    expect(resolve(settings).needsOpenssh).toBe(why)
  })
})

describe('parseJump', () => {
  it.each([
    ['bastion', [{ host: 'bastion' }]],
    ['me@bastion:2222', [{ user: 'me', host: 'bastion', port: 2222 }]],
    ['[fd00::1]:22, b', [{ host: 'fd00::1', port: 22 }, { host: 'b' }]],
    ['ssh://me@b:1/', [{ user: 'me', host: 'b', port: 1 }]],
    ['user@dom@b', [{ user: 'user@dom', host: 'b' }]],
  ])('%s', (text, hops) => {
    expect(parseJump(text, 'web1')).toEqual(hops)
  })

  it.each(['', 'a:99999', 'a,,b', '@b'])('refuses "%s"', (text) => {
    expect(() => parseJump(text, 'web1')).toThrow(/cannot read the jump host/)
  })
})
