import { writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { AirliftEvent } from '../../src/core/events.js'
import { freePort } from './own-sshd.js'
import { kinds, ownSuite, root } from './own-suite.js'
import { reach } from './reach.js'

const own = ownSuite()

describe.runIf(root).each(kinds)('a host that cannot be reached over %s', (transport) => {
  const flags = { transport, hostKeys: 'off', identities: [] } as const

  it('says that the connection is refused', async () => {
    const port = await freePort()
    await expect(reach({ port, flags })).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      message: `connection to 127.0.0.1:${port} refused`,
      hint: expect.stringContaining('start sshd'),
      data: { id: expect.stringMatching(new RegExp(`^ssh://\\w+@127\\.0\\.0\\.1:${port}$`)) },
    })
  })

  it('says that the name has no address', async () => {
    await expect(reach({ host: 'no-such-host.invalid', flags })).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      message: expect.stringContaining('no address for "no-such-host.invalid"'),
    })
  })

  it('says that nobody answers within the time', async () => {
    const config = join(own.dir, `timeout-${transport}`)
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

describe.runIf(root)('a bastion', () => {
  const write = (text: string): string => {
    const file = join(own.dir, `bastion-${Math.random().toString(36).slice(2)}`)
    writeFileSync(
      file,
      `${text}\nHost *\n  UserKnownHostsFile ${own.dir}/bastion-hosts\n  IdentityFile ${own.sshd.identity}\n  ConnectTimeout 2\n`,
    )
    return file
  }

  it('that only OpenSSH can reach makes OpenSSH reach the host', async () => {
    const proxy = `${process.execPath} -e "const s=require('net').connect(%p,'%h');process.stdin.pipe(s);s.pipe(process.stdout)"`
    const events: AirliftEvent[] = []
    const configFile = write(
      `Host gate\n  HostName 127.0.0.1\n  Port ${own.sshd.port}\n  User root\n  ProxyCommand ${proxy}`,
    )
    const machine = await reach({
      host: 'localhost',
      port: own.sshd.port,
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
    const configFile = write(`Host gate\n  HostName 127.0.0.1\n  Port ${own.sshd.port}\n  User root`)
    const port = await freePort()
    await expect(
      reach({ port, flags: { configFile, jump: 'gate', transport: 'ssh' } }),
    ).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      machine: 'web1',
      message: expect.stringContaining(
        `the bastion root@127.0.0.1:${own.sshd.port} cannot reach 127.0.0.1:${port}`,
      ),
    })
  })

  it('that refuses us is named, for each host behind it', async () => {
    const closed = await freePort()
    const error = reach({
      port: own.sshd.port,
      flags: { configFile: write('# none'), jump: `root@localhost:${closed}`, transport: 'ssh' },
    })
    await expect(error).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      machine: 'web1',
      message: expect.stringContaining(`localhost: connection to localhost:${closed} refused`),
    })
  })
})
