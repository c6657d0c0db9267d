import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, k3sUnderTest, LONG, labMissing, ROOT } from '../lab/lab.js'

// A cluster in containers of which somebody removed parts by hand, more than its volumes can bring back.

const ID = process.pid
const IMAGE = `airlift-test-broken-${ID}:1`
const NAME = `test-b-${ID}`
const real = k3sUnderTest().real
const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout.trim()
const container = (node: string): string => `airlift-${NAME}-${node}`

interface Outcome {
  readonly outcome?: string
  readonly health?: string
  readonly datastore?: { readonly members: number; readonly healthy: number }
  readonly problems?: readonly { readonly code: string; readonly machine: string }[]
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string }
}

describe.skipIf(labMissing())('a cluster in containers that somebody broke', () => {
  let home = ''
  const json = async (...args: string[]): Promise<Outcome & { exit: number; stderr: string }> => {
    const found = await airlift([...args, '-o', 'json', '-q'], { home })
    return { ...(found.json as Outcome), exit: found.exitCode, stderr: found.stderr }
  }
  const run = (...more: string[]): string[] => [
    ...['run', '--rootfs', `${home}/k3s.airlift`, ...(real ? [] : ['--image', IMAGE]), '--name', NAME],
    ...['--masters', '3', '--nodes', '1', ...more],
  ]
  /** Removes containers and all that they had on disk. */
  const lose = async (...nodes: string[]): Promise<void> => {
    await docker('rm', '-f', ...nodes.map(container))
    await docker('volume', 'rm', ...nodes.flatMap((node) => [container(node), `${container(node)}-kubelet`]))
  }
  /** When the Node came into the cluster. */
  const since = (node: string): Promise<string> => {
    const at = ['get', 'node', container(node), '-o', 'jsonpath={.metadata.creationTimestamp}']
    return docker('exec', container('master-2'), 'k3s', 'kubectl', ...at)
  }

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-broken-`)
    await buildBundle(k3sUnderTest(), `${home}/k3s.airlift`, home)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
    expect(await json(...run())).toMatchObject({ exit: 0, outcome: 'done' })
  }, LONG)
  afterAll(async () => {
    await json('reset', '--name', NAME, '--yes')
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  }, LONG)

  it('gets back a worker and the first master of which nothing is left, as new nodes', {
    timeout: LONG,
  }, async () => {
    const before = await Promise.all(['worker-0', 'master-0'].map(since))
    await lose('worker-0', 'master-0')
    const made = await json(...run())
    expect(made, made.stderr).toMatchObject({ exit: 0, outcome: 'done' })
    expect(await json('status', '--name', NAME)).toMatchObject({
      health: 'ready',
      datastore: { members: 3, healthy: 3 },
    })
    const after = await Promise.all(['worker-0', 'master-0'].map(since))
    // What the cluster still said of the old ones is not taken for the new ones.
    for (const [i, time] of after.entries()) expect(time > (before[i] ?? '')).toBe(true)
    expect(await json(...run())).toMatchObject({ exit: 0, outcome: 'unchanged' })
  })

  it('is put into its network again, and says so before', { timeout: LONG }, async () => {
    const off = ['master-1', 'worker-0', 'lb'].map(container)
    for (const name of off) await docker('network', 'disconnect', `airlift-${NAME}`, name)
    const seen = await json('status', '--name', NAME)
    expect(seen).toMatchObject({ exit: 1, health: 'degraded' })
    const told = seen.problems?.filter(({ code }) => code === 'off-network')
    expect(told?.map(({ machine }) => machine).sort()).toEqual(off.map((name) => `docker://${name}`).sort())
    const made = await json(...run())
    expect(made, made.stderr).toMatchObject({ exit: 0, outcome: 'done' })
    expect(await json('status', '--name', NAME)).toMatchObject({ exit: 0, health: 'ready', problems: [] })
    expect(await json(...run())).toMatchObject({ exit: 0, outcome: 'unchanged' })
  })

  it('comes back of its volumes alone, with what was written', { timeout: LONG }, async () => {
    const kubectl = (...args: string[]): Promise<string> =>
      docker('exec', container('master-0'), 'k3s', 'kubectl', ...args)
    await kubectl('create', 'configmap', 'kept', '--from-literal=a=1')
    // As a reset does that is killed: containers, and some of the volumes.
    await docker('rm', '-f', ...['master-1', 'master-2', 'lb', 'master-0'].map(container))
    await lose('worker-0')
    const made = await json(...run())
    expect(made, made.stderr).toMatchObject({ exit: 0, outcome: 'done' })
    expect(await json('status', '--name', NAME)).toMatchObject({ exit: 0, health: 'ready', problems: [] })
    expect(await kubectl('get', 'configmap', 'kept', '-o', 'jsonpath={.data.a}')).toBe('1')
    expect(await docker('ps', '-aq', '--filter', 'label=airlift.temporary=token')).toBe('')
  })

  it('is refused in seconds where the majority of etcd is gone, and where all masters are', {
    timeout: LONG,
  }, async () => {
    await lose('master-0', 'master-1')
    const began = Date.now()
    expect(await json(...run())).toMatchObject({
      exit: 5,
      error: {
        code: 'E_REFUSED',
        message: expect.stringContaining('lost its majority'),
        hint: expect.stringContaining(`airlift reset --name ${NAME}`),
      },
    })
    expect(Date.now() - began).toBeLessThan(90_000)
    await lose('master-2')
    expect(await json(...run())).toMatchObject({
      exit: 5,
      error: {
        code: 'E_REFUSED',
        message: expect.stringContaining(`the data of "${NAME}" is gone`),
        hint: expect.stringContaining(`airlift reset --name ${NAME}`),
      },
    })
    expect(
      await docker('ps', '-a', '--filter', `name=${container('master')}`, '--format', '{{.Names}}'),
    ).toBe('')
    expect((await json('reset', '--name', NAME, '--yes')).exit).toBe(0)
    expect(await json(...run())).toMatchObject({ exit: 0, outcome: 'done' })
  })
})
