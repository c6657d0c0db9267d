import { describe, expect, it } from 'vitest'
import type { LocalFacts } from '../spec-io.js'
import { parseFile } from './files.js'
import { containerPath } from './paths.js'
import { ownVolume, parseVolume } from './volumes.js'

describe('containerPath', () => {
  it.each([
    ['/data', '/data'],
    ['//data///x/', '/data/x'],
    ['/data/../x/./y', '/x/y'],
    ['k3s-storage', '/var/lib/rancher/k3s/storage'],
    ['k3s-manifests/app.yaml', '/var/lib/rancher/k3s/server/manifests/app.yaml'],
    ['k3s-manifests-custom', '/var/lib/rancher/k3s/server/manifests/custom'],
    ['k3s-containerd', '/var/lib/rancher/k3s/agent/etc/containerd/config.toml'],
    ['k3s-containerd-tmpl', '/var/lib/rancher/k3s/agent/etc/containerd/config.toml.tmpl'],
    ['k3s-registry-config', '/etc/rancher/k3s/registries.yaml'],
    ['/var/lib/rancher', '/var/lib/rancher'],
    ['/procedure', '/procedure'],
  ])('reads %s', (text, path) => expect(containerPath(text)).toEqual({ path }))

  it.each([
    ['data', '"data" is not an absolute path in the container'],
    ['', '"" is not an absolute path'],
    ['k3s-other', 'is not an absolute path'],
    ['toString', 'is not an absolute path'],
    ['/', '"/" is airlift\'s own path'],
    ['/x/..', '"/" is airlift\'s own path'],
    ['/proc', '"/proc" is airlift\'s own path'],
    ['/proc/sys/net', "is airlift's own path"],
    ['/var/lib/rancher/k3s/', '"/var/lib/rancher/k3s" is airlift\'s own path'],
    ['/var/lib/kubelet', "is airlift's own path"],
    ['/var/lib/airlift/images/x.tar', "is airlift's own path"],
    ['/etc/rancher/k3s/config.yaml', "is airlift's own path"],
  ])('refuses %s', (text, message) => {
    expect(containerPath(text)).toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.any(String),
    })
  })
})

const here: LocalFacts = {
  env: {},
  absolutePath: (path) => path.replace(/^\.\//, '/srv/here/').replace(/^~\//, '/home/me/'),
  pathKind: async (path) => (path.includes('gone') ? undefined : 'directory'),
  lookup: async () => undefined,
  engineIsLocal: async () => true,
}

describe('parseVolume', () => {
  const bind = (source: string, target: string, more = {}) => ({
    mount: { source, kind: 'bind', target, readOnly: false, options: [], ...more },
  })
  const volume = (source: string, target: string, more = {}) => ({
    mount: { source, kind: 'volume', target, readOnly: false, options: [], ...more },
  })
  it.each([
    ['/srv:/data', bind('/srv', '/data')],
    ['./src:/src', bind('/srv/here/src', '/src')],
    ['~/src:/src', bind('/home/me/src', '/src')],
    ['/srv:/data:ro', bind('/srv', '/data', { readOnly: true })],
    ['/srv:/data:rw,rshared', bind('/srv', '/data', { options: ['rshared'] })],
    ['/srv:/data:Z,ro', bind('/srv', '/data', { readOnly: true })],
    ['cache:/cache', volume('cache', '/cache')],
    ['airlift-dev-shared:/x', volume('airlift-dev-shared', '/x')],
    ['/data', volume('', '/data')],
    [
      'cache:k3s-storage@agents[0,2-3]',
      { ...volume('cache', '/var/lib/rancher/k3s/storage'), filter: 'agents[0,2-3]' },
    ],
    ['/srv/a\\@b:/data@all', { ...bind('/srv/a@b', '/data'), filter: 'all' }],
  ])('reads %s', async (text, expected) => expect(await parseVolume(text, 'dev', here)).toEqual(expected))

  it.each([
    ['', '"" is not a volume'],
    [':/data', '":/data" is not a volume'],
    ['/srv:', '"/srv:" is not a volume'],
    ['/a:/b:ro:x', '"/a:/b:ro:x" is not a volume'],
    ['/srv:data', '"data" is not an absolute path in the container'],
    ['/data:ro', 'give the source of "/data" too'],
    ['/srv:/data:readonly', '"readonly" is not an option of a volume'],
    ['/srv:/data:nocopy', '"nocopy" is not an option of a volume'],
    ['/srv:/data:ro,rw', 'is both ro and rw'],
    ['/srv:/data:shared,rslave', 'is both shared and rslave'],
    ['cache:/data:rshared', '"rshared" is for paths, and "cache" is a volume'],
    ['/data:ro,z', 'give the source of "/data" too'],
    ['src/app:/data', '"src/app" is neither a path nor the name of a volume'],
    ['C:/data', '"C" is neither a path nor the name of a volume'],
    ['/srv:/var/lib/rancher/k3s', '"/var/lib/rancher/k3s" is airlift\'s own path'],
    ['airlift-dev-master-0:/x', 'the volume "airlift-dev-master-0" is airlift\'s own'],
    ['airlift-dev-worker-12-kubelet:/x', "is airlift's own"],
    ['airlift-dev-images:/x', "is airlift's own"],
  ])('refuses %s', async (text, message) => {
    const refused = await parseVolume(text, 'dev', here)
    expect(refused).toMatchObject({ message: expect.stringContaining(message), hint: expect.any(String) })
  })

  it('refuses a path that does not exist', async () => {
    expect(await parseVolume('./gone:/data', 'dev', here)).toEqual({
      code: 'E_LOCAL_FILE',
      message: 'there is no "/srv/here/gone" to mount',
      hint: 'make it first, or name a volume, which is made as it is needed',
    })
  })

  it('does not look for paths of an engine elsewhere', async () => {
    const away = { ...here, engineIsLocal: async () => false }
    expect(await parseVolume('/gone:/data', 'dev', away)).toEqual(bind('/gone', '/data'))
    expect(await parseVolume('./src:/data', 'dev', away)).toMatchObject({
      message: '"./src" is on the engine\'s computer, which is another one',
    })
  })

  it('gives each container a volume of its own where no source is named', () => {
    const mount = {
      source: '',
      kind: 'volume' as const,
      target: '/data/my app',
      readOnly: false,
      options: [],
    }
    expect(ownVolume(mount, 'airlift-dev-worker-1').source).toBe('airlift-dev-worker-1-mount-data-my-app')
    expect(ownVolume({ ...mount, source: 'cache' }, 'x').source).toBe('cache')
  })
})

describe('parseFile', () => {
  const io = {
    readFile: async (path: string) => {
      if (path === 'dir') throw Object.assign(new Error('x'), { code: 'EISDIR' })
      if (path === 'gone') throw Object.assign(new Error('x'), { code: 'ENOENT' })
      return path === 'large' ? Buffer.alloc(16 * 1024 ** 2 + 1) : Buffer.from(path)
    },
  }
  it.each([
    ['./a.yaml:/etc/a.yaml', './a.yaml', '/etc/a.yaml', undefined],
    ['./a.yaml:/etc/', './a.yaml', '/etc/a.yaml', undefined],
    ['./a.yaml:k3s-manifests/', './a.yaml', '/var/lib/rancher/k3s/server/manifests/a.yaml', undefined],
    ['C:x:/etc/x@server:*', 'C:x', '/etc/x', 'server:*'],
    ['a\\@b:/x', 'a@b', '/x', undefined],
  ])('reads %s', async (text, from, path, filter) => {
    expect(await parseFile(text, io)).toEqual({
      file: { path, content: Buffer.from(from), mode: '0644' },
      ...(filter === undefined ? {} : { filter }),
    })
  })

  it.each([
    ['a', '"a" is not a file with its place', 'write FILE:PATH'],
    [':/x', 'is not a file with its place', 'write FILE:PATH'],
    ['a:', 'is not a file with its place', 'write FILE:PATH'],
    ['a:b', '"b" is not an absolute path', 'begin it with a slash'],
    ['a:/etc/rancher/k3s/config.yaml', "is airlift's own path", '--config FILE'],
    ['gone:/x', 'cannot read "gone": no such file', 'name a file'],
    ['dir:/x', 'cannot read "dir": it is a directory', '--volume'],
    ['large:/x', '"large" has 16777217 bytes, and a file may have 16777216', '--volume'],
  ])('refuses %s', async (text, message, hint) => {
    expect(await parseFile(text, io)).toMatchObject({
      message: expect.stringContaining(message),
      hint: expect.stringContaining(hint),
    })
  })
})
