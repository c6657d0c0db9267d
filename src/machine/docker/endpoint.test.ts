import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { EndpointCandidate } from './endpoint.js'
import { findEndpoints } from './endpoint.js'

let home = ''
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'endpoint-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

function find(
  env: Readonly<Record<string, string>> = {},
  there: readonly string[] = [],
): Promise<readonly EndpointCandidate[]> {
  return findEndpoints({ env, home, uid: 1000, exists: (path) => there.includes(path) })
}
async function urls(...args: Parameters<typeof find>): Promise<string[]> {
  return (await find(...args)).map(({ endpoint }) => endpoint.url)
}

function context(name: string, host: string | undefined, over: { skip?: boolean; pem?: boolean } = {}): void {
  const id = createHash('sha256').update(name).digest('hex')
  const meta = join(home, '.docker', 'contexts', 'meta', id)
  mkdirSync(meta, { recursive: true })
  const docker = { ...(host ? { Host: host } : {}), SkipTLSVerify: over.skip ?? false }
  writeFileSync(join(meta, 'meta.json'), JSON.stringify({ Name: name, Metadata: {}, Endpoints: { docker } }))
  if (!over.pem) return
  const tls = join(home, '.docker', 'contexts', 'tls', id, 'docker')
  mkdirSync(tls, { recursive: true })
  for (const part of ['ca', 'cert', 'key']) writeFileSync(join(tls, `${part}.pem`), `the ${part}`)
}

describe('findEndpoints', () => {
  it('looks at the usual sockets, in order, and at the default one even when it is not there', async () => {
    expect(await urls()).toEqual(['unix:///var/run/docker.sock'])
    const there = ['/run/user/1000/docker.sock', `${home}/.docker/run/docker.sock`, '/run/podman/podman.sock']
    expect(await urls({}, there)).toEqual([
      'unix:///var/run/docker.sock',
      ...there.map((path) => `unix://${path}`),
    ])
    expect(await urls({ XDG_RUNTIME_DIR: '/x' }, ['/x/podman/podman.sock'])).toContain(
      'unix:///x/podman/podman.sock',
    )
  })

  it('takes DOCKER_HOST before everything, with its defaults', async () => {
    context('remote', 'tcp://10.0.0.9:2376')
    const env = { DOCKER_CONTEXT: 'remote', DOCKER_HOST: 'tcp://10.0.0.5' }
    expect(await find(env)).toEqual([
      {
        endpoint: { url: 'tcp://10.0.0.5:2375', source: 'DOCKER_HOST', local: false, host: '10.0.0.5' },
        address: { host: '10.0.0.5', port: 2375 },
      },
    ])
    expect(await urls({ DOCKER_HOST: 'unix:///run/x.sock' })).toEqual(['unix:///run/x.sock'])
    expect((await find({ DOCKER_HOST: 'tcp://[fd00::1]:99' }))[0]).toMatchObject({
      endpoint: { url: 'tcp://[fd00::1]:99', host: 'fd00::1', local: false },
      address: { host: 'fd00::1', port: 99 },
    })
    expect((await find({ DOCKER_HOST: 'localhost:2375' }))[0]?.endpoint).toMatchObject({ local: true })
    expect((await find({ DOCKER_HOST: 'npipe:////./pipe/docker_engine' }))[0]?.address).toEqual({
      socketPath: '//./pipe/docker_engine',
    })
  })

  it('speaks TLS where DOCKER_TLS_VERIFY says so, with the files of DOCKER_CERT_PATH', async () => {
    const certs = join(home, 'certs')
    mkdirSync(certs)
    writeFileSync(join(certs, 'ca.pem'), 'ca')
    const env = { DOCKER_HOST: 'tcp://10.0.0.5', DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certs }
    expect((await find(env))[0]).toMatchObject({
      endpoint: { url: 'tcp://10.0.0.5:2376' },
      address: { port: 2376, tls: { verify: true, ca: Buffer.from('ca') } },
    })
    expect((await find({ DOCKER_HOST: 'https://10.0.0.5' }))[0]?.address).toMatchObject({
      port: 2376,
      tls: { verify: true },
    })
  })

  it('reads contexts as docker keeps them, the current one too', async () => {
    context('remote', 'tcp://engine.test:2376', { pem: true })
    context('far', 'ssh://me@far:2222/run/podman.sock')
    const expected = {
      endpoint: {
        url: 'tcp://engine.test:2376',
        source: 'context remote',
        local: false,
        host: 'engine.test',
      },
      address: {
        host: 'engine.test',
        port: 2376,
        tls: {
          verify: true,
          ca: Buffer.from('the ca'),
          cert: Buffer.from('the cert'),
          key: Buffer.from('the key'),
        },
      },
    }
    writeFileSync(join(home, '.docker', 'config.json'), JSON.stringify({ currentContext: 'remote' }))
    expect(await find()).toEqual([expected])
    expect((await find({ DOCKER_CONTEXT: 'far' }))[0]?.address).toEqual({
      ssh: { host: 'far', user: 'me', port: 2222, socketPath: '/run/podman.sock' },
    })
    expect(await urls({ DOCKER_CONTEXT: 'default' })).toEqual(['unix:///var/run/docker.sock'])
    const elsewhere = { DOCKER_CONFIG: join(home, 'other') }
    expect(await urls(elsewhere)).toEqual(['unix:///var/run/docker.sock'])
  })

  it('does not verify where the context says so', async () => {
    context('lax', 'tcp://10.0.0.5:2376', { skip: true })
    expect((await find({ DOCKER_CONTEXT: 'lax' }))[0]?.address).toMatchObject({ tls: { verify: false } })
  })

  it.each([
    [{ DOCKER_CONTEXT: 'none' }, /no docker context "none"/],
    [{ DOCKER_CONTEXT: 'empty' }, /context "empty" names no engine/],
    [{ DOCKER_HOST: 'ftp://x' }, /DOCKER_HOST names no engine .*"ftp:\/\/x": it must begin with/],
    [{ DOCKER_HOST: 'ssh://me:secret@x' }, /a password cannot be in it/],
    [{ DOCKER_HOST: 'ssh://-oProxyCommand=x' }, /must be ssh:/],
    [{ DOCKER_HOST: 'tcp://' }, /no host/],
  ])('refuses %o', async (env, message) => {
    context('empty', undefined)
    await expect(find(env as Record<string, string>)).rejects.toMatchObject({
      code: 'E_CONFIG_INVALID',
      message: expect.stringMatching(message),
      hint: expect.anything(),
    })
  })

  it('keeps a password out of the message', async () => {
    const error = await find({ DOCKER_HOST: 'ssh://me:secret@x' }).catch((cause: Error) => cause)
    expect(String(error)).not.toContain('secret')
  })

  it('says that config.json is broken', async () => {
    mkdirSync(join(home, '.docker'))
    writeFileSync(join(home, '.docker', 'config.json'), '{')
    await expect(find()).rejects.toMatchObject({ code: 'E_CONFIG_INVALID' })
  })
})
