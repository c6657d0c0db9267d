import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { AirliftEvent } from '../../src/core/events.js'
import { startOwnSshd } from './own-sshd.js'
import { ownSuite, root, writeKnownHosts } from './own-suite.js'
import { reach, reachOwn } from './reach.js'

const own = ownSuite()

describe.runIf(root)("what only OpenSSH's client can do", () => {
  const connect = async (config: string, over: object = {}) => {
    const events: AirliftEvent[] = []
    const file = join(own.dir, `only-${Math.random().toString(36).slice(2)}`)
    writeFileSync(file, config)
    const machine = await reachOwn(own.sshd, { events, flags: { configFile: file, ...over } })
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
    const authority = join(own.dir, 'authority')
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
      `${own.sshd.dir}/host_ed25519.pub`,
    ])
    const certified = await startOwnSshd([
      `HostCertificate ${own.sshd.dir}/host_ed25519-cert.pub`,
      `HostKey ${own.sshd.dir}/host_ed25519`,
      `AuthorizedKeysFile ${own.sshd.dir}/authorized_keys`,
    ])
    try {
      const file = writeKnownHosts(
        join(own.dir, 'authority-hosts'),
        `@cert-authority * ${readFileSync(`${authority}.pub`, 'utf8').trim()}`,
      )
      const machine = await reach({
        port: certified.port,
        flags: { identities: [own.sshd.identity], knownHosts: file, hostKeys: 'strict' },
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
      .filter((line) => line.includes('ControlPath=') && line.includes(String(own.sshd.port)))
    expect(left).toEqual([])
  })
})
