import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createContext, systemClock } from '../../core/context.js'
import { createEvents } from '../../core/events.js'
import { type FaultServer, startFaultServer } from './fault-server.fixture.js'
import { isChannel, resolveVersion } from './resolve-version.js'

const ANSWER = JSON.stringify({
  type: 'collection',
  data: [
    { id: 'stable', type: 'channel', name: 'stable', latest: 'v1.33.5+k3s1' },
    { id: 'latest', type: 'channel', name: 'latest', latest: 'v1.34.1+k3s1' },
    { id: 'v1.33', type: 'channel', name: 'v1.33', latest: 'v1.33.6+k3s1' },
    { id: 'v1.16', type: 'channel', name: 'v1.16', latest: 'v1.16.15+k3s1' },
    { id: 'v1.40', type: 'channel', name: 'v1.40' },
  ],
})
const DAY = 86_400_000

let dir: string
let server: FaultServer
let messages: string[]
let now: number
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-channel-'))
  server = await startFaultServer()
  server.files.set('/mirror/channels', { content: Buffer.from(ANSWER) })
  messages = []
  now = Date.UTC(2026, 0, 1)
})
afterEach(async () => {
  await server.close()
  rmSync(dir, { recursive: true, force: true })
})

function resolve(text: string, from = `${server.url}/mirror/`): Promise<string> {
  const ctx = createContext({
    env: { XDG_CACHE_HOME: join(dir, 'cache') },
    clock: { ...systemClock, now: () => now },
    events: createEvents([(event) => messages.push(`${event.level} ${event.code} ${event.message}`)]),
  })
  return resolveVersion(text, { from }, ctx)
}

it.each([
  ['stable', 'v1.33.5+k3s1'],
  ['latest', 'v1.34.1+k3s1'],
  ['v1.33', 'v1.33.6+k3s1'],
  ['1.33', 'v1.33.6+k3s1'],
  ['+v1.33', 'v1.33.6+k3s1'],
])('the channel %s is the release that the server names', async (channel, release) => {
  expect(await resolve(channel)).toBe(release)
  expect(messages).toEqual([`info channel ${channel.replace(/^\+?v?1/, 'v1')} is ${release}`])
  expect(server.requests).toEqual(['/mirror/channels -'])
})

it('a release is itself, and nobody is asked', async () => {
  expect(await resolve('v1.33.1+k3s1')).toBe('v1.33.1+k3s1')
  expect(await resolve('1.33.1-k3s1')).toBe('v1.33.1+k3s1')
  expect(server.requests).toEqual([])
})

it.each([
  ['newest', 'E_USAGE', '"newest" is not the version of a k3s release'],
  ['v1', 'E_USAGE', '"v1" is not the version'],
  ['v1.39', 'E_USAGE', 'there is no channel "v1.39"'],
  ['v1.40', 'E_USAGE', 'there is no channel "v1.40"'],
  ['v1.16', 'E_UNSUPPORTED', 'k3s v1.16.15+k3s1 is not supported'],
])('%s is refused', async (text, code, message) => {
  const error = await resolve(text).catch((thrown) => thrown)
  expect(error).toMatchObject({ code, exit: 2 })
  expect(error.message).toContain(message)
  expect(error.hint).toBeTruthy()
})

describe('a server that cannot be asked', () => {
  const faults: [string, () => void, string][] = [
    [
      'answers an error',
      () => server.files.set('/mirror/channels', { content: Buffer.from(''), statuses: [503] }),
      '503',
    ],
    ['has no such file', () => server.files.delete('/mirror/channels'), '404'],
    [
      'answers something else',
      () => server.files.set('/mirror/channels', { content: Buffer.from('<html>') }),
      'JSON',
    ],
    [
      'answers no channels',
      () => server.files.set('/mirror/channels', { content: Buffer.from('{"data":[]}') }),
      'names no channel',
    ],
    [
      'cuts the connection',
      () => server.files.set('/mirror/channels', { content: Buffer.from(ANSWER), cutAfter: 20, cuts: 9 }),
      'aborted',
    ],
  ]

  it.each(faults)('since it %s is one error with what to do', async (_, breakIt, reason) => {
    breakIt()
    const error = await resolve('stable').catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'E_DOWNLOAD' })
    expect(error.message).toContain(`cannot ask ${server.url}/mirror/channels which release "stable" is: `)
    expect(error.message).toContain(reason)
    expect(error.hint).toContain('--rootfs')
  })

  it.each(faults)('since it %s is no matter where its last answer is kept', async (_, breakIt) => {
    await resolve('stable')
    breakIt()
    messages = []
    now += 3 * DAY
    expect(await resolve('stable')).toBe('v1.33.5+k3s1')
    expect(messages[0]).toMatch(/^warn channel\.cached .*"stable" is taken as it was 3 days ago$/)
    // It knows only what there was.
    await expect(resolve('v1.36')).rejects.toMatchObject({ code: 'E_DOWNLOAD' })
  })

  it('says how old its last answer is', async () => {
    await resolve('stable')
    server.files.delete('/mirror/channels')
    for (const [later, age] of [
      [60_000, '1 minute'],
      [5 * 3_600_000, '5 hours'],
      [40 * DAY, '40 days'],
    ] as const) {
      now = Date.UTC(2026, 0, 1) + later
      messages = []
      await resolve('latest')
      expect(messages[0]).toContain(`as it was ${age} ago`)
    }
  })
})

it('an answer of one server is not that of another', async () => {
  await resolve('stable')
  const other = resolve('stable', `${server.url}/other`)
  await expect(other).rejects.toMatchObject({ code: 'E_DOWNLOAD' })
})

describe('a directory', () => {
  it('may hold the answer', async () => {
    writeFileSync(join(dir, 'channels'), ANSWER)
    expect(await resolve('stable', dir)).toBe('v1.33.5+k3s1')
    expect(server.requests).toEqual([])
  })

  it.each([
    ['that does not is an error', () => {}, 'cannot read'],
    [
      'with something else is an error',
      () => writeFileSync(join(dir, 'channels'), 'stable'),
      'is not what a channel server answers',
    ],
  ])('%s', async (_, make, message) => {
    make()
    const error = await resolve('stable', dir).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'E_LOCAL_FILE' })
    expect(error.message).toContain(message)
    expect(error.hint).toBeTruthy()
  })
})

it('knows channels from releases', () => {
  for (const text of ['stable', 'latest', 'testing', 'v1.33', '1.33', '+v1.33', 'v1.33-testing'])
    expect(isChannel(text), text).toBe(true)
  for (const text of ['', 'v1.33.1+k3s1', '1', 'v2.1', 'stables', 'v1.33-rc1'])
    expect(isChannel(text), text).toBe(false)
})
