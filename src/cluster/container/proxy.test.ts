import { describe, expect, it } from 'vitest'
import type { LocalFacts, SpecIo } from '../spec-io.js'
import { nodeEnvironment, readProxy } from './proxy.js'

const read = async (env: LocalFacts['env'], files: Record<string, string> = {}) => {
  const warnings: string[] = []
  const io: Pick<SpecIo, 'readFile' | 'local'> = {
    readFile: async (path) => {
      const text = files[path]
      if (text === undefined) throw new Error('gone')
      return Buffer.from(text)
    },
    local: {
      env,
      absolutePath: (path) => path,
      pathKind: async () => undefined,
      lookup: async () => undefined,
      engineIsLocal: async () => true,
    },
  }
  return { proxy: await readProxy(io, ['10.42.0.0/16', 'airlift-dev-lb'], warnings), warnings }
}
const ALWAYS = [
  'localhost',
  '127.0.0.1',
  '::1',
  '.svc',
  '.cluster.local',
  'host.airlift.internal',
  '10.42.0.0/16',
  'airlift-dev-lb',
]
const docker = JSON.stringify({
  proxies: {
    default: { httpProxy: 'http://d:1', httpsProxy: 'http://d:2', noProxy: 'd.lan' },
    'tcp://far:2376': { httpProxy: 'http://far:1' },
  },
})

describe('readProxy', () => {
  it('takes the environment, in either case', async () => {
    expect(
      (await read({ HTTP_PROXY: 'http://p:1', https_proxy: 'http://p:2', no_proxy: 'a.lan, .b.lan' })).proxy,
    ).toEqual({
      http: 'http://p:1',
      https: 'http://p:2',
      except: ['a.lan', '.b.lan', ...ALWAYS],
    })
  })

  it("fills up from docker's configuration, which may be elsewhere and may be for one engine", async () => {
    const files = { '/home/me/.docker/config.json': docker, '/etc/d/config.json': docker }
    const home = { HOME: '/home/me' }
    expect((await read(home, files)).proxy).toMatchObject({
      http: 'http://d:1',
      https: 'http://d:2',
      except: ['d.lan', ...ALWAYS],
    })
    expect((await read({ ...home, HTTP_PROXY: 'http://p:1' }, files)).proxy).toMatchObject({
      http: 'http://p:1',
      https: 'http://d:2',
    })
    expect((await read({ DOCKER_CONFIG: '/etc/d', DOCKER_HOST: 'tcp://far:2376' }, files)).proxy).toEqual({
      http: 'http://far:1',
      except: ALWAYS,
    })
  })

  it('is none without any, and with a file that cannot be used', async () => {
    expect(await read({})).toEqual({ proxy: { except: ALWAYS }, warnings: [] })
    expect((await read({ HTTP_PROXY: '' })).proxy).toEqual({ except: ALWAYS })
    const broken = await read({ HOME: '/h' }, { '/h/.docker/config.json': '{' })
    expect(broken).toEqual({
      proxy: { except: ALWAYS },
      warnings: ['/h/.docker/config.json is not JSON; its proxies are not used'],
    })
    for (const text of ['null', '[]', '{"proxies":7}', '{"proxies":{"default":{"httpProxy":7}}}']) {
      expect(await read({ HOME: '/h' }, { '/h/.docker/config.json': text })).toEqual({
        proxy: { except: ALWAYS },
        warnings: [],
      })
    }
  })

  it.each(['http://127.0.0.1:3128', 'localhost:3128', 'http://me:geheim@[::1]:3128'])(
    'leaves out %s, which containers do not reach, and says so',
    async (address) => {
      const { proxy, warnings } = await read({ HTTP_PROXY: address, HTTPS_PROXY: 'http://p:2' })
      expect(proxy).toMatchObject({ https: 'http://p:2' })
      expect(proxy).not.toHaveProperty('http')
      expect(warnings).toEqual([
        'HTTP_PROXY is a proxy on this computer, which containers do not reach; they get none',
      ])
    },
  )
})

describe('nodeEnvironment', () => {
  const proxy = { http: 'http://p:1', https: 'http://p:2', except: ['localhost', '10.42.0.0/16'] }
  it('gives the proxy in both cases, and keeps the subnet out of it', () => {
    expect(nodeEnvironment({ A: 'b' }, proxy, ['172.28.0.0/16', 'localhost'])).toEqual({
      A: 'b',
      HTTP_PROXY: 'http://p:1',
      http_proxy: 'http://p:1',
      HTTPS_PROXY: 'http://p:2',
      https_proxy: 'http://p:2',
      NO_PROXY: 'localhost,10.42.0.0/16,172.28.0.0/16',
      no_proxy: 'localhost,10.42.0.0/16,172.28.0.0/16',
    })
  })

  it('lets the user win, in either case, and extends the exceptions of the user', () => {
    expect(nodeEnvironment({ http_proxy: 'http://u:1', HTTPS_PROXY: '', NO_PROXY: 'u.lan' }, proxy)).toEqual({
      HTTP_PROXY: 'http://u:1',
      http_proxy: 'http://u:1',
      HTTPS_PROXY: '',
      https_proxy: '',
      NO_PROXY: 'u.lan,localhost,10.42.0.0/16',
      no_proxy: 'u.lan,localhost,10.42.0.0/16',
    })
    expect(nodeEnvironment({ HTTPS_PROXY: 'http://u:1' }, { except: ['localhost'] })).toMatchObject({
      no_proxy: 'localhost',
    })
  })

  it('adds nothing without a proxy', () => {
    expect(nodeEnvironment({ A: 'b' }, { except: ['localhost'] }, ['172.28.0.0/16'])).toEqual({ A: 'b' })
    expect(nodeEnvironment({ A: 'b' }, undefined)).toEqual({ A: 'b' })
    expect(nodeEnvironment({ HTTP_PROXY: '', HTTPS_PROXY: '' }, proxy)).not.toHaveProperty('NO_PROXY')
  })
})
