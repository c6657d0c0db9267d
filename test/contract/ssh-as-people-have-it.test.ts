import { execFileSync, spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AirliftEvent } from '../../src/core/events.js'
import type { OwnSshd } from './own-sshd.js'
import { freePort, startOwnSshd } from './own-sshd.js'
import { reach, reachOwn } from './reach.js'

const root = process.getuid?.() === 0
let sshd: OwnSshd
let dir = ''
let home = ''

beforeAll(async () => {
  if (!root) return
  sshd = await startOwnSshd()
  dir = mkdtempSync(join(tmpdir(), 'people-'))
  home = join(dir, 'home')
  mkdirSync(join(home, '.ssh'), { recursive: true, mode: 0o700 })
})
afterAll(async () => {
  await sshd?.stop()
  rmSync(dir, { recursive: true, force: true })
})

/** A known_hosts file with those lines. */
function knownHosts(name: string, ...lines: string[]): string {
  const file = join(dir, name)
  writeFileSync(file, lines.map((line) => `${line}\n`).join(''))
  return file
}

async function uid(options: Parameters<typeof reach>[0]): Promise<string> {
  const machine = await reach(options)
  try {
    return `${machine.kind} ${(await machine.run('id -u')).stdout.trim()}`
  } finally {
    await machine.close()
  }
}

const kinds = ['ssh', 'openssh'] as const

describe.runIf(root).each(kinds)('host keys over %s', (transport) => {
  const via = (over: object = {}) => reachOwn(sshd, { flags: { transport, ...over } })

  it('writes a new key with mode 0600, once, and trusts it from then on', async () => {
    const file = join(dir, `new-${transport}`, 'known_hosts')
    if (transport === 'openssh') mkdirSync(join(dir, `new-${transport}`))
    await (await via({ knownHosts: file })).close()
    await (await via({ knownHosts: file, hostKeys: 'strict' })).close()
    const text = readFileSync(file, 'utf8')
    expect(text).toContain(`[127.0.0.1]:${sshd.port} ssh-ed25519 `)
    expect(text.trim().split('\n')).toHaveLength(1)
    // OpenSSH's client makes the file itself, and lets others read it.
    expect(statSync(file).mode & (transport === 'ssh' ? 0o777 : 0o022)).toBe(transport === 'ssh' ? 0o600 : 0)
    expect(
      execFileSync('ssh-keygen', ['-F', `[127.0.0.1]:${sshd.port}`, '-f', file], { encoding: 'utf8' }),
    ).toContain('found')
  })

  it('refuses an unknown key when it is strict, and writes nothing', async () => {
    const file = join(dir, `strict-${transport}`)
    const error = via({ knownHosts: file, hostKeys: 'strict' })
    await expect(error).rejects.toMatchObject({
      code: 'E_SSH_HOST_KEY',
      exit: 1,
      hint: expect.stringContaining('accept-new'),
    })
    expect(existsSync(file)).toBe(false)
  })

  it('refuses a changed key with both fingerprints, the line and the remedy', async () => {
    const other = join(dir, `other-${transport}`)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other])
    const line = `[127.0.0.1]:${sshd.port} ${readFileSync(`${other}.pub`, 'utf8').trim()}`
    const file = knownHosts(`changed-${transport}`, '# ours', line)
    const print = (key: string): string =>
      execFileSync('ssh-keygen', ['-lf', key], { encoding: 'utf8' }).split(' ')[1] ?? ''
    const error = await via({ knownHosts: file }).catch((caught: Error) => caught)
    expect(error).toMatchObject({ code: 'E_SSH_HOST_KEY', hint: expect.stringContaining('ssh-keygen -R') })
    const { message } = error as Error
    expect(message).toContain(print(`${sshd.dir}/host_ed25519.pub`))
    expect(message).toContain(print(`${other}.pub`))
    expect(message).toContain(`${file}:2`)
  })

  it('refuses a revoked key', async () => {
    const key = await sshd.hostKeyLine('ed25519')
    const file = knownHosts(`revoked-${transport}`, `@revoked * ${key}`, `[127.0.0.1]:${sshd.port} ${key}`)
    await expect(via({ knownHosts: file })).rejects.toMatchObject({ code: 'E_SSH_HOST_KEY' })
  })

  it.each(['ecdsa', 'rsa'] as const)(
    'asks for the %s key when that is the one that is known',
    async (type) => {
      const file = knownHosts(
        `${type}-${transport}`,
        `[127.0.0.1]:${sshd.port} ${await sshd.hostKeyLine(type)}`,
      )
      await (await via({ knownHosts: file, hostKeys: 'strict' })).close()
    },
  )

  it('knows hashed names, and connects to anything when the check is off', async () => {
    const file = knownHosts(
      `hashed-${transport}`,
      `[127.0.0.1]:${sshd.port} ${await sshd.hostKeyLine('ed25519')}`,
    )
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' })
    await (await via({ knownHosts: file, hostKeys: 'strict' })).close()
    await (await via({ knownHosts: join(dir, `off-${transport}`), hostKeys: 'off' })).close()
    expect(existsSync(join(dir, `off-${transport}`))).toBe(false)
  })
})

describe.runIf(root).each(kinds)('authentication over %s', (transport) => {
  const flags = { transport, knownHosts: '/dev/null', hostKeys: 'off' } as const

  it('opens an encrypted key with the passphrase from the environment, and only with the right one', async () => {
    const key = join(dir, `encrypted-${transport}`)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'open sesame', '-f', key])
    const authorized = join(sshd.dir, 'authorized_keys')
    writeFileSync(authorized, readFileSync(authorized, 'utf8') + readFileSync(`${key}.pub`, 'utf8'))
    const options = { port: sshd.port, flags: { ...flags, identities: [key] } }
    const env = (passphrase: string) => ({ AIRLIFT_KEY_PASSPHRASE: passphrase, PATH: process.env.PATH })
    expect(await uid({ ...options, env: env('open sesame') })).toBe(`${transport} 0`)
    await expect(uid({ ...options, env: env('wrong') })).rejects.toMatchObject({ code: 'E_SSH_AUTH' })
    await expect(uid(options)).rejects.toMatchObject({ code: 'E_SSH_AUTH' })
  })

  it('says what was tried and what the server takes, and tries no second time', async () => {
    const key = join(dir, `stranger-${transport}`)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    const before = (await sshd.log()).split('Connection from').length
    const error = await reachOwn(sshd, { flags: { ...flags, identities: [key] } }).catch(
      (caught: Error) => caught,
    )
    expect(error).toMatchObject({
      code: 'E_SSH_AUTH',
      exit: 1,
      machine: expect.stringMatching(/127\.0\.0\.1|web1/),
    })
    expect((error as Error).message).toContain('the server accepts publickey')
    if (transport === 'ssh') expect((error as Error).message).toContain(key)
    expect((await sshd.log()).split('Connection from').length - before).toBe(1)
  })

  it('uses the agent, and offers only what the configuration allows', async () => {
    const socket = join(dir, `agent-${transport}`)
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    try {
      for (let i = 0; i < 50 && !existsSync(socket); i++)
        await new Promise((resolve) => setTimeout(resolve, 50))
      execFileSync('ssh-add', [sshd.identity], {
        env: { ...process.env, SSH_AUTH_SOCK: socket },
        stdio: 'ignore',
      })
      const config = join(dir, `agent-config-${transport}`)
      writeFileSync(config, `Host *\n  IdentityFile none\n  IdentityAgent ${socket}\n`)
      const options = { port: sshd.port, flags: { ...flags, configFile: config } }
      expect(await uid(options)).toBe(`${transport} 0`)
      writeFileSync(
        config,
        `Host *\n  IdentityFile ${dir}/stranger-${transport}\n  IdentitiesOnly yes\n  IdentityAgent ${socket}\n`,
      )
      await expect(uid(options)).rejects.toMatchObject({ code: 'E_SSH_AUTH' })
      writeFileSync(config, `Host *\n  IdentityFile none\n  IdentityAgent none\n`)
      await expect(uid(options)).rejects.toMatchObject({ code: 'E_SSH_AUTH' })
    } finally {
      agent.kill()
    }
  })
})

describe.runIf(root)('keys', () => {
  it('does not offer a key that others can read, and says so', async () => {
    const key = join(dir, 'open-key')
    writeFileSync(key, readFileSync(sshd.identity), { mode: 0o644 })
    chmodSync(key, 0o644)
    const error = reachOwn(sshd, { flags: { identities: [key], hostKeys: 'off' } })
    await expect(error).rejects.toMatchObject({
      code: 'E_SSH_AUTH',
      message: expect.stringContaining('permissions 0644 are too open'),
    })
  })

  it.each(['rsa', 'ecdsa'])('offers %s keys, also encrypted ones in PEM', async (type) => {
    const key = join(dir, `pem-${type}`)
    execFileSync('ssh-keygen', ['-q', '-t', type, '-m', 'PEM', '-N', 'passphrase', '-f', key])
    const authorized = join(sshd.dir, 'authorized_keys')
    writeFileSync(authorized, readFileSync(authorized, 'utf8') + readFileSync(`${key}.pub`, 'utf8'))
    rmSync(`${key}.pub`)
    const env = { AIRLIFT_KEY_PASSPHRASE: 'passphrase' }
    expect(
      await uid({ port: sshd.port, env, flags: { identities: [key], hostKeys: 'off', transport: 'ssh' } }),
    ).toBe('ssh 0')
  })
})

describe.runIf(root).each(kinds)('a host that cannot be reached over %s', (transport) => {
  const flags = { transport, hostKeys: 'off', identities: [] } as const

  it('says that the connection is refused', async () => {
    const port = await freePort()
    await expect(reach({ port, flags })).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      message: `connection to 127.0.0.1:${port} refused`,
      hint: expect.stringContaining('start sshd'),
    })
  })

  it('says that the name has no address', async () => {
    await expect(reach({ host: 'no-such-host.invalid', flags })).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      message: expect.stringContaining('no address for "no-such-host.invalid"'),
    })
  })

  it('says that nobody answers within the time', async () => {
    const config = join(dir, `timeout-${transport}`)
    writeFileSync(config, 'ConnectTimeout 1\n')
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', 1, resolve))
    try {
      // 192.0.2.0/24 is for documentation; where a sandbox answers for it at once, that is an error of ours as well.
      const start = Date.now()
      await expect(
        reach({ host: '192.0.2.1', flags: { ...flags, configFile: config } }),
      ).rejects.toMatchObject({ code: 'E_SSH_UNREACHABLE' })
      expect(Date.now() - start).toBeLessThan(10_000)
    } finally {
      silent.close()
    }
  })

  it('stops connecting when it is interrupted', async () => {
    const silent = createServer(() => {})
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as { port: number }
    const start = Date.now()
    const connect = reach({ port, flags, signal: AbortSignal.timeout(700) })
    await expect(connect).rejects.toMatchObject({ code: 'E_INTERRUPTED' })
    expect(Date.now() - start).toBeLessThan(5_000)
    silent.close()
  })
})

describe.runIf(root)('~/.ssh/config', () => {
  const write = (text: string): string => {
    const file = join(home, '.ssh', 'config')
    writeFileSync(file, text, { mode: 0o600 })
    return file
  }

  it('decides about name, user, port, key and known hosts, through HOME', async () => {
    const file = join(home, 'kh')
    write(`Include work\nHost *\n  StrictHostKeyChecking no\n`)
    writeFileSync(
      join(home, '.ssh', 'work'),
      `Host box\n  HostName 127.0.0.1\n  User root\n  Port ${sshd.port}\n  IdentityFile ${sshd.identity}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${file}\n  StrictHostKeyChecking accept-new\n  HashKnownHosts yes\n`,
    )
    const { createSecretSource } = await import('../../src/machine/ssh/secret-source.js')
    const { connectMachine } = await import('../../src/machine/connect.js')
    const { plainFlags, testContext } = await import('./reach.js')
    const { configFile: _none, ...flags } = plainFlags()
    const ctx = testContext({ env: { HOME: home } })
    const target = { kind: 'ssh', text: 'box', host: 'box' } as const
    const machine = await connectMachine(
      target,
      flags,
      ctx,
      createSecretSource({}, async () => undefined),
    )
    expect(machine.id).toBe(`ssh://root@127.0.0.1:${sshd.port}`)
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
      const config = join(dir, 'jump')
      writeFileSync(
        config,
        `${host('one', sshd)}${host('two', second)}${host('inner', third, '  ProxyJump one,two\n')}Host *\n  IdentitiesOnly yes\n  UserKnownHostsFile ${dir}/jump-hosts\n`,
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
      const config = join(dir, 'many')
      writeFileSync(config, `Host *\n  UserKnownHostsFile ${dir}/many-hosts\n`)
      const { createSecretSource } = await import('../../src/machine/ssh/secret-source.js')
      const { connectAll, createConnector } = await import('../../src/machine/connect.js')
      const { plainFlags, testContext } = await import('./reach.js')
      const ctx = testContext({})
      const flags = plainFlags({
        configFile: config,
        jump: `root@127.0.0.1:${sshd.port}`,
        identities: [sshd.identity, ...inner.map((each) => each.identity)],
      })
      const connector = createConnector(
        flags,
        ctx,
        createSecretSource({}, async () => undefined),
      )
      const before = (await sshd.log()).split('Accepted publickey').length
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
      expect((await sshd.log()).split('Accepted publickey').length - before).toBe(1)
      await connector.close()
    } finally {
      await Promise.all(inner.map((each) => each.stop()))
    }
  })

  it('names file and line of a mistake', async () => {
    const config = join(dir, 'mistake')
    writeFileSync(config, 'Host *\n  Prot 22\n')
    await expect(reach({ flags: { configFile: config } })).rejects.toMatchObject({
      code: 'E_SSH_CONFIG',
      exit: 2,
      message: expect.stringContaining(`${config}:2`),
    })
  })

  it('is read as ssh reads it', async () => {
    const { evaluateConfig } = await import('../../src/machine/ssh/config-evaluate.js')
    const { loadConfig } = await import('../../src/machine/ssh/config-load.js')
    const { localFacts } = await import('../../src/machine/ssh/local-facts.js')
    const { resolveHost } = await import('../../src/machine/ssh/resolve-host.js')
    const { plainFlags } = await import('./reach.js')
    const config = join(dir, 'compared')
    writeFileSync(
      join(dir, 'compared-part'),
      'Host b*\n  User from-include\nMatch originalhost beta\n  Port 1111\n',
    )
    writeFileSync(
      config,
      [
        `Include ${dir}/compared-*rt`,
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

describe.runIf(root)("what only OpenSSH's client can do", () => {
  const connect = async (config: string, over: object = {}) => {
    const events: AirliftEvent[] = []
    const file = join(dir, `only-${Math.random().toString(36).slice(2)}`)
    writeFileSync(file, config)
    const machine = await reachOwn(sshd, { events, flags: { configFile: file, ...over } })
    const kind = machine.kind
    expect((await machine.run('echo works')).stdout).toBe('works\n')
    await machine.close()
    return { kind, why: events.find((event) => event.code === 'machine.openssh')?.data?.why }
  }

  it('is used for ProxyCommand', async () => {
    const result = await connect(
      `ProxyCommand ${process.execPath} -e "const s=require('net').connect(%p,'%h');process.stdin.pipe(s);s.pipe(process.stdout)"\n`,
    )
    expect(result).toEqual({ kind: 'openssh', why: 'ProxyCommand' })
  })

  it('is used for Match exec, when that decides', async () => {
    expect(await connect('Match exec true\n  ServerAliveInterval 20\n')).toEqual({
      kind: 'openssh',
      why: 'Match exec',
    })
    expect((await connect('Match host other exec true\n  Port 1\n')).kind).toBe('ssh')
  })

  it('is used for hosts with a certificate, and trusts the authority', async () => {
    const authority = join(dir, 'authority')
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', authority])
    execFileSync('ssh-keygen', [
      '-q',
      '-s',
      authority,
      '-h',
      '-I',
      'web1',
      '-n',
      '127.0.0.1',
      `${sshd.dir}/host_ed25519.pub`,
    ])
    const certified = await startOwnSshd([
      `HostCertificate ${sshd.dir}/host_ed25519-cert.pub`,
      `HostKey ${sshd.dir}/host_ed25519`,
      `AuthorizedKeysFile ${sshd.dir}/authorized_keys`,
    ])
    try {
      const file = knownHosts(
        'authority-hosts',
        `@cert-authority * ${readFileSync(`${authority}.pub`, 'utf8').trim()}`,
      )
      const machine = await reach({
        port: certified.port,
        flags: { identities: [sshd.identity], knownHosts: file, hostKeys: 'strict' },
      })
      expect(machine.kind).toBe('openssh')
      expect((await machine.run('echo works')).stdout).toBe('works\n')
      await machine.close()
    } finally {
      await certified.stop()
    }
  })

  it('is used for servers that allow post-quantum key exchange alone, and says why', async () => {
    const modern = await startOwnSshd(['KexAlgorithms sntrup761x25519-sha512@openssh.com'])
    try {
      const events: AirliftEvent[] = []
      const machine = await reachOwn(modern, { events })
      expect(machine.kind).toBe('openssh')
      expect((await machine.run('echo works')).stdout).toBe('works\n')
      expect(events.find((event) => event.code === 'machine.openssh')?.message).toMatch(
        /no algorithm in common/,
      )
      await machine.close()
      await expect(reachOwn(modern, { flags: { transport: 'ssh' } })).rejects.toMatchObject({
        hint: expect.stringContaining('--transport'),
      })
    } finally {
      await modern.stop()
    }
  })

  it('leaves no master and no socket behind', async () => {
    await connect('', { transport: 'openssh' })
    const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes('ControlPath=') && line.includes(String(sshd.port)))
    expect(left).toEqual([])
  })
})

describe.runIf(root).each(kinds)('noise over %s', (transport) => {
  it('from banners and shell start-up files is no part of any output', async () => {
    const noise = mkdtempSync(join(tmpdir(), 'noise-'))
    writeFileSync(join(noise, 'banner'), 'AUTHORIZED USE ONLY\n')
    writeFileSync(
      join(noise, 'env'),
      'echo "hello from bashrc"; echo "warning from bashrc" >&2; printf "no newline"\n',
    )
    const noisy = await startOwnSshd([`Banner ${noise}/banner`, `SetEnv BASH_ENV=${noise}/env`])
    try {
      const machine = await reachOwn(noisy, { flags: { transport } })
      expect(await machine.run('echo out; echo err >&2')).toEqual({
        exitCode: 0,
        stdout: 'out\n',
        stderr: 'err\n',
      })
      await machine.close()
    } finally {
      await noisy.stop()
      rmSync(noise, { recursive: true, force: true })
    }
  })

  it('says when the login shell does not start one', async () => {
    const forced = await startOwnSshd(['ForceCommand /usr/sbin/nologin'])
    try {
      const machine = await reachOwn(forced, { flags: { transport } })
      await expect(machine.run('true')).rejects.toMatchObject({
        code: 'E_COMMAND',
        message: expect.stringContaining('did not start /bin/sh'),
        log: expect.arrayContaining([expect.stringContaining('not available')]),
      })
      await machine.close()
    } finally {
      await forced.stop()
    }
  })
})

describe.runIf(root).each(kinds)('an interactive command over %s', (transport) => {
  it('has the stdin, stdout and exit code of the process that asked', () => {
    const fixture = fileURLToPath(new URL('interact-fixture.ts', import.meta.url))
    const command = 'read -r line; echo "got $line"; echo problem >&2; exit 9'
    const result = spawnSync(
      process.execPath,
      ['--import', 'tsx', fixture, String(sshd.port), sshd.identity, transport, command],
      { input: 'a line\n', encoding: 'utf8' },
    )
    expect({ status: result.status, stdout: result.stdout }).toEqual({ status: 9, stdout: 'got a line\n' })
    expect(result.stderr).toContain('problem')
  })
})

describe.runIf(root)('a bastion', () => {
  const write = (text: string): string => {
    const file = join(dir, `bastion-${Math.random().toString(36).slice(2)}`)
    writeFileSync(
      file,
      `${text}\nHost *\n  UserKnownHostsFile ${dir}/bastion-hosts\n  IdentityFile ${sshd.identity}\n  ConnectTimeout 2\n`,
    )
    return file
  }

  it('that only OpenSSH can reach makes OpenSSH reach the host', async () => {
    const proxy = `${process.execPath} -e "const s=require('net').connect(%p,'%h');process.stdin.pipe(s);s.pipe(process.stdout)"`
    const events: AirliftEvent[] = []
    const configFile = write(
      `Host gate\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  User root\n  ProxyCommand ${proxy}`,
    )
    const machine = await reach({
      host: 'localhost',
      port: sshd.port,
      flags: { configFile, jump: 'gate' },
      events,
    })
    expect(machine.kind).toBe('openssh')
    expect(events.find((event) => event.code === 'machine.openssh')?.data?.why).toBe(
      'ProxyCommand of the bastion gate',
    )
    await machine.close()
  })

  it('that cannot reach the host is named', async () => {
    const configFile = write(`Host gate\n  HostName 127.0.0.1\n  Port ${sshd.port}\n  User root`)
    const port = await freePort()
    await expect(
      reach({ port, flags: { configFile, jump: 'gate', transport: 'ssh' } }),
    ).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      machine: 'web1',
      message: expect.stringContaining(
        `the bastion root@127.0.0.1:${sshd.port} cannot reach 127.0.0.1:${port}`,
      ),
    })
  })

  it('that refuses us is named, for each host behind it', async () => {
    const closed = await freePort()
    const error = reach({
      port: sshd.port,
      flags: { configFile: write('# none'), jump: `root@localhost:${closed}`, transport: 'ssh' },
    })
    await expect(error).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      machine: 'web1',
      message: expect.stringContaining(`localhost: connection to localhost:${closed} refused`),
    })
  })
})
