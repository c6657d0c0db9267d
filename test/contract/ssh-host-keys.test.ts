import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { OwnSshd } from './own-sshd.js'
import type { OwnSuite } from './own-suite.js'
import { kinds, root, startOwnSuite, writeKnownHosts } from './own-suite.js'
import { reachOwn } from './reach.js'

let suite: OwnSuite
let sshd: OwnSshd
let dir = ''

beforeAll(async () => {
  if (!root) return
  suite = await startOwnSuite()
  ;({ sshd, dir } = suite)
})
afterAll(() => suite?.stop())

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
    const file = writeKnownHosts(join(dir, `changed-${transport}`), '# ours', line)
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
    const file = writeKnownHosts(
      join(dir, `revoked-${transport}`),
      `@revoked * ${key}`,
      `[127.0.0.1]:${sshd.port} ${key}`,
    )
    await expect(via({ knownHosts: file })).rejects.toMatchObject({ code: 'E_SSH_HOST_KEY' })
  })

  it.each(['ecdsa', 'rsa'] as const)(
    'asks for the %s key when that is the one that is known',
    async (type) => {
      const file = writeKnownHosts(
        join(dir, `${type}-${transport}`),
        `[127.0.0.1]:${sshd.port} ${await sshd.hostKeyLine(type)}`,
      )
      await (await via({ knownHosts: file, hostKeys: 'strict' })).close()
    },
  )

  it('knows hashed names, and connects to anything when the check is off', async () => {
    const file = writeKnownHosts(
      join(dir, `hashed-${transport}`),
      `[127.0.0.1]:${sshd.port} ${await sshd.hostKeyLine('ed25519')}`,
    )
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' })
    await (await via({ knownHosts: file, hostKeys: 'strict' })).close()
    await (await via({ knownHosts: join(dir, `off-${transport}`), hostKeys: 'off' })).close()
    expect(existsSync(join(dir, `off-${transport}`))).toBe(false)
  })
})
