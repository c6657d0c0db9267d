import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { lockFile } from './lock.js'
import { mergeKubeconfig, removeKubeconfig } from './merge.js'
import { kubeconfigPaths } from './paths.js'
import { retarget } from './retarget.js'

const K3S = `apiVersion: v1
clusters:
- cluster:
    certificate-authority-data: Q0E=
    server: https://127.0.0.1:6443
  name: default
contexts:
- context:
    cluster: default
    user: default
  name: default
current-context: default
kind: Config
preferences: {}
users:
- name: default
  user:
    client-certificate-data: Q0VSVA==
    client-key-data: S0VZ
`

const MINE = `# my clusters
apiVersion: v1
kind: Config
clusters:
- name: work # the big one
  cluster:
    server: https://work:6443
    certificate-authority-data: V09SSw==
- {name: "0123", cluster: {server: https://num:6443}}
users:
- name: work
  user:
    exec:
      apiVersion: client.authentication.k8s.io/v1
      args: [a, 1_000, yes, 0x10]
      command: tool
contexts:
- name: work
  context: {cluster: work, user: work, namespace: team}
current-context: work # prod!
x-unknown: 2020-01-01
`

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airlift-kubeconfig-'))
  path = join(directory, 'config')
})
afterEach(() => rm(directory, { recursive: true }))

const text = () => readFile(path, 'utf8')
const incoming = (name = 'prod', server = 'https://10.0.0.1:6443') => retarget(K3S, { name, server })
const merge = async (name = 'prod', switchContext = true, server?: string) =>
  mergeKubeconfig(await incoming(name, server), { path, env: {}, switchContext })

describe('entries of the same name that airlift did not write', () => {
  const foreign = (ca: string): string =>
    `clusters:\n- {name: airlift-prod, cluster: {server: "https://x:1", certificate-authority-data: ${ca}}}\nusers:\n- {name: airlift-prod, user: {token: mytoken}}\ncontexts:\n- {name: airlift-prod, context: {cluster: airlift-prod, user: airlift-prod}}\n`

  it.each([
    ['of another cluster', foreign('V09SSw=='), 'cluster'],
    ['a user alone', 'users:\n- {name: airlift-prod, user: {token: mytoken}}\n', 'user'],
  ])('are left as they are: %s', async (_, before, kind) => {
    await writeFile(path, before)
    await expect(merge()).rejects.toMatchObject({
      code: 'E_KUBECONFIG',
      message: `${path} has a ${kind} "airlift-prod" that airlift did not write and that is of another cluster`,
      hint: expect.stringContaining(`kubectl config delete-${kind} airlift-prod`),
    })
    expect(await text()).toBe(before)
  })

  it('are taken over where they have the CA of this cluster', async () => {
    await writeFile(path, foreign('Q0E='))
    expect(await merge()).toMatchObject({ path, changed: true })
    expect(await text()).not.toContain('mytoken')
    await removeKubeconfig('prod', { path, env: {} })
    expect(await text()).not.toContain('airlift-prod')
  })
})

describe('retarget', () => {
  it('renames everything and sets the server', async () => {
    expect(parse(await incoming())).toEqual({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name: 'airlift-prod',
          cluster: { 'certificate-authority-data': 'Q0E=', server: 'https://10.0.0.1:6443' },
        },
      ],
      users: [
        { name: 'airlift-prod', user: { 'client-certificate-data': 'Q0VSVA==', 'client-key-data': 'S0VZ' } },
      ],
      contexts: [{ name: 'airlift-prod', context: { cluster: 'airlift-prod', user: 'airlift-prod' } }],
      'current-context': 'airlift-prod',
      preferences: {},
    })
  })

  it.each([
    ['', 'no current-context'],
    ['a: [', 'not YAML'],
    [K3S.replace('current-context: default', 'current-context: other'), 'no context "other"'],
    [K3S.replace('    client-key-data: S0VZ\n', ''), 'its user has no client-key-data'],
    [
      K3S.replace('    certificate-authority-data: Q0E=\n', ''),
      'its cluster has no certificate-authority-data',
    ],
    [K3S.replace('S0VZ', '*S0VZ'), 'not YAML'],
  ])('refuses a kubeconfig that is not complete', async (config, message) => {
    const error = await retarget(config, { name: 'x', server: 'y' }).catch((thrown: Error) => thrown)
    expect(error).toMatchObject({ code: 'E_KUBECONFIG', message: expect.stringContaining(message) })
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('S0VZ')
  })
})

describe('mergeKubeconfig', () => {
  it('makes a new file that only its owner may read', async () => {
    path = join(directory, 'sub/dir/config')
    expect(await merge()).toEqual({ path, changed: true })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    const config = parse(await text())
    expect(config['current-context']).toBe('airlift-prod')
    expect(config.clusters[0].cluster.server).toBe('https://10.0.0.1:6443')
    expect(await readdir(join(directory, 'sub/dir'))).toEqual(['config'])
  })

  it('keeps everything that was there, with comments', async () => {
    await writeFile(path, MINE, { mode: 0o640 })
    await merge()
    const lines = (await text()).split('\n')
    for (const line of MINE.split('\n')) {
      if (!line.startsWith('current-context')) expect(lines).toContain(line)
    }
    expect(lines).toContain('current-context: airlift-prod # prod!')
    expect((await stat(path)).mode & 0o777).toBe(0o640)
  })

  it('does nothing the second time', async () => {
    await writeFile(path, MINE)
    await merge()
    const before = await stat(path)
    expect(await merge()).toEqual({ path, changed: false })
    expect((await stat(path)).ino).toBe(before.ino)
  })

  it('replaces its own entries, and keeps what the user put into them', async () => {
    await writeFile(path, MINE)
    await merge()
    const edited = (await text())
      .replace(
        'server: https://10.0.0.1:6443',
        'server: https://old:6443\n    proxy-url: socks5://p\n    insecure-skip-tls-verify: true',
      )
      .replace('cluster: airlift-prod', 'cluster: airlift-prod\n    namespace: mine')
    await writeFile(path, edited)
    await merge('prod', true, 'https://10.0.0.9:6443')
    const config = parse(await text())
    const cluster = config.clusters.find((entry: { name: string }) => entry.name === 'airlift-prod').cluster
    expect(cluster).toMatchObject({ server: 'https://10.0.0.9:6443', 'proxy-url': 'socks5://p' })
    expect(cluster).not.toHaveProperty('insecure-skip-tls-verify')
    expect(config.contexts[1].context.namespace).toBe('mine')
    expect(config.clusters).toHaveLength(3)
  })

  it('leaves the current context alone when told so', async () => {
    await writeFile(path, MINE)
    await merge('prod', false)
    expect(parse(await text())['current-context']).toBe('work')
  })

  it('fills in an empty config as kubectl writes it', async () => {
    await writeFile(
      path,
      'apiVersion: v1\nclusters: null\ncontexts: []\ncurrent-context: ""\nkind: Config\npreferences: {}\nusers: null\n',
    )
    await merge()
    expect(parse(await text())).toMatchObject({
      'current-context': 'airlift-prod',
      users: [{ name: 'airlift-prod' }],
      contexts: [{ name: 'airlift-prod' }],
    })
    await writeFile(path, '# nothing yet\n')
    await merge()
    expect(await text()).toMatch(/^# nothing yet\n/)
  })

  it('follows a symbolic link and keeps it', async () => {
    const real = join(directory, 'dotfiles-config')
    await writeFile(real, MINE)
    await symlink('dotfiles-config', path)
    await merge()
    expect(await readFile(real, 'utf8')).toContain('airlift-prod')
    expect((await readdir(directory)).sort()).toEqual(['config', 'dotfiles-config'])
  })

  it.each([
    ['a: [', 'is malformed'],
    ['- a', ':1 is malformed: it is not a mapping'],
    ['clusters: {}', 'clusters is not a list of entries'],
    ['users: [a]', 'users is not a list of entries'],
    ['token: *hunter2', ':1 is malformed: a word that begins with *'],
  ])('refuses %j and does not touch it', async (broken, message) => {
    await writeFile(path, broken)
    const error = await merge().catch((thrown: Error) => thrown)
    expect(error).toMatchObject({
      code: 'E_KUBECONFIG',
      message: expect.stringContaining(message),
    })
    expect((error as Error).message).not.toContain('hunter2')
    expect(await text()).toBe(broken)
    expect(await readdir(directory)).toEqual(['config'])
  })

  it('puts entries where kubectl would when KUBECONFIG names several files', async () => {
    const [gone, one, two] = ['gone', 'one', 'two'].map((name) => join(directory, name)) as [
      string,
      string,
      string,
    ]
    const env = { KUBECONFIG: `${gone}:${one}::${two}:${one}` }
    await writeFile(one, MINE.replace('current-context: work # prod!\n', ''))
    await writeFile(
      two,
      'current-context: other\nclusters:\n  - name: airlift-prod\n    cluster: {server: https://old, certificate-authority-data: Q0E=}\n',
    )
    expect(kubeconfigPaths({ env })).toEqual([gone, one, two])
    expect((await mergeKubeconfig(await incoming(), { env, switchContext: true })).path).toBe(one)
    const first = parse(await readFile(one, 'utf8'))
    const second = parse(await readFile(two, 'utf8'))
    expect(first['current-context']).toBe('airlift-prod')
    expect(first.users.map((user: { name: string }) => user.name)).toEqual(['work', 'airlift-prod'])
    expect(first.clusters).toHaveLength(2)
    expect(second.clusters[0].cluster.server).toBe('https://10.0.0.1:6443')
    expect((await readdir(directory)).sort()).toEqual(['one', 'two'])
    const removed = await removeKubeconfig('prod', { env })
    expect(removed).toEqual({ paths: [one, two], currentContext: 'other' })
  })

  it('makes the last file when none of several exists', async () => {
    const env = { KUBECONFIG: `${directory}/a:${directory}/b` }
    expect((await mergeKubeconfig(await incoming(), { env, switchContext: true })).path).toBe(
      `${directory}/b`,
    )
    expect(kubeconfigPaths({ env: { HOME: '/h' } })).toEqual(['/h/.kube/config'])
  })
})

describe('removeKubeconfig', () => {
  it('gives back what was there before, with its current context', async () => {
    await writeFile(path, MINE)
    await merge()
    expect(await removeKubeconfig('prod', { path, env: {} })).toEqual({
      paths: [path],
      currentContext: 'work',
    })
    expect(await text()).toBe(MINE)
  })

  it('sets no context when the one before is gone, rather than a random one', async () => {
    await writeFile(
      path,
      MINE.replaceAll('name: work', 'name: other').replace('current-context: work', 'current-context: gone'),
    )
    await merge()
    expect((await removeKubeconfig('prod', { path, env: {} })).currentContext).toBe('')
    expect(await text()).toContain('current-context: ""')
  })

  it('leaves a current context that the user chose meanwhile', async () => {
    await writeFile(path, MINE)
    await merge()
    await writeFile(path, (await text()).replace('current-context: airlift-prod', 'current-context: "0123"'))
    expect((await removeKubeconfig('prod', { path, env: {} })).currentContext).toBe('0123')
  })

  it('goes back over two clusters', async () => {
    await writeFile(path, MINE)
    await merge('a')
    await merge('b')
    expect((await removeKubeconfig('b', { path, env: {} })).currentContext).toBe('airlift-a')
    expect((await removeKubeconfig('a', { path, env: {} })).currentContext).toBe('work')
    expect(await text()).toBe(MINE)
  })

  it('leaves entries of that name that airlift did not write, and a file that does not exist', async () => {
    expect(await removeKubeconfig('prod', { path, env: {} })).toEqual({ paths: [], currentContext: '' })
    await writeFile(path, MINE.replaceAll('work', 'airlift-prod'))
    expect((await removeKubeconfig('prod', { path, env: {} })).paths).toEqual([])
  })
})

describe('lockFile', () => {
  const times = { waitMs: 100, staleMs: 60_000 }

  it('waits for the lock of another program, and says which file when it does not come', async () => {
    const lock = await lockFile(path)
    await expect(lockFile(path, times)).rejects.toMatchObject({
      code: 'E_LOCKED',
      hint: expect.stringContaining(`${path}.lock`),
    })
    setTimeout(() => lock.release(), 50)
    await (await lockFile(path, { ...times, waitMs: 5000 })).release()
    expect(await readdir(directory)).toEqual([])
  })

  it('tells a directory that cannot be written', async () => {
    const file = join(directory, 'ro')
    await writeFile(file, 'no directory')
    await expect(
      mergeKubeconfig(await incoming(), { path: join(file, 'config'), env: {}, switchContext: true }),
    ).rejects.toMatchObject({ code: 'E_KUBECONFIG' })
    await mkdir(join(directory, 'd'))
    await chmod(join(directory, 'd'), 0o700)
  })
})
