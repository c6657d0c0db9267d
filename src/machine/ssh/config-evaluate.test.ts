import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { evaluateConfig } from './config-evaluate.js'
import { glob, loadConfig } from './config-load.js'
import type { ConfigValues } from './config-values.js'
import type { LocalFacts } from './local-facts.js'

let home = ''
let local: LocalFacts

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'home-'))
  mkdirSync(join(home, '.ssh', 'conf.d'), { recursive: true })
  mkdirSync(join(home, 'etc'))
  local = { home, user: 'me', uid: process.getuid?.() ?? 0, env: { DIR: 'conf.d' } }
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

async function evaluate(text: string, host: string, user?: string): Promise<ConfigValues> {
  writeFileSync(join(home, '.ssh', 'config'), text, { mode: 0o600 })
  const nodes = await loadConfig(undefined, local, join(home, 'etc', 'ssh_config'))
  return evaluateConfig(nodes, { host, user, local })
}

describe('evaluateConfig', () => {
  it('lets the first value win', async () => {
    const config = await evaluate('Host web1\n  User alice\nHost *\n  User bob\n  Port 2222\n', 'web1')
    expect(config.one('user')).toBe('alice')
    expect(config.number('port')).toBe(2222)
  })

  it.each([
    ['web*', 'web1', true],
    ['web?', 'web12', false],
    ['* !web1', 'web1', false],
    ['!web1 *', 'web2', true],
    ['!web1', 'web2', false],
    ['WEB1', 'web1', true],
    ['a web1 b', 'web1', true],
  ])('Host %s with %s: %s', async (patterns, host, matches) => {
    const config = await evaluate(`Host ${patterns}\n  User x\n`, host)
    expect(config.one('user')).toBe(matches ? 'x' : undefined)
  })

  it.each([
    ['host 10.0.0.1', true],
    ['host web1', false],
    ['originalhost web1', true],
    ['host 10.0.0.1 user root', true],
    ['user alice', false],
    ['user alice,root', true],
    ['!user alice', true],
    ['localuser me', true],
    ['!host 10.0.0.*', false],
    ['host=10.0.0.1', true],
    ['all', true],
    ['canonical', false],
    ['!final', true],
  ])('Match %s: %s', async (criteria, matches) => {
    const text = `Host web1\n  HostName 10.0.0.1\nMatch ${criteria}\n  Port 99\n`
    const config = await evaluate(text, 'web1', 'root')
    expect(config.number('port')).toBe(matches ? 99 : undefined)
  })

  it('makes a second pass for Match final, where Host sees the host name', async () => {
    const text = 'Host web1\n  HostName web1.lab\nMatch final\n  Port 7\nHost web1.lab\n  User late\n'
    const config = await evaluate(text, 'web1')
    expect(config.number('port')).toBe(7)
    expect(config.one('user')).toBe('late')
  })

  it('collects identity files once, in their order', async () => {
    const text =
      'Host web1\n  IdentityFile a\n  IdentityFile b\nHost *\n  IdentityFile c\nMatch final all\n  IdentityFile a\n'
    expect((await evaluate(text, 'web1')).all('identityfile')).toEqual(['a', 'b', 'c'])
  })

  it('leaves to OpenSSH what only a command can decide, and only when it matters', async () => {
    const text = 'Match host web1 exec "test -e /x"\n  User x\n'
    expect((await evaluate(text, 'web1')).usesExec).toBe(true)
    expect((await evaluate(text, 'web2')).usesExec).toBe(false)
  })

  it('includes files by pattern, relative to ~/.ssh, as part of the block', async () => {
    writeFileSync(join(home, '.ssh', 'conf.d', '20-b'), 'Port 2\n')
    writeFileSync(join(home, '.ssh', 'conf.d', '10-a'), 'Host other\n  Port 1\n')
    writeFileSync(join(home, '.ssh', 'conf.d', '.hidden'), 'Port 3\n')
    const text = 'Host web1\n  Include ${DIR}/*\n  User in-block\nHost web2\n  User two\n'
    const config = await evaluate(text, 'web1')
    expect(config.one('user')).toBe('in-block')
    // The block that the first file opened ends with that file.
    expect(config.all('port')).toEqual(['2'])
    expect((await evaluate(text, 'web2')).one('port')).toBeUndefined()
  })

  it('passes over an include that names nothing', async () => {
    expect((await evaluate('Include nothing/*\nUser x\n', 'web1')).one('user')).toBe('x')
  })

  it('reads the system file after the user file, relative to its own directory', async () => {
    writeFileSync(join(home, 'etc', 'ssh_config'), 'Include part.conf\nPort 1\n')
    writeFileSync(join(home, 'etc', 'part.conf'), 'User system\n')
    const config = await evaluate('Port 2\nHost nobody\n', 'web1')
    expect(config.number('port')).toBe(2)
    expect(config.one('user')).toBe('system')
  })
})

describe('bad configuration', () => {
  it.each([
    ['HostNme x', /config:2: "HostNme" is not a keyword/],
    ['User "x', /config:2: a quote is not closed/],
    ['Port', /config:2: "Port" has no argument/],
    ['Match banana 1', /config:2: "banana" is not a criterion/],
    ['Match host', /config:2: the criterion "host" has no argument/],
    ['Match all host x', /config:2: "all" must be the only criterion/],
  ])('%s', async (line, message) => {
    await expect(evaluate(`# first\n${line}\n`, 'web1')).rejects.toMatchObject({
      code: 'E_SSH_CONFIG',
      message: expect.stringMatching(message),
    })
  })

  it('names the line of a value that means nothing', async () => {
    const config = await evaluate('\nPort seventy\nIdentitiesOnly perhaps\nConnectTimeout 1h30m\n', 'web1')
    expect(() => config.number('port')).toThrow(/config:2: port "seventy" is not a port/)
    expect(() => config.flag('identitiesonly')).toThrow(/config:3: .*"perhaps" is not yes or no/)
    expect(config.number('connecttimeout')).toBe(5400)
  })

  it('passes over what IgnoreUnknown allows', async () => {
    expect(
      (await evaluate('IgnoreUnknown UseKey*,Foo\nUseKeyChains yes\nFoo 1\nUser x\n', 'web1')).one('user'),
    ).toBe('x')
  })

  it('refuses a file that others may write', async () => {
    writeFileSync(join(home, '.ssh', 'config'), 'User x\n', { mode: 0o666 })
    const { chmodSync } = await import('node:fs')
    chmodSync(join(home, '.ssh', 'config'), 0o666)
    await expect(loadConfig(undefined, local, '/nonexistent')).rejects.toMatchObject({ code: 'E_SSH_CONFIG' })
  })

  it('refuses a named file that is not there, and reads nothing for none', async () => {
    await expect(loadConfig('/nonexistent/config', local)).rejects.toMatchObject({ code: 'E_SSH_CONFIG' })
    expect(await loadConfig('none', local)).toEqual([])
  })

  it('ends a file that includes itself', async () => {
    await expect(evaluate('Include config\n', 'web1')).rejects.toMatchObject({
      message: expect.stringContaining('nested too deeply'),
    })
  })
})

describe('words', () => {
  it.each([
    ['User=alice', 'alice'],
    ['User = alice', 'alice'],
    ['User "alice smith"', 'alice smith'],
    ['User alice # comment', 'alice'],
    ['User al\\ ice', 'al ice'],
    ['"User" alice', 'alice'],
    ['user\talice\r', 'alice'],
  ])('%s', async (line, user) => {
    expect((await evaluate(`${line}\n`, 'web1')).one('user')).toBe(user)
  })

  it('keeps a command as it is written', async () => {
    expect(
      (await evaluate('ProxyCommand nc -x "a b" %h %p # no comment\n', 'web1')).one('proxycommand'),
    ).toBe('nc -x "a b" %h %p # no comment')
  })
})

describe('glob', () => {
  it('knows sets and question marks', async () => {
    for (const name of ['a1', 'a2', 'b1', 'a.1']) writeFileSync(join(home, 'etc', name), '')
    const found = async (pattern: string) =>
      (await glob(join(home, 'etc', pattern))).map((path) => path.slice(home.length + 5))
    expect(await found('a?')).toEqual(['a1', 'a2'])
    expect(await found('[ab]1')).toEqual(['a1', 'b1'])
    expect(await found('[!a]*')).toEqual(['b1'])
    expect(await found('a.*')).toEqual(['a.1'])
  })
})
