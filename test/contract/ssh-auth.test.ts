import { execFileSync, spawn } from 'node:child_process'
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { kinds, ownSuite, root } from './own-suite.js'
import { reach, reachOwn } from './reach.js'

const own = ownSuite()

async function uid(options: Parameters<typeof reach>[0]): Promise<string> {
  const machine = await reach(options)
  try {
    return `${machine.kind} ${(await machine.run('id -u')).stdout.trim()}`
  } finally {
    await machine.close()
  }
}

describe.runIf(root).each(kinds)('authentication over %s', (transport) => {
  const flags = { transport, knownHosts: '/dev/null', hostKeys: 'off' } as const

  it('opens an encrypted key with the passphrase from the environment, and only with the right one', async () => {
    const key = join(own.dir, `encrypted-${transport}`)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', 'open sesame', '-f', key])
    const authorized = join(own.sshd.dir, 'authorized_keys')
    writeFileSync(authorized, readFileSync(authorized, 'utf8') + readFileSync(`${key}.pub`, 'utf8'))
    const options = { port: own.sshd.port, flags: { ...flags, identities: [key] } }
    const env = (passphrase: string) => ({ AIRLIFT_KEY_PASSPHRASE: passphrase, PATH: process.env.PATH })
    expect(await uid({ ...options, env: env('open sesame') })).toBe(`${transport} 0`)
    await expect(uid({ ...options, env: env('wrong') })).rejects.toMatchObject({ code: 'E_SSH_AUTH' })
    await expect(uid(options)).rejects.toMatchObject({ code: 'E_SSH_AUTH' })
  })

  it('says what was tried and what the server takes, and tries no second time', async () => {
    const key = join(own.dir, `stranger-${transport}`)
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key])
    const before = (await own.sshd.log()).split('Connection from').length
    const error = await reachOwn(own.sshd, { flags: { ...flags, identities: [key] } }).catch(
      (caught: Error) => caught,
    )
    expect(error).toMatchObject({
      code: 'E_SSH_AUTH',
      exit: 1,
      machine: expect.stringMatching(/127\.0\.0\.1|web1/),
    })
    expect((error as Error).message).toContain('the server accepts publickey')
    if (transport === 'ssh') expect((error as Error).message).toContain(key)
    expect((await own.sshd.log()).split('Connection from').length - before).toBe(1)
  })

  it('uses the agent, and offers only what the configuration allows', async () => {
    const socket = join(own.dir, `agent-${transport}`)
    const agent = spawn('ssh-agent', ['-D', '-a', socket], { stdio: 'ignore' })
    try {
      for (let i = 0; i < 50 && !existsSync(socket); i++)
        await new Promise((resolve) => setTimeout(resolve, 50))
      execFileSync('ssh-add', [own.sshd.identity], {
        env: { ...process.env, SSH_AUTH_SOCK: socket },
        stdio: 'ignore',
      })
      const config = join(own.dir, `agent-config-${transport}`)
      writeFileSync(config, `Host *\n  IdentityFile none\n  IdentityAgent ${socket}\n`)
      const options = { port: own.sshd.port, flags: { ...flags, configFile: config } }
      expect(await uid(options)).toBe(`${transport} 0`)
      writeFileSync(
        config,
        `Host *\n  IdentityFile ${own.dir}/stranger-${transport}\n  IdentitiesOnly yes\n  IdentityAgent ${socket}\n`,
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
  it.each(['ssh', 'openssh'] as const)('must be there when a flag names them, over %s', async (transport) => {
    const error = reachOwn(own.sshd, {
      flags: { identities: [join(own.dir, 'none')], hostKeys: 'off', transport },
    })
    await expect(error).rejects.toMatchObject({
      code: 'E_LOCAL_FILE',
      exit: 2,
      message: `there is no key ${own.dir}/none`,
    })
  })

  it('does not offer a key that others can read, and says so', async () => {
    const key = join(own.dir, 'open-key')
    writeFileSync(key, readFileSync(own.sshd.identity), { mode: 0o644 })
    chmodSync(key, 0o644)
    const error = reachOwn(own.sshd, { flags: { identities: [key], hostKeys: 'off' } })
    await expect(error).rejects.toMatchObject({
      code: 'E_SSH_AUTH',
      message: expect.stringContaining('permissions 0644 are too open'),
    })
  })

  it.each(['rsa', 'ecdsa'])('offers %s keys, also encrypted ones in PEM', async (type) => {
    const key = join(own.dir, `pem-${type}`)
    execFileSync('ssh-keygen', ['-q', '-t', type, '-m', 'PEM', '-N', 'passphrase', '-f', key])
    const authorized = join(own.sshd.dir, 'authorized_keys')
    writeFileSync(authorized, readFileSync(authorized, 'utf8') + readFileSync(`${key}.pub`, 'utf8'))
    rmSync(`${key}.pub`)
    const env = { AIRLIFT_KEY_PASSPHRASE: 'passphrase' }
    expect(
      await uid({
        port: own.sshd.port,
        env,
        flags: { identities: [key], hostKeys: 'off', transport: 'ssh' },
      }),
    ).toBe('ssh 0')
  })
})
