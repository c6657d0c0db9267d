import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { kinds, ownSuite, root, writeKnownHosts } from './own-suite.js'
import { reachOwn } from './reach.js'

const own = ownSuite()

describe.runIf(root).each(kinds)('host keys over %s', (transport) => {
  const via = (over: object = {}) => reachOwn(own.sshd, { flags: { transport, ...over } })

  it('writes a new key with mode 0600, once, and trusts it from then on', async () => {
    const file = join(own.dir, `new-${transport}`, 'known_hosts')
    if (transport === 'openssh') mkdirSync(join(own.dir, `new-${transport}`))
    await (await via({ knownHosts: file })).close()
    await (await via({ knownHosts: file, hostKeys: 'strict' })).close()
    const text = readFileSync(file, 'utf8')
    expect(text).toContain(`[127.0.0.1]:${own.sshd.port} ssh-ed25519 `)
    expect(text.trim().split('\n')).toHaveLength(1)
    // OpenSSH's client makes the file itself, and lets others read it.
    expect(statSync(file).mode & (transport === 'ssh' ? 0o777 : 0o022)).toBe(transport === 'ssh' ? 0o600 : 0)
    expect(
      execFileSync('ssh-keygen', ['-F', `[127.0.0.1]:${own.sshd.port}`, '-f', file], { encoding: 'utf8' }),
    ).toContain('found')
  })

  it('refuses an unknown key when it is strict, and writes nothing', async () => {
    const file = join(own.dir, `strict-${transport}`)
    const error = via({ knownHosts: file, hostKeys: 'strict' })
    await expect(error).rejects.toMatchObject({
      code: 'E_SSH_HOST_KEY',
      exit: 1,
      hint: expect.stringContaining('accept-new'),
    })
    expect(existsSync(file)).toBe(false)
  })

  it('refuses a changed key with both fingerprints, the line and the remedy', async () => {
    const other = join(own.dir, `other-${transport}`)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other])
    const line = `[127.0.0.1]:${own.sshd.port} ${readFileSync(`${other}.pub`, 'utf8').trim()}`
    const file = writeKnownHosts(join(own.dir, `changed-${transport}`), '# ours', line)
    const print = (key: string): string =>
      execFileSync('ssh-keygen', ['-lf', key], { encoding: 'utf8' }).split(' ')[1] ?? ''
    const error = await via({ knownHosts: file }).catch((caught: Error) => caught)
    expect(error).toMatchObject({ code: 'E_SSH_HOST_KEY', hint: expect.stringContaining('ssh-keygen -R') })
    const { message } = error as Error
    expect(message).toContain(print(`${own.sshd.dir}/host_ed25519.pub`))
    expect(message).toContain(print(`${other}.pub`))
    expect(message).toContain(`${file}:2`)
  })

  it('refuses a revoked key', async () => {
    const key = await own.sshd.hostKeyLine('ed25519')
    const file = writeKnownHosts(
      join(own.dir, `revoked-${transport}`),
      `@revoked * ${key}`,
      `[127.0.0.1]:${own.sshd.port} ${key}`,
    )
    await expect(via({ knownHosts: file })).rejects.toMatchObject({ code: 'E_SSH_HOST_KEY' })
  })

  it.each(['ecdsa', 'rsa'] as const)(
    'asks for the %s key when that is the one that is known',
    async (type) => {
      const file = writeKnownHosts(
        join(own.dir, `${type}-${transport}`),
        `[127.0.0.1]:${own.sshd.port} ${await own.sshd.hostKeyLine(type)}`,
      )
      await (await via({ knownHosts: file, hostKeys: 'strict' })).close()
    },
  )

  it('knows hashed names, and connects to anything when the check is off', async () => {
    const file = writeKnownHosts(
      join(own.dir, `hashed-${transport}`),
      `[127.0.0.1]:${own.sshd.port} ${await own.sshd.hostKeyLine('ed25519')}`,
    )
    execFileSync('ssh-keygen', ['-H', '-f', file], { stdio: 'ignore' })
    await (await via({ knownHosts: file, hostKeys: 'strict' })).close()
    await (await via({ knownHosts: join(own.dir, `off-${transport}`), hostKeys: 'off' })).close()
    expect(existsSync(join(own.dir, `off-${transport}`))).toBe(false)
  })
})
