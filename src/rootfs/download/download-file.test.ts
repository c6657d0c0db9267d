import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createContext } from '../../core/context.js'
import { createEvents } from '../../core/events.js'
import { sha256 } from '../digest.js'
import { downloadFile } from './download-file.js'
import { type FaultServer, type ServedFile, startFaultServer } from './fault-server.fixture.js'

const CONTENT = randomBytes(400_000)
const SUM = sha256(CONTENT)

let dir: string
let server: FaultServer
let target: string
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-download-'))
  target = join(dir, 'cache/k3s')
  server = await startFaultServer()
})
afterEach(async () => {
  await server.close()
  rmSync(dir, { recursive: true, force: true })
})

const codes: string[] = []
const ctx = createContext({
  env: {},
  clock: { now: () => Date.now(), sleep: (ms, signal) => sleep(Math.min(ms, 10), undefined, { signal }) },
  events: createEvents([(event) => codes.push(event.code)]),
})
const serve = (file: Partial<ServedFile> = {}): ServedFile => {
  const served = { content: CONTENT, etag: '"1"', ...file }
  server.files.set('/k3s', served)
  return served
}
const get = (extra: { idleMs?: number; sha256?: string } = {}, context = ctx): Promise<string> =>
  downloadFile({ url: new URL(`${server.url}/k3s`), target, sha256: SUM, ...extra }, context)
const left = (): string[] => readdirSync(join(dir, 'cache'))

describe('downloadFile', () => {
  it('brings a file once, and asks nobody when it is there', async () => {
    serve()
    await get()
    await get()
    expect(readFileSync(target).equals(CONTENT)).toBe(true)
    expect(server.requests).toEqual(['/k3s -'])
    expect(left()).toEqual(['k3s'])
  })

  it('brings it anew when the cached file is no longer right', async () => {
    serve()
    await get()
    writeFileSync(target, 'rotten')
    await get()
    expect(readFileSync(target).equals(CONTENT)).toBe(true)
  })

  it('goes on where the connection broke, as often as it breaks', async () => {
    serve({ cutAfter: 30_000, cuts: 8 })
    await get()
    expect(readFileSync(target).equals(CONTENT)).toBe(true)
    expect(server.requests).toHaveLength(9)
    expect(server.requests.at(-1)).toMatch(/bytes=[1-9]\d*-/)
  })

  it('goes on when nothing arrives any more', async () => {
    const file = serve({ stallAfter: 50_000 })
    const download = get({ idleMs: 150 })
    await sleep(100)
    delete file.stallAfter
    await download
    expect(server.requests[1]).toBe('/k3s bytes=50000-')
  })

  it('begins anew where the server has no ranges', async () => {
    serve({ noRange: true, cutAfter: 30_000, cuts: 1 })
    await get()
    expect(readFileSync(target).equals(CONTENT)).toBe(true)
  })

  it('begins anew where the file has changed in between', async () => {
    const old = randomBytes(400_000)
    const file = serve({ content: old, cutAfter: 30_000, cuts: 1 })
    const changed = setTimeout(() => Object.assign(file, { content: CONTENT, etag: '"2"' }), 10)
    await get()
    clearTimeout(changed)
    expect(readFileSync(target).equals(CONTENT)).toBe(true)
  })

  it('never continues without a validator', async () => {
    const file = serve({ cutAfter: 30_000, cuts: 1 })
    delete file.etag
    await get()
    expect(server.requests).toEqual(['/k3s -', '/k3s -'])
  })

  it('is resumed after kill -9, and takes over the lock of the dead', async () => {
    const file = serve({ stallAfter: 120_000 })
    const script = `
      const { downloadFile } = await import(${JSON.stringify(new URL('./download-file.ts', import.meta.url).href)})
      const { createContext } = await import(${JSON.stringify(new URL('../../core/context.ts', import.meta.url).href)})
      await downloadFile({ url: new URL(${JSON.stringify(`${server.url}/k3s`)}), target: ${JSON.stringify(target)}, sha256: '${SUM}' }, createContext({ env: {} }))`
    writeFileSync(join(dir, 'get.mts'), script)
    const tsx = new URL('../../../node_modules/tsx/dist/loader.mjs', import.meta.url).href
    const child = spawn(process.execPath, ['--import', tsx, join(dir, 'get.mts')], { stdio: 'ignore' })
    await expect
      .poll(() => (existsSync(`${target}.part`) ? statSync(`${target}.part`).size : 0), { timeout: 15_000 })
      .toBe(120_000)
    child.kill('SIGKILL')
    await new Promise((resolve) => child.on('close', resolve))
    expect(left().sort()).toEqual(['k3s.lock', 'k3s.part', 'k3s.part.json'])
    delete file.stallAfter
    await get()
    expect(readFileSync(target).equals(CONTENT)).toBe(true)
    expect(server.requests.at(-1)).toBe('/k3s bytes=120000-')
    expect(left()).toEqual(['k3s'])
  }, 30_000)

  it('is done once by two at a time', async () => {
    serve()
    await Promise.all([get(), get(), get()])
    expect(server.requests).toEqual(['/k3s -'])
    expect(codes).toContain('download.wait')
  })

  it('follows redirects and waits out errors of the server', async () => {
    serve({ statuses: [503, 429] })
    server.files.set('/old', { content: Buffer.alloc(0), redirect: '/k3s' })
    await downloadFile({ url: new URL(`${server.url}/old`), target, sha256: SUM }, ctx)
    expect(server.requests.filter((line) => line.startsWith('/k3s'))).toHaveLength(3)
  })

  it('goes through a proxy, except where NO_PROXY says otherwise', async () => {
    serve()
    const url = new URL('http://release.invalid/k3s')
    const proxied = createContext({ env: { http_proxy: server.url } })
    await downloadFile({ url, target, sha256: SUM }, proxied)
    expect(server.requests).toEqual(['http://release.invalid/k3s -'])
    // A login goes in a header: the line of a request is what proxies log.
    const login = new URL('http://bob:s3cr3t@release.invalid/k3s')
    await downloadFile({ url: login, target: join(dir, 'login'), sha256: SUM }, proxied)
    expect(server.requests[1]).toBe('http://release.invalid/k3s -')
    expect(server.logins).toEqual(['Basic Ym9iOnMzY3IzdA=='])
    const direct = createContext({ env: { http_proxy: server.url, no_proxy: '.invalid' } })
    const request = { url, target: join(dir, 'x'), sha256: SUM, pausesMs: [] }
    await expect(downloadFile(request, direct)).rejects.toMatchObject({ code: 'E_DOWNLOAD' })
  })

  it('refuses a file with another sum after a second try, and keeps nothing of it', async () => {
    serve({ content: Buffer.from('tampered') })
    await expect(get()).rejects.toMatchObject({
      code: 'E_DOWNLOAD',
      message: expect.stringMatching(new RegExp(`${sha256('tampered')}, and ${SUM} was published`)),
    })
    expect(server.requests).toHaveLength(2)
    expect(left()).toEqual([])
  })

  it('tells of a file that is not there at once, with its URL', async () => {
    await expect(get()).rejects.toMatchObject({
      code: 'E_DOWNLOAD',
      message: `cannot download ${server.url}/k3s: the server answered 404`,
      hint: expect.stringContaining('--from'),
    })
    expect(server.requests).toHaveLength(1)
  })

  it('gives up when a server never gets further', async () => {
    serve({ cutAfter: 0, cuts: 99 })
    await expect(get()).rejects.toMatchObject({ code: 'E_DOWNLOAD' })
    expect(server.requests).toHaveLength(5)
  })

  it('stops at once when it is interrupted, and keeps what it has', async () => {
    serve({ stallAfter: 50_000 })
    const controller = new AbortController()
    const download = get({}, createContext({ env: {}, signal: controller.signal }))
    setTimeout(() => controller.abort(new Error('interrupted')), 150)
    await expect(download).rejects.toThrow('interrupted')
    expect(left().sort()).toEqual(['k3s.part', 'k3s.part.json'])
  })
})
