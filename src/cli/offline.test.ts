import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { type EngineServer, startEngineServer } from '../machine/docker/engine-server.fixture.js'
import { elf } from '../rootfs/archives.fixture.js'
import { type FaultServer, startFaultServer } from '../rootfs/download/fault-server.fixture.js'
import { main } from './main.js'

// --offline from the command line to the wire: the engine and the proxy are real servers, and what they are asked is counted.

let home: string
let outside: FaultServer
let engine: EngineServer
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'airlift-offline-'))
  outside = await startFaultServer()
  // All that an engine without images is asked for before anything is made; anything else fails the test below.
  engine = await startEngineServer({
    'GET /info': { Architecture: 'x86_64', OSType: 'linux', CgroupVersion: '2', ServerVersion: '29.0.1' },
    'GET /containers/json': (_request, response) => response.end('[]'),
    'GET /images/json': (_request, response) => response.end('[]'),
  })
})
afterEach(async () => {
  await outside.close()
  await engine.close()
  rmSync(home, { recursive: true, force: true })
  expect(outside.requests, 'requests to the internet').toEqual([])
  const known =
    /^GET (\/v1\.\d+)?\/(_ping|version|info|containers\/json|images\/json|images\/[^?]*\/json)(\?|$)/
  expect(engine.requests.filter((request) => !known.test(request))).toEqual([])
})

async function airlift(...argv: string[]): Promise<{ code: number; error: Record<string, unknown> }> {
  let stdout = ''
  const code = await main([...argv, '-o', 'json'], {
    env: {
      HOME: home,
      XDG_STATE_HOME: join(home, 'state'),
      XDG_CACHE_HOME: join(home, 'cache'),
      DOCKER_HOST: engine.url,
      HTTPS_PROXY: outside.url,
      HTTP_PROXY: outside.url,
    },
    stdin: { isTTY: false },
    stdout: { write: (text) => (stdout += text) },
    stderr: { write: () => true },
  })
  return { code, error: (JSON.parse(stdout) as { error: Record<string, unknown> }).error }
}

it.each([
  [['run', '--masters', '1']],
  [['plan', 'run', '--masters', '1', '--nodes', '2']],
  [['run', '--masters', '1', '--image', 'registry.lan/k3s:mine']],
  [['run', '--masters', '1', '--image', 'registry.lan/k3s:mine', '--version', 'stable', '--dry-run']],
  [['run', '--masters', '1', '--version', 'v1.33.1+k3s1']],
])('%j --offline is refused with exit 5, and only the engine was asked', async (argv) => {
  const { code, error } = await airlift(...argv, '--offline')
  expect({ code, error }).toMatchObject({ code: 5, error: { code: 'E_IMAGE_MISSING' } })
  expect(error.message).toContain('--offline')
  expect(error.hint).toContain('docker load')
  expect(engine.requests.length).toBeGreaterThan(0)
})

it.each([
  [['run', '--masters', '10.99.0.1', '--version', 'v1.33.1+k3s1']],
  [['plan', 'run', '--masters', '10.99.0.1', '--version', 'stable']],
  [['run', '--masters', '1', '--version', 'stable']],
])('%j --offline is refused with exit 5, and nobody was asked', async (argv) => {
  const { code, error } = await airlift(...argv, '--offline')
  expect({ code, error }).toMatchObject({ code: 5, error: { code: 'E_OFFLINE' } })
  expect(error.hint).toContain('--rootfs')
})

it('rootfs build --offline names what is missing, and takes files that are named', async () => {
  const output = join(home, 'k3s.airlift')
  const argv = ['rootfs', 'build', '--version', 'v1.33.1+k3s1', '--output', output, '--offline']
  const { code, error } = await airlift(...argv, '--arch', 'amd64,arm64')
  expect({ code, error }).toMatchObject({ code: 5, error: { code: 'E_OFFLINE' } })
  expect((error.data as { missing: string[] }).missing).toHaveLength(6)
  const program = join(home, 'k3s')
  writeFileSync(program, elf('amd64'))
  const more = await airlift(...argv, '--binary', program)
  expect((more.error.data as { missing: string[] }).missing.map((url) => url.split('/').at(-1))).toEqual([
    'sha256sum-amd64.txt',
    'k3s-airgap-images-amd64.tar.gz',
  ])
})
