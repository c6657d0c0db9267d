import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { connect as connectSocket } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createServer } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createContext } from '../../src/core/context.js'
import { connectEngine } from '../../src/machine/docker/connect-engine.js'
import type { Engine } from '../../src/machine/docker/engine.js'
import { labMissing } from '../lab/lab.js'
import { cleanEngine, type EngineUnderTest, prepareEngine, sleeper } from './engines.js'
import type { OwnSshd } from './own-sshd.js'
import { startOwnSshd } from './own-sshd.js'
import { root } from './own-suite.js'

let dir = ''
let under: EngineUnderTest
let name = ''

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ways-'))
  if (labMissing()) return
  under = await prepareEngine('real')
  const config = sleeper('ways')
  name = config.name
  await under.engine.createContainer(config)
  await under.engine.startContainer(name)
})
afterAll(async () => {
  if (!labMissing()) await cleanEngine(under.engine)
  rmSync(dir, { recursive: true, force: true })
})

/** What must work over every way: streams in both directions, with ends of their own. */
async function echo(engine: Engine): Promise<void> {
  const data = randomBytes(5 << 20)
  const child = await engine.exec(name, ['cat'])
  child.stderr.resume()
  child.stdin.end(data)
  const chunks: Buffer[] = []
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer)
  expect(await child.exit).toEqual({ kind: 'code', code: 0 })
  expect(Buffer.concat(chunks).equals(data)).toBe(true)
}

function connect(env: Readonly<Record<string, string>>): Promise<Engine> {
  return connectEngine(createContext({ env: { HOME: dir, PATH: process.env.PATH, ...env } }))
}

describe.skipIf(labMissing())('an engine behind TLS', () => {
  const certs = (): string => join(dir, 'certs')
  let port = 0
  const server = createServer({ allowHalfOpen: true, requestCert: true, rejectUnauthorized: true })

  beforeAll(async () => {
    mkdirSync(certs())
    const openssl = (...args: string[]): Buffer =>
      execFileSync('openssl', args, { cwd: certs(), stdio: ['ignore', 'pipe', 'ignore'] })
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      'ca-key.pem',
      '-out',
      'ca.pem',
      '-subj',
      '/CN=ca',
      '-days',
      '2',
    )
    writeFileSync(join(certs(), 'san'), 'subjectAltName=IP:127.0.0.1\n')
    for (const who of ['server', 'client']) {
      const [request, own] = [`${who}.csr`, who === 'client' ? 'key.pem' : 'server-key.pem']
      openssl('req', ...key, '-keyout', own, '-out', request, '-subj', `/CN=${who}`)
      const out = who === 'client' ? 'cert.pem' : 'server.pem'
      const ca = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial']
      openssl('x509', '-req', '-in', request, ...ca, '-out', out, '-days', '2', '-extfile', 'san')
    }
    const read = (file: string): Buffer => readFileSync(join(certs(), file))
    server.setSecureContext({ cert: read('server.pem'), key: read('server-key.pem'), ca: read('ca.pem') })
    server.on('secureConnection', (socket) => {
      const engine = connectSocket({
        path: under.engine.endpoint.url.slice('unix://'.length),
        allowHalfOpen: true,
      })
      socket.pipe(engine).pipe(socket)
      for (const [one, other] of [
        [socket, engine],
        [engine, socket],
      ] as const) {
        one.on('error', () => other.destroy())
      }
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    port = (server.address() as AddressInfo).port
  })
  afterAll(() => {
    server.close()
  })

  it('is reached with the certificates of DOCKER_CERT_PATH', async () => {
    const env = { DOCKER_HOST: `tcp://127.0.0.1:${port}`, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: certs() }
    const engine = await connect(env)
    expect(engine.endpoint).toMatchObject({ local: true, host: '127.0.0.1', source: 'DOCKER_HOST' })
    await echo(engine)
    await engine.close()
  })

  it('is not trusted without its CA, and does not let us in without a certificate', async () => {
    const bare = join(dir, 'bare')
    mkdirSync(bare)
    const env = { DOCKER_HOST: `tcp://127.0.0.1:${port}`, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: bare }
    await expect(connect(env)).rejects.toMatchObject({
      code: 'E_ENGINE_UNREACHABLE',
      message: expect.stringMatching(/certificate/i),
    })
    writeFileSync(join(bare, 'ca.pem'), readFileSync(join(certs(), 'ca.pem')))
    await expect(connect(env)).rejects.toMatchObject({ code: 'E_ENGINE_UNREACHABLE' })
    await expect(connect({ DOCKER_HOST: `tcp://127.0.0.1:${port}` })).rejects.toMatchObject({
      code: 'E_ENGINE_UNREACHABLE',
    })
  })
})

describe.skipIf(labMissing() || !root)('an engine behind SSH', () => {
  let sshd: OwnSshd
  let env: Record<string, string> = {}

  beforeAll(async () => {
    sshd = await startOwnSshd()
    // ssh of OpenSSH reads the configuration of the user of the process, wherever HOME is: hence a wrapper.
    const bin = join(dir, 'bin')
    mkdirSync(bin)
    const real = execFileSync('sh', ['-c', 'command -v ssh'], { encoding: 'utf8' }).trim()
    const options = `-F none -i ${sshd.identity} -o UserKnownHostsFile=${dir}/known -o StrictHostKeyChecking=accept-new`
    writeFileSync(join(bin, 'ssh'), `#!/bin/sh\nexec ${real} ${options} "$@"\n`)
    chmodSync(join(bin, 'ssh'), 0o755)
    env = {
      PATH: `${bin}${delimiter}${process.env.PATH}`,
      DOCKER_HOST: `ssh://root@127.0.0.1:${sshd.port}`,
    }
  })
  afterAll(() => sshd.stop())

  const count = async (pattern: RegExp): Promise<number> => ((await sshd.log()).match(pattern) ?? []).length

  it('is reached over one connection, with one session for calls that follow each other', async () => {
    const [logins, sessions] = [await count(/Accepted publickey/g), await count(/Starting session/g)]
    const engine = await connect(env)
    expect(engine.endpoint).toMatchObject({ local: false, host: '127.0.0.1' })
    for (let i = 0; i < 5; i++) expect((await engine.container(name))?.state).toBe('running')
    expect((await count(/Starting session/g)) - sessions).toBe(1)
    await echo(engine)
    // More at once than one connection of sshd has sessions for.
    await Promise.all(Array.from({ length: 7 }, () => echo(engine)))
    expect((await count(/Accepted publickey/g)) - logins).toBe(1)
    await engine.close()
  })

  it('works with more commands at once than sshd gives sessions to one connection', async () => {
    const engine = await connect(env)
    const children = await Promise.all(Array.from({ length: 12 }, () => engine.exec(name, ['cat'])))
    const codes = await Promise.all(
      children.map((child) => {
        child.stdout.resume()
        child.stderr.resume()
        child.stdin.end('x')
        return child.exit
      }),
    )
    expect(codes).toEqual(children.map(() => ({ kind: 'code', code: 0 })))
    await engine.close()
  })

  it('says why it is not reached', async () => {
    await expect(connect({ ...env, DOCKER_HOST: 'ssh://root@127.0.0.1:1' })).rejects.toMatchObject({
      code: 'E_ENGINE_UNREACHABLE',
      message: expect.stringMatching(/Connection refused/i),
      hint: expect.stringContaining('docker version'),
    })
    const wrong = { ...env, DOCKER_HOST: `ssh://root@127.0.0.1:${sshd.port}/nonexistent.sock` }
    await expect(connect(wrong)).rejects.toMatchObject({
      code: 'E_ENGINE_UNREACHABLE',
      message: expect.stringMatching(/nonexistent\.sock/),
    })
  })

  it('leaves no process and no file behind', async () => {
    const engine = await connect(env)
    await engine.close()
    const left = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' })
      .split('\n')
      .filter((line) => line.includes(sshd.identity) && !line.includes('grep'))
    expect(left).toEqual([])
  })
})
