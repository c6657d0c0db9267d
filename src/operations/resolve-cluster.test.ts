import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type Context, createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createSecretSource } from '../machine/ssh/secret-source.js'
import { spec } from '../runtime/preflight/preflight.fixture.js'
import { add } from './add.js'
import { deleteNodes } from './delete.js'
import { kubeconfig } from './kubeconfig.js'
import { resolveCluster } from './resolve-cluster.js'
import type { OperationDeps } from './session.js'

let ctx: Context
let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'airlift-unknown-'))
  ctx = createContext({ env: { HOME: home, XDG_STATE_HOME: home } })
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

const deps: OperationDeps = {
  secrets: createSecretSource({}, async () => undefined),
  createConnector: () => ({
    engine: () => Promise.reject(new Error('no engine is expected')),
    connect: (target) => Promise.reject(new AirliftError('E_SSH_UNREACHABLE', `no route to ${target.text}`)),
    close: async () => {},
  }),
  connectEngine: () => Promise.reject(new AirliftError('E_ENGINE_UNREACHABLE', 'no engine answers')),
}
const hosts = spec(1, 1)
const cluster = { name: 'nope', masters: [], nodes: [], ssh: hosts.ssh }

describe('a cluster that nothing here tells of', () => {
  it.each([
    ['masters', { masters: ['10.0.0.9'], nodes: [] }],
    ['nodes', { masters: [], nodes: ['10.0.0.9', 'workers:0'] }],
  ])('is none where the %s that are to leave do not answer', async (_, leaving) => {
    const error = await deleteNodes({ cluster, leaving, options: {} }, ctx, deps).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'E_NO_CLUSTER', exit: 6, log: ['10.0.0.9: no route to 10.0.0.9'] })
    expect(error.message).toContain('"nope" is known on this computer, and 10.0.0.9 cannot be asked')
  })

  it('is not looked for through the masters that are to leave, where no host is named', async () => {
    const leaving = { masters: [], nodes: ['workers:0'] }
    const error = await deleteNodes({ cluster, leaving, options: {} }, ctx, deps).catch((thrown) => thrown)
    expect(error).toMatchObject({ code: 'E_NO_CLUSTER', exit: 6 })
    expect(error.hint).not.toContain('--masters')
  })

  it('is none where the hosts that are to join do not answer', async () => {
    await expect(add({ cluster, joining: hosts }, ctx, deps)).rejects.toMatchObject({
      code: 'E_NO_CLUSTER',
      exit: 6,
      message: expect.stringContaining('10.0.0.1, root@10.0.0.2 cannot be asked'),
    })
  })

  it('gives no kubeconfig, and the reason why its master cannot be asked', async () => {
    await expect(kubeconfig({ ...cluster, masters: hosts.masters }, ctx, deps)).rejects.toMatchObject({
      code: 'E_SSH_UNREACHABLE',
      message: 'no route to root@10.0.0.1',
    })
  })
})

describe('flags that mean something for one kind of cluster only', () => {
  const named = { ...cluster, masters: hosts.masters }

  it('are refused by name where the cluster is of the other kind', async () => {
    await expect(
      resolveCluster({ ...named, only: { containers: '--memory 1g', hosts: '--user ops' } }, ctx, deps),
    ).rejects.toMatchObject({
      code: 'E_USAGE',
      message: '--memory 1g is for containers, and the machines of the cluster "nope" are hosts',
    })
    await expect(resolveCluster({ ...named, runtime: 'k3d' }, ctx, deps)).rejects.toMatchObject({
      code: 'E_USAGE',
      message: 'the cluster "nope" is one of the runtime k3s, and --runtime says k3d',
    })
  })

  it('are taken where it is of theirs', async () => {
    const found = resolveCluster({ ...named, only: { hosts: '--user ops' }, runtime: 'k3s' }, ctx, deps)
    await expect(found).resolves.toMatchObject({ name: 'nope', runtime: 'k3s' })
  })
})

it('is told how to be found with the flag that the command has for it', async () => {
  const hintOf = (more: object): Promise<string | undefined> =>
    resolveCluster({ ...cluster, ...more }, ctx, deps).then(
      () => undefined,
      (error: AirliftError) => error.hint,
    )
  expect(await hintOf({})).toContain('--masters root@10.0.0.1')
  expect(await hintOf({ mastersFlag: '--through' })).toContain('--through root@10.0.0.1')
})
