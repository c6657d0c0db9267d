import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import * as airlift from '../../src/index.js'
import { createFakeEngine } from '../../src/machine/docker/fake-engine.js'

const page = readFileSync(new URL('../../docs/library.md', import.meta.url), 'utf8')

/** What a program that embeds airlift gives it, with an engine in memory. */
function embedding(signal?: AbortSignal) {
  const env = { HOME: '/nonexistent', XDG_STATE_HOME: '/nonexistent' }
  const ctx = airlift.createContext({ env, ...(signal ? { signal } : {}) })
  const secrets = airlift.createSecretSource(env, async () => undefined)
  return { ctx, deps: { secrets, connectEngine: async () => createFakeEngine() } }
}

describe('the library', () => {
  it('has every function that its page names', () => {
    const imports = /import \{([^}]+)\} from 'airlift'/.exec(page)?.[1]?.split(',') ?? []
    const table = [...page.matchAll(/^\| (`.*`) \|/gm)].flatMap(([, cell]) => [
      ...(cell ?? '').matchAll(/`(\w+)`/g),
    ])
    const named = [...imports.map((name) => name.trim()), ...table.map(([, name]) => name ?? '')]
    expect(named.length).toBeGreaterThan(20)
    for (const name of named) expect(airlift, name).toHaveProperty(name, expect.any(Function))
  })

  it('throws what the command line would tell, and prints nothing', async () => {
    const { ctx, deps } = embedding()
    const cluster = { name: 'nowhere', masters: [], nodes: [], ssh: sshOptions(await spec()) }
    await expect(airlift.status(cluster, ctx, deps)).rejects.toMatchObject({ code: 'E_NO_CLUSTER', exit: 6 })
  })

  it('ends at once when its signal is aborted', async () => {
    const stop = new AbortController()
    stop.abort()
    const { ctx, deps } = embedding(stop.signal)
    await expect(airlift.reset({ spec: await spec() }, ctx, deps)).rejects.toThrow()
  })
})

async function spec(): Promise<airlift.ClusterSpec> {
  return (await airlift.buildSpec({ name: 'dev', masters: '1', nodes: '2' }, airlift.createSpecIo())).spec
}

const sshOptions = (of: airlift.ClusterSpec): airlift.SshOptions => of.ssh
