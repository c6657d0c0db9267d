import { EventEmitter } from 'node:events'
import type { Client } from 'ssh2'
import { describe, expect, it, vi } from 'vitest'
import { createContext } from '../../core/context.js'
import { AirliftError } from '../../core/errors.js'
import { createBastionPool } from './bastions.js'
import { createDialer } from './hops.js'
import type { JumpHop, ResolvedHost } from './resolved-host.js'
import { withRetries } from './retries.js'

function host(name: string, jump: readonly string[] = []): ResolvedHost {
  const proxyJump: readonly JumpHop[] = jump.map((each) => ({ host: each }))
  return { alias: name, hostName: name, user: 'root', port: 22, proxyJump } as unknown as ResolvedHost
}

function way(config: Record<string, readonly string[]>, from: string) {
  const dialer = createDialer({
    shared: { ctx: createContext() } as never,
    handshakes: ((run: () => unknown) => run()) as never,
    resolveHop: async (hop) => host(hop.host, config[hop.host] ?? []),
  })
  return dialer.hops(host(from, config[from] ?? []))
}
const names = async (hosts: Promise<readonly ResolvedHost[]>): Promise<string[]> =>
  (await hosts).map((each) => each.alias)

describe('the way to a host', () => {
  it('is empty without ProxyJump', async () => {
    expect(await names(way({}, 'web1'))).toEqual([])
  })

  it('goes through the list from its end, then through what the first hop itself needs', async () => {
    expect(await names(way({ web1: ['a', 'b'], a: ['outer'] }, 'web1'))).toEqual(['b', 'a', 'outer'])
  })

  it('does not go through a bastion to that same bastion', async () => {
    expect(await names(way({ web1: ['bastion'], bastion: ['bastion'] }, 'web1'))).toEqual(['bastion'])
  })

  it('refuses a loop', async () => {
    await expect(way({ web1: ['a'], a: ['b'], b: ['a'] }, 'web1')).rejects.toMatchObject({
      code: 'E_SSH_CONFIG',
      message: expect.stringContaining('ssh://root@a:22 behind ssh://root@b:22'),
    })
  })
})

describe('createBastionPool', () => {
  const fake = () =>
    Object.assign(new EventEmitter(), { end: vi.fn() }) as unknown as Client & {
      end: ReturnType<typeof vi.fn>
    }

  it('dials once, and closes with the last user', async () => {
    const pool = createBastionPool()
    const client = fake()
    const dial = vi.fn(async () => client)
    const [one, two] = await Promise.all([pool.use('b', dial), pool.use('b', dial)])
    expect(dial).toHaveBeenCalledTimes(1)
    one?.release()
    one?.release()
    expect(client.end).not.toHaveBeenCalled()
    two?.release()
    expect(client.end).toHaveBeenCalledTimes(1)
  })

  it('dials anew after a loss and after a failure', async () => {
    const pool = createBastionPool()
    const lost = fake()
    await pool.use('b', async () => lost)
    lost.emit('close')
    const next = fake()
    expect((await pool.use('b', async () => next)).client).toBe(next)
    await expect(pool.use('c', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    expect((await pool.use('c', async () => next)).client).toBe(next)
  })
})

describe('withRetries', () => {
  const ctx = createContext({ clock: { now: () => 0, sleep: async () => {} } })
  const failing = (code: 'E_SSH_UNREACHABLE' | 'E_SSH_AUTH', reason: string) =>
    vi.fn(() => Promise.reject(new AirliftError(code, 'x', { data: { code: reason } })))

  it.each(['ECONNREFUSED', 'EHOSTUNREACH', 'ECONNRESET'])('tries three times for %s', async (reason) => {
    const attempt = failing('E_SSH_UNREACHABLE', reason)
    await expect(withRetries(ctx, attempt)).rejects.toMatchObject({ code: 'E_SSH_UNREACHABLE' })
    expect(attempt).toHaveBeenCalledTimes(3)
  })

  it.each([
    ['E_SSH_AUTH', 'ECONNREFUSED'],
    ['E_SSH_UNREACHABLE', 'ENOTFOUND'],
    ['E_SSH_UNREACHABLE', 'ETIMEDOUT'],
  ] as const)('tries once for %s %s', async (code, reason) => {
    const attempt = failing(code, reason)
    await expect(withRetries(ctx, attempt)).rejects.toMatchObject({ code })
    expect(attempt).toHaveBeenCalledTimes(1)
  })

  it('gives the first result that works', async () => {
    const attempt = failing('E_SSH_UNREACHABLE', 'ECONNREFUSED')
    expect(
      await withRetries(ctx, () => (attempt.mock.calls.length === 0 ? attempt() : Promise.resolve(7))),
    ).toBe(7)
  })
})
