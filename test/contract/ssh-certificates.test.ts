import { execFileSync, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { AirliftEvent } from '../../src/core/events.js'
import type { OwnSshd } from './own-sshd.js'
import { startOwnSshd } from './own-sshd.js'
import { ownSuite, root } from './own-suite.js'
import { reachOwn } from './reach.js'

/** A security key in software, from OpenSSH's own tests (Debian: openssh-tests). */
const SOFT_KEY = process.env.AIRLIFT_SK_DUMMY ?? '/usr/lib/openssh/regress/misc/sk-dummy/sk-dummy.so'

const own = ownSuite()
/** Trusts certificates of the authority, and no key by itself. */
let strict: OwnSshd

const keygen = (...args: string[]): void => {
  execFileSync('ssh-keygen', ['-q', ...args], { stdio: 'pipe' })
}

beforeAll(async () => {
  if (!root) return
  keygen('-t', 'ed25519', '-N', '', '-f', join(own.dir, 'users'))
  strict = await startOwnSshd([`TrustedUserCAKeys ${own.dir}/users.pub`, 'AuthorizedKeysFile none'])
})
afterAll(() => strict?.stop())

/** A key, certified for a login name. */
function certified(name: string, login: string): string {
  const key = join(own.dir, name)
  keygen('-t', 'ed25519', '-N', '', '-f', key)
  keygen('-s', join(own.dir, 'users'), '-I', name, '-n', login, `${key}.pub`)
  return key
}

/** How a connection was made and why; its first word is that of the host. */
async function connect(sshd: OwnSshd, flags: object): Promise<{ kind: string; why: unknown }> {
  const events: AirliftEvent[] = []
  const machine = await reachOwn(sshd, { events, flags })
  expect((await machine.run('echo works')).stdout).toBe('works\n')
  await machine.close()
  return { kind: machine.kind, why: events.find((event) => event.code === 'machine.openssh')?.data?.why }
}

describe.runIf(root)('a certificate of the user', () => {
  it('that lies beside the key is used', async () => {
    const key = certified('beside', 'root')
    expect(await connect(strict, { identities: [key] })).toEqual({
      kind: 'openssh',
      why: `certificate ${key}-cert.pub`,
    })
  })

  it('that the configuration names is used', async () => {
    const key = certified('named', 'root')
    const elsewhere = join(own.dir, 'elsewhere.pub')
    writeFileSync(elsewhere, readFileSync(`${key}-cert.pub`))
    execFileSync('rm', [`${key}-cert.pub`])
    const configFile = join(own.dir, 'named.config')
    writeFileSync(configFile, `Host *\n  IdentityFile ${key}\n  CertificateFile ${elsewhere}\n`)
    expect(await connect(strict, { identities: [], configFile })).toEqual({
      kind: 'openssh',
      why: 'CertificateFile',
    })
  })

  it('that the agent holds is used', async () => {
    const key = certified('held', 'root')
    const socket = join(own.dir, 'agent')
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    try {
      await expect.poll(() => existsSync(socket)).toBe(true)
      execFileSync('ssh-add', [key], { env: { ...process.env, SSH_AUTH_SOCK: socket }, stdio: 'ignore' })
      execFileSync('rm', [`${key}-cert.pub`, key])
      const configFile = join(own.dir, 'held.config')
      writeFileSync(configFile, `Host *\n  IdentityFile none\n  IdentityAgent ${socket}\n`)
      expect(await connect(strict, { identities: [], configFile })).toEqual({
        kind: 'openssh',
        why: 'certificate in the agent',
      })
    } finally {
      agent.kill()
    }
  })

  it('for another login is refused, and so is the key without it', async () => {
    const other = certified('other', 'somebody')
    await expect(connect(strict, { identities: [other] })).rejects.toMatchObject({ code: 'E_SSH_AUTH' })
    execFileSync('rm', [`${other}-cert.pub`])
    await expect(connect(strict, { identities: [other] })).rejects.toMatchObject({ code: 'E_SSH_AUTH' })
  })
})

const missing = existsSync(SOFT_KEY)
  ? undefined
  : `no ${SOFT_KEY}: install openssh-tests, or set AIRLIFT_SK_DUMMY`
if (root && missing) process.stderr.write(`\nSKIPPED: security keys: ${missing}\n\n`)

describe.runIf(root && !missing)('a security key', () => {
  it('signs through OpenSSH', async () => {
    const key = join(own.dir, 'token')
    keygen('-t', 'ed25519-sk', '-w', SOFT_KEY, '-N', '', '-f', key)
    const sshd = await startOwnSshd([`AuthorizedKeysFile ${key}.pub`])
    try {
      const configFile = join(own.dir, 'token.config')
      writeFileSync(configFile, `Host *\n  SecurityKeyProvider ${SOFT_KEY}\n  IdentityFile ${key}\n`)
      expect(
        await connect(sshd, { identities: [], configFile, knownHosts: join(own.dir, 'token-hosts') }),
      ).toEqual({
        kind: 'openssh',
        why: `security key ${key}`,
      })
    } finally {
      await sshd.stop()
    }
  })
})
