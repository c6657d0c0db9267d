import { describe, expect, it } from 'vitest'
import type { SshOptions } from '../../cluster/spec.js'
import { plainSsh } from '../../cluster/ssh.fixture.js'
import type { ResolvedHost } from '../ssh/resolved-host.js'
import type { ArgumentParts } from './arguments.js'
import { sshArguments, sshConfigText } from './arguments.js'

const flags: SshOptions = { ...plainSsh, transport: 'openssh' }
const host = {
  alias: 'web1',
  hostName: '10.0.0.1',
  user: 'root',
  port: 22,
  hostKeys: 'accept-new',
  identityFiles: ['/k/a', '/k/b c'],
  userKnownHosts: ['/kh'],
  keepaliveMs: 15_000,
  keepaliveCount: 4,
  connectTimeoutMs: 15_000,
} as unknown as ResolvedHost

function parts(options: Partial<SshOptions> = {}, over: Partial<ArgumentParts> = {}): ArgumentParts {
  return {
    target: { host: 'web1' },
    options: { ...flags, ...options },
    host,
    dir: '/tmp/x',
    password: false,
    mayAsk: false,
    configFiles: ['/home/me/.ssh/config', '/etc/ssh/ssh_config'],
    ...over,
  }
}

describe('sshConfigText', () => {
  it('puts flags ahead of the files of the user', () => {
    const lines = sshConfigText(parts({ identities: ['/k/a', '/k/b c'], knownHosts: '/kh' })).split('\n')
    expect(lines).toContain('IdentityFile "/k/b c"')
    expect(lines).toContain('UserKnownHostsFile /kh')
    expect(lines.slice(-3)).toEqual(['Include /home/me/.ssh/config', 'Include /etc/ssh/ssh_config', ''])
  })

  it('leaves keys and known hosts to the configuration where no flag names them', () => {
    expect(sshConfigText(parts())).not.toMatch(/IdentityFile|KnownHosts/)
  })

  it.each([
    ['strict', 'yes'],
    ['accept-new', 'accept-new'],
    ['off', 'no'],
  ] as const)('maps %s to %s', (hostKeys, value) => {
    const text = sshConfigText(parts({}, { host: { ...host, hostKeys } }))
    expect(text).toContain(`StrictHostKeyChecking ${value}\n`)
    expect(text.includes('/dev/null')).toBe(hostKeys === 'off')
  })

  it('lets ssh ask only where somebody answers', () => {
    expect(sshConfigText(parts())).toContain('BatchMode yes')
    expect(sshConfigText(parts({}, { mayAsk: true }))).toContain('PasswordAuthentication no')
    expect(sshConfigText(parts({}, { mayAsk: true }))).not.toContain('BatchMode')
    expect(sshConfigText(parts({}, { password: true }))).not.toMatch(/BatchMode|PasswordAuthentication/)
  })
})

describe('sshArguments', () => {
  it('names user, port and jump only where the command line did', () => {
    expect(sshArguments(parts(), '/c')).not.toContain('-l')
    const args = sshArguments(
      parts({ user: 'ops', jump: 'b1,b2' }, { target: { host: 'web1', port: 2222 } }),
      '/c',
    ).join(' ')
    expect(args).toContain('-J b1,b2 -l ops -p 2222')
    expect(args).toMatch(/^-F \/c /)
    expect(args).toContain('ControlPath=/tmp/x/%C')
  })
})
