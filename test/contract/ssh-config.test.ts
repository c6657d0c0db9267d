import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { AirliftEvent } from '../../src/core/events.js'
import { connectAll, connectMachine, createConnector } from '../../src/machine/connect.js'
import { evaluateConfig } from '../../src/machine/ssh/config-evaluate.js'
import { loadConfig } from '../../src/machine/ssh/config-load.js'
import { localFacts } from '../../src/machine/ssh/local-facts.js'
import { resolveHost } from '../../src/machine/ssh/resolve-host.js'
import { createSecretSource } from '../../src/machine/ssh/secret-source.js'
import type { OwnSshd } from './own-sshd.js'
import { freePort, startOwnSshd } from './own-sshd.js'
import { ownSuite, root } from './own-suite.js'
import { plainFlags, reach, testContext } from './reach.js'

const own = ownSuite()

describe.runIf(root)('~/.ssh/config', () => {
  const write = (text: string): string => {
    const file = join(own.home, '.ssh', 'config')
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  it('decides about name, user, port, key and known hosts, through HOME', async () => {
    const file = join(own.home, 'kh')
    write(`Include work\nHost *\n  StrictHostKeyChecking no\n`)
    writeFileSync(
      join(own.home, '.ssh', 'work'),
      `Host box\n  HostName 127.0.0.1\n  User root\n  Port ${own.sshd.port}\n  IdentityFile ${own.sshd.identity}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${file}\n  StrictHostKeyChecking accept-new\n  HashKnownHosts yes\n`,
    )
    const { configFile: _none, ...flags } = plainFlags()
    const ctx = testContext({ env: { HOME: own.home } })
    const target = { kind: 'ssh', text: 'box', host: 'box' } as const
    const machine = await connectMachine(
      target,
      flags,
      ctx,
      createSecretSource({}, async () => undefined),
    )
    expect(machine.id).toBe(`ssh://root@127.0.0.1:${own.sshd.port}`)
    expect(machine.name).toBe('box')
    await machine.close()
    expect(readFileSync(file, 'utf8')).toMatch(/^\|1\|/)
  })

  it('goes through ProxyJump, over two hops, each with its own settings', async () => {
    const second = await startOwnSshd()
    const third = await startOwnSshd()
    try {
      const host = (name: string, of: OwnSshd, more = ''): string =>
        `Host ${name}\n  HostName 127.0.0.1\n  Port ${of.port}\n  User root\n  IdentityFile ${of.identity}\n${more}`
      const config = join(own.dir, 'jump')
      writeFileSync(
        config,
        `${host('one', own.sshd)}${host('two', second)}${host('inner', third, '  ProxyJump one,two\n')}Host *\n  IdentitiesOnly yes\n  UserKnownHostsFile ${own.dir}/jump-hosts\n`,
      )
      const events: AirliftEvent[] = []
      const machine = await reach({ host: 'inner', flags: { configFile: config, transport: 'ssh' }, events })
      expect((await machine.run('echo "$SSH_CONNECTION"')).stdout.trim()).toMatch(
        new RegExp(` ${third.port}$`),
      )
      expect(await second.log()).toContain('Accepted publickey')
      expect(
        events.filter((event) => event.code === 'machine.connected').map((event) => event.machine),
      ).toEqual(['one', 'two', 'inner'])
      await machine.close()
    } finally {
      await second.stop()
      await third.stop()
    }
  })

  it('connects to a bastion once for many hosts', async () => {
    const inner = await Promise.all(Array.from({ length: 4 }, () => startOwnSshd()))
    try {
      const config = join(own.dir, 'many')
      writeFileSync(config, `Host *\n  UserKnownHostsFile ${own.dir}/many-hosts\n`)
      const ctx = testContext({})
      const flags = plainFlags({
        configFile: config,
        jump: `root@127.0.0.1:${own.sshd.port}`,
        identities: [own.sshd.identity, ...inner.map((each) => each.identity)],
      })
      const connector = createConnector(
        flags,
        ctx,
        createSecretSource({}, async () => undefined),
      )
      const before = (await own.sshd.log()).split('Accepted publickey').length
      const closed = await freePort()
      const ports = [...inner.map((each) => each.port), closed]
      const targets = ports.map(
        (port) =>
          ({ kind: 'ssh', text: `root@127.0.0.1:${port}`, host: '127.0.0.1', user: 'root', port }) as const,
      )
      const all = await connectAll(targets, connector)
      expect(
        all.map(({ result }) => (result instanceof Error ? (result as { code?: string }).code : result.kind)),
      ).toEqual(['ssh', 'ssh', 'ssh', 'ssh', 'E_SSH_UNREACHABLE'])
      expect((await own.sshd.log()).split('Accepted publickey').length - before).toBe(1)
      await connector.close()
    } finally {
      await Promise.all(inner.map((each) => each.stop()))
    }
  })

  it('names file and line of a mistake', async () => {
    const config = join(own.dir, 'mistake')
    writeFileSync(config, 'Host *\n  Prot 22\n')
    await expect(reach({ flags: { configFile: config } })).rejects.toMatchObject({
      code: 'E_SSH_CONFIG',
      exit: 2,
      message: expect.stringContaining(`${config}:2`),
    })
  })

  it('is read as ssh reads it', async () => {
    const config = join(own.dir, 'compared')
    writeFileSync(
      join(own.dir, 'compared-part'),
      'Host b*\n  User from-include\nMatch originalhost beta\n  Port 1111\n',
    )
    writeFileSync(
      config,
      [
        `Include ${own.dir}/compared-*rt`,
        'Host alpha beta,gamma "de lta" !omega *.lab',
        '  HostName %h.example',
        '  User=ada # comment',
        'Host a* !alpha',
        '  Port 2001',
        'Match host *.example !user ada,bob',
        '  Port 2002',
        'Match host *.example',
        '  Port 2003',
        '  ServerAliveInterval 2m',
        'Match localuser nobody,root user ada',
        '  ConnectTimeout 7',
        'Host *.lab',
        '  ProxyJump me@gate:2200,[fd00::1]:22',
        'Match final host *.example',
        '  ServerAliveCountMax 9',
        'Host alpha.example',
        '  IdentitiesOnly yes',
        'Host *',
        '  UserKnownHostsFile ~/kh-%h "/tmp/with space"',
        '  Port 2004',
        '  User zed',
        '',
      ].join('\n'),
    )
    const local = localFacts(process.env)
    const nodes = await loadConfig(config, local)
    for (const host of ['alpha', 'beta', 'gamma', 'a.lab', 'abc', 'omega', 'x']) {
      for (const user of [undefined, 'bob']) {
        const printed = execFileSync('ssh', ['-F', config, '-G', ...(user ? ['-l', user] : []), '--', host], {
          encoding: 'utf8',
        })
        const of = (key: string): string | undefined => new RegExp(`^${key} (.*)$`, 'm').exec(printed)?.[1]
        const ours = resolveHost(
          { host, ...(user ? { user } : {}) },
          plainFlags({ configFile: config }),
          evaluateConfig(nodes, { host, user, local }),
          local,
        )
        expect({
          host,
          user: ours.user,
          name: ours.hostName,
          port: ours.port,
          only: ours.identitiesOnly,
          count: ours.keepaliveCount,
        }).toEqual({
          host,
          user: of('user'),
          name: of('hostname'),
          port: Number(of('port')),
          only: of('identitiesonly') === 'yes',
          count: of('serveralivecountmax') === '3' ? 4 : Number(of('serveralivecountmax')),
        })
        expect(ours.proxyJump.length > 0).toBe(of('proxyjump') !== undefined)
      }
    }
  })
})
