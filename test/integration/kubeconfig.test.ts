import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { execa } from 'execa'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { mergeKubeconfig, removeKubeconfig } from '../../src/kubeconfig/merge.js'
import { retarget } from '../../src/kubeconfig/retarget.js'

const CHILD = fileURLToPath(new URL('merge-child.ts', import.meta.url))
const DATA = Buffer.from('x').toString('base64')
const K3S = `apiVersion: v1
kind: Config
clusters: [{name: default, cluster: {server: "https://127.0.0.1:6443", certificate-authority-data: ${DATA}}}]
users: [{name: default, user: {client-certificate-data: ${DATA}, client-key-data: ${DATA}}}]
contexts: [{name: default, context: {cluster: default, user: default}}]
current-context: default
`

const hasKubectl = (await execa('kubectl', ['version', '--client'], { reject: false })).exitCode === 0
if (!hasKubectl)
  process.stderr.write("\nSKIPPED: kubeconfig against kubectl: install Debian's kubernetes-client\n\n")

let directory: string
let path: string
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'airlift-kubectl-'))
  path = join(directory, 'config')
})
afterEach(() => rm(directory, { recursive: true }))

const kubectl = (args: string[], env: Record<string, string> = { KUBECONFIG: path }) =>
  execa('kubectl', ['config', ...args], { env })
const view = async (env?: Record<string, string>) =>
  JSON.parse((await kubectl(['view', '--raw', '-o', 'json'], env)).stdout)
const names = (entries: { name: string }[]) => entries.map((entry) => entry.name).sort()
const merge = async (name: string, env = { KUBECONFIG: path }) =>
  mergeKubeconfig(await retarget(K3S, { name, server: `https://${name}:6443` }), { env, switchContext: true })

describe.skipIf(!hasKubectl)('kubeconfig with kubectl', () => {
  it('merges into what kubectl wrote, and kubectl reads it', async () => {
    await kubectl(['set-cluster', 'on', '--server=https://work:6443'])
    await kubectl(['set-credentials', 'on', '--token=0123_456'])
    await kubectl(['set-context', 'on', '--cluster=on', '--user=on', '--namespace=0123'])
    await kubectl(['use-context', 'on'])
    const before = await view()
    await merge('prod')
    const merged = await view()
    expect(merged['current-context']).toBe('airlift-prod')
    expect(
      merged.clusters.find((entry: { name: string }) => entry.name === 'airlift-prod').cluster,
    ).toMatchObject({
      server: 'https://prod:6443',
      'certificate-authority-data': DATA,
    })
    for (const section of ['clusters', 'users', 'contexts']) {
      expect(merged[section]).toContainEqual(before[section][0])
      expect(names(merged[section])).toEqual(['airlift-prod', 'on'])
    }
    await removeKubeconfig('prod', { env: { KUBECONFIG: path } })
    expect(await view()).toEqual(before)
  })

  it('knows its own entries again after kubectl has rewritten the file', async () => {
    await kubectl(['set-context', 'mine', '--cluster=c'])
    await kubectl(['use-context', 'mine'])
    await merge('prod')
    await kubectl(['set-context', 'airlift-prod', '--namespace=team'])
    await kubectl(['set-cluster', 'other', '--server=https://other'])
    expect((await merge('prod')).changed).toBe(false)
    expect((await kubectl(['view', '--minify', '-o', 'jsonpath={..namespace}'])).stdout).toBe('team')
    await removeKubeconfig('prod', { env: { KUBECONFIG: path } })
    const left = await view()
    expect(left['current-context']).toBe('mine')
    expect(names(left.clusters)).toEqual(['other'])
    expect(names(left.contexts)).toEqual(['mine'])
  })

  it('puts entries into the file of a list that kubectl would choose', async () => {
    const place = async (which: string, write: (env: { KUBECONFIG: string }) => Promise<unknown>) => {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => join(directory, `${which}-${name}`)) as [
        string,
        string,
        string,
      ]
      await writeFile(b, 'kind: Config\napiVersion: v1\ncontexts: []\n')
      await writeFile(
        c,
        `kind: Config\napiVersion: v1\nclusters:\n- name: airlift-x\n  cluster: {server: https://old, certificate-authority-data: ${DATA}}\ncurrent-context: there\n`,
      )
      await write({ KUBECONFIG: `${a}:${b}:${c}` })
      const read = async (file: string) => parse(await readFile(file, 'utf8').catch(() => '')) ?? {}
      return Promise.all(
        [a, b, c].map(async (file) => {
          const config = await read(file)
          return {
            clusters: names(config.clusters ?? []),
            contexts: names(config.contexts ?? []),
            current: config['current-context'] || '',
          }
        }),
      )
    }
    const theirs = await place('kubectl', async (env) => {
      await kubectl(['set-cluster', 'airlift-x', '--server=https://x:6443'], env)
      await kubectl(['set-context', 'airlift-x', '--cluster=airlift-x', '--user=airlift-x'], env)
      await kubectl(['use-context', 'airlift-x'], env)
    })
    expect(await place('airlift', (env) => merge('x', env))).toEqual(theirs)
  })

  it('is kept out by the lock of kubectl, and keeps kubectl out', async () => {
    await merge('prod')
    await writeFile(`${path}.lock`, '', { mode: 0 })
    const options = { env: { KUBECONFIG: path }, switchContext: true, lock: { waitMs: 200, staleMs: 60_000 } }
    const incoming = await retarget(K3S, { name: 'other', server: 'https://other:6443' })
    await expect(mergeKubeconfig(incoming, options)).rejects.toMatchObject({ code: 'E_LOCKED' })
    const refused = await execa('kubectl', ['config', 'use-context', 'airlift-prod'], {
      env: { KUBECONFIG: path },
      reject: false,
    })
    expect(refused.stderr).toContain('.lock')
  })
})

describe('many airlifts at once', () => {
  const run = (name: string, start: number, rounds = 1) =>
    execa(process.execPath, ['--import', 'tsx', CHILD, path, name, String(start), String(rounds)], {
      reject: false,
    })

  it('loses nothing when twenty programs merge at the same moment', async () => {
    const start = Date.now() + 12_000
    const results = await Promise.all(Array.from({ length: 20 }, (_, index) => run(`c${index}`, start)))
    expect(results.map((result) => result.stderr).filter((text) => text !== '')).toEqual([])
    const config = parse(await readFile(path, 'utf8'))
    const expected = Array.from({ length: 20 }, (_, index) => `airlift-c${index}-0`).sort()
    for (const section of ['clusters', 'users', 'contexts']) expect(names(config[section])).toEqual(expected)
    expect(await readdir(directory)).toEqual(['config'])
  })

  it('leaves a whole file and no lock that blocks, when it is killed while writing', async () => {
    await merge('first')
    for (let attempt = 0; attempt < 5; attempt++) {
      const child = run(`k${attempt}`, 0, 10_000)
      const seen = (await readFile(path, 'utf8')).length
      for (let wait = 0; wait < 500 && (await readFile(path, 'utf8')).length === seen; wait++) {
        await new Promise((done) => setTimeout(done, 20))
      }
      child.kill('SIGKILL')
      expect((await child).signal).toBe('SIGKILL')
      const config = parse(await readFile(path, 'utf8'))
      expect(names(config.contexts)).toEqual(names(config.users))
      expect((await merge(`after${attempt}`)).changed).toBe(true)
    }
  })
})
