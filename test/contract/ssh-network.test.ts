import { writeFileSync } from 'node:fs'
import { createServer, connect as dial, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { defaultLimits } from '../../src/core/context.js'
import { connectAll, createConnector } from '../../src/machine/connect.js'
import { createSecretSource } from '../../src/machine/ssh/secret-source.js'
import { kinds, ownSuite, root } from './own-suite.js'
import { plainFlags, reachOwn, testContext } from './reach.js'

const own = ownSuite()

/** Listens on a free port, at all addresses of this computer. */
async function listen(onConnection: (socket: Socket) => void): Promise<{ port: number; server: Server }> {
  const server = createServer(onConnection)
  await new Promise<void>((resolve) => server.listen(0, resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { port: address.port, server }
}

describe.runIf(root).each(kinds)('a network that goes silent, over %s', (transport) => {
  it('is noticed by keepalives: the script does not hang for ever', async () => {
    const open: Socket[] = []
    const { port, server } = await listen((socket) => {
      const behind = dial(own.sshd.port, '127.0.0.1')
      for (const each of [socket, behind]) each.on('error', () => {}).setNoDelay(true)
      socket.pipe(behind)
      behind.pipe(socket)
      open.push(socket, behind)
    })
    const configFile = join(own.dir, `silent-${transport}`)
    writeFileSync(configFile, 'ServerAliveInterval 1\nServerAliveCountMax 2\n')
    const flags = { configFile, transport, hostKeys: 'off' } as const
    const machine = await reachOwn({ ...own.sshd, port }, { flags })
    try {
      expect((await machine.run('echo works')).stdout).toBe('works\n')
      const hanging = machine.run('sleep 60')
      await sleep(500)
      // Both ends stay open and nothing passes any more, as with a cable that is pulled.
      for (const socket of open) socket.unpipe().pause()
      const began = Date.now()
      await expect(hanging).rejects.toMatchObject({ code: 'E_SSH_LOST' })
      expect(Date.now() - began).toBeLessThan(15_000)
    } finally {
      for (const socket of open) socket.destroy()
      server.close()
      await machine.close()
    }
  })
})

describe.runIf(root)('many hosts at the same moment', () => {
  /** Hosts that begin no handshake: how many wait for theirs at once. */
  async function mostAtOnce(hosts: number, jump?: string): Promise<number> {
    let waiting = 0
    let most = 0
    const { port, server } = await listen((socket) => {
      most = Math.max(most, ++waiting)
      socket.on('error', () => {})
      setTimeout(() => {
        waiting--
        socket.destroy()
      }, 300)
    })
    const flags = plainFlags({
      identities: [own.sshd.identity],
      knownHosts: join(own.dir, 'many-hosts'),
      ...(jump === undefined ? {} : { jump }),
    })
    const connector = createConnector(
      flags,
      testContext({}),
      createSecretSource({}, async () => undefined),
    )
    const targets = Array.from(
      { length: hosts },
      (_, i) => ({ kind: 'ssh', text: `web${i}`, host: `127.0.1.${i + 1}`, user: 'root', port }) as const,
    )
    const all = await connectAll(targets, connector)
    expect(all.every(({ result }) => result instanceof Error)).toBe(true)
    await connector.close()
    server.close()
    return most
  }

  it('are reached a few at a time', async () => {
    expect(await mostAtOnce(60)).toBe(defaultLimits.handshakes)
  })

  it('are reached eight at a time through one bastion, whose sshd would drop more', async () => {
    expect(defaultLimits.handshakesPerBastion).toBe(8)
    expect(await mostAtOnce(24, `root@127.0.0.1:${own.sshd.port}`)).toBe(8)
  })
})
