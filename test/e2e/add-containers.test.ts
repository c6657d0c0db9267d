import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, k3sUnderTest, LONG, labMissing, ROOT } from '../lab/lab.js'
import { killAt } from './cluster.js'

// Containers that join a cluster and leave it on a real engine: well, interrupted, killed, and refused.

const ID = process.pid
const IMAGE = `airlift-test-add-containers-${ID}:1`
const NAME = `test-ac-${ID}`
const real = k3sUnderTest().real
const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout.trim()

/** Everything that the engine has of the cluster, as one looks without airlift. */
async function left(): Promise<string[]> {
  const filter = ['--filter', `label=airlift.cluster=${NAME}`]
  const [containers, volumes] = await Promise.all([
    docker('ps', '-a', ...filter, '--format', '{{.Names}} {{.State}}'),
    docker('volume', 'ls', ...filter, '--format', '{{.Name}}'),
  ])
  return [...containers.split('\n'), ...volumes.split('\n')].filter(Boolean).sort()
}

interface Outcome {
  readonly outcome?: string
  readonly health?: string
  readonly nodes?: readonly { readonly name: string; readonly ready: boolean }[]
  readonly machines?: readonly { readonly node: string }[]
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null }
}

describe.skipIf(labMissing())('containers that join', () => {
  let home = ''
  const json = async (...args: string[]): Promise<Outcome & { exit: number; stderr: string }> => {
    const found = await airlift([...args, '-o', 'json', '-q'], { home })
    return { ...(found.json as Outcome), exit: found.exitCode, stderr: found.stderr }
  }
  const rootfs = (): string[] => ['--rootfs', `${home}/k3s.airlift`, '--name', NAME]
  const add = (...more: string[]): string[] => ['add', ...rootfs(), ...more]
  const run = (masters: number, workers: number): string[] => [
    ...['run', ...rootfs(), ...(real ? [] : ['--image', IMAGE])],
    ...['--masters', String(masters), '--nodes', String(workers)],
  ]
  /** A worker slow enough to be killed before it has joined, also where the tests share two processors with others. */
  const slow = (filter: string): string[] => {
    writeFileSync(`${home}/slow.json`, JSON.stringify({ join_ms: 8000 }))
    return real ? [] : ['--file', `${home}/slow.json:/etc/rancher/standin.json${filter}`]
  }
  const nodes = async (): Promise<string[]> =>
    ((await json('status', '--name', NAME)).nodes ?? []).map(
      ({ name, ready }) => `${name.replace(`airlift-${NAME}-`, '')} ${ready}`,
    )

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-add-containers-`)
    await buildBundle(k3sUnderTest(), `${home}/k3s.airlift`, home)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
    expect(await json(...run(1, 1))).toMatchObject({ exit: 0, outcome: 'done' })
  }, LONG)
  afterAll(async () => {
    await json('reset', '--name', NAME, '--yes')
    await execa('docker', ['volume', 'rm', '-f', `mine-${ID}`], { reject: false })
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  }, LONG)

  it(
    'and are interrupted leave neither container nor volume nor Node',
    async () => {
      const before = await left()
      // After the first the container is made, after the second it runs and has joined or is about to.
      for (const n of [1, 2]) {
        const stopped = await killAt(add('--nodes', '2'), home, 'step.done', n, 'SIGINT')
        expect(stopped, stopped.stderr).toMatchObject({ killed: true, exitCode: 130 })
        expect(stopped.stderr).toContain('what this add made was removed')
        expect(await left()).toEqual(before)
        expect(await nodes()).toEqual(['master-0 true', 'worker-0 true'])
      }
    },
    LONG,
  )

  it(
    'and were killed are finished by the same command, and nothing comes twice',
    async () => {
      const slowly = slow('')
      expect(await killAt(add('--nodes', '1', ...slowly), home, 'step.done', 1)).toMatchObject({
        killed: true,
      })
      expect((await left()).join(' ')).toContain(`airlift-${NAME}-worker-1`)
      const again = await json(...add('--nodes', '1', ...slowly))
      expect(again, JSON.stringify(again.error)).toMatchObject({ exit: 0, outcome: 'done' })
      expect(again.machines?.map(({ node }) => node)).toEqual([`airlift-${NAME}-worker-1`])
      expect(await nodes()).toEqual(['master-0 true', 'worker-0 true', 'worker-1 true'])
    },
    LONG,
  )

  it(
    'take their own volumes with them when they leave, and leave those that the user named',
    async () => {
      const before = await left()
      const volumes = ['--volume', `mine-${ID}:/mine`, '--volume', '/own', '--env', 'COLOUR=red']
      const made = await json(...add('--nodes', '1', ...volumes))
      expect(made, made.error?.message).toMatchObject({ exit: 0, outcome: 'done' })
      const name = `airlift-${NAME}-worker-2`
      expect(await docker('exec', name, 'sh', '-c', 'echo $COLOUR; echo kept > /mine/note')).toBe('red')
      expect(await left()).toContain(`${name}-mount-own`)
      const gone = await json('delete', '--name', NAME, '--nodes', name, '--yes')
      expect(gone, gone.error?.message).toMatchObject({ exit: 0 })
      expect(await left()).toEqual(before)
      expect(await docker('volume', 'ls', '-q', '--filter', `name=^mine-${ID}$`)).toBe(`mine-${ID}`)
    },
    LONG,
  )

  it(
    'and leave by number are that node for every command, and never another one',
    async () => {
      const made = await json(...add('--nodes', '1'))
      expect(made, made.error?.message).toMatchObject({ exit: 0, outcome: 'done' })
      const gone = ['delete', '--name', NAME, '--nodes', 'workers:1', '--yes']
      expect(await json(...gone)).toMatchObject({ exit: 0, outcome: 'done' })
      expect(await nodes()).toEqual(['master-0 true', 'worker-0 true', 'worker-2 true'])
      const again = await json(...gone)
      expect(again).toMatchObject({ exit: 2, error: { code: 'E_HOST_INVALID' } })
      expect(again.error?.hint).toContain('workers:0, workers:2, all')
      const exec = ['exec', '--name', NAME, '--nodes', 'workers:2', '-o', 'json', '--', 'hostname']
      expect((await airlift(exec, { home })).json).toMatchObject({
        machines: [{ node: `airlift-${NAME}-worker-2`, exitCode: 0 }],
      })
      // The two that there are, of which one is number 2.
      const same = await json(...run(1, 2), '--node-label', 'a=b@workers:2', '--dry-run')
      expect(same, same.error?.message).toMatchObject({ exit: 0 })
      expect(await json(...run(1, 2), '--node-label', 'a=b@workers:1')).toMatchObject({ exit: 2 })
      expect(await json(...gone.map((word) => word.replace(':1', ':2')))).toMatchObject({ exit: 0 })
      // As it was, for what follows.
      expect(await json(...add('--nodes', '1', ...slow('')))).toMatchObject({ exit: 0, outcome: 'done' })
    },
    LONG,
  )

  it('are refused what only the whole cluster has', async () => {
    const before = await left()
    const refused = await json(
      ...add('--nodes', '1', '--dns', '10.9.9.9', '--network', 'other', '--user', 'me'),
    )
    expect(refused).toMatchObject({ exit: 2, error: { code: 'E_USAGE' } })
    const both = await json(...add('--nodes', '1', '--dns', '10.9.9.9', '--network', 'other'))
    expect(both).toMatchObject({ exit: 2, error: { code: 'E_USAGE' } })
    expect(both.error?.message).toMatch(/--network: other[\s\S]*--dns: /)
    expect(await left()).toEqual(before)
  })

  it(
    'as masters are refused beside SQLite, whether that runs or not',
    async () => {
      expect(await json(...add('--masters', '1'))).toMatchObject({ exit: 5, error: { code: 'E_REFUSED' } })
      expect((await json('stop', '--name', NAME)).exit).toBe(0)
      const before = await left()
      const refused = await json(...run(2, 2), ...slow('@workers:1'))
      expect(refused, refused.error?.message).toMatchObject({ exit: 5, error: { code: 'E_REFUSED' } })
      expect(refused.error?.message).toContain('SQLite')
      expect(await left()).toEqual(before)
      expect((await json('start', '--name', NAME)).exit).toBe(0)
    },
    LONG,
  )

  it(
    'and leave are gone after the next delete, where one was killed in the middle',
    async () => {
      const worker = `airlift-${NAME}-worker-1`
      const gone = ['delete', '--name', NAME, '--nodes', worker, '--yes']
      for (const n of [1, 2]) await killAt(gone, home, 'step.done', n)
      await json(...gone)
      expect((await left()).filter((one) => one.includes('worker-1'))).toEqual([])
      expect(await nodes()).toEqual(['master-0 true', 'worker-0 true'])
    },
    LONG,
  )

  it(
    'and leave take their volumes along, where the delete was killed when only they were left',
    async () => {
      const worker = `airlift-${NAME}-worker-1`
      const gone = ['delete', '--name', NAME, '--nodes', worker, '--yes']
      const ofWorker = async (): Promise<string[]> =>
        (await left()).filter((one) => one.includes('worker-1')).map((one) => one.replace(/ .*/, ''))
      const prune = async (...more: string[]) =>
        (await json('prune', ...more)) as unknown as Record<'found' | 'kept', { name: string }[]>
      expect(await json(...add('--nodes', '1'))).toMatchObject({ exit: 0, outcome: 'done' })
      const volumes = (await ofWorker()).filter((one, i, all) => all.indexOf(one) === i)
      // Cordon, drain, quiet, leave, remove.
      expect(await killAt(gone, home, 'step.start', 5)).toMatchObject({ killed: true })
      await execa('docker', ['rm', '-f', worker], { reject: false })
      expect(await ofWorker()).toEqual(volumes)
      expect((await prune('--dry-run')).found.map(({ name }) => name).sort()).toEqual(volumes)
      // A new node does not begin on them.
      expect(await json(...add('--nodes', '1'))).toMatchObject({ exit: 0, outcome: 'done' })
      expect(await nodes()).toEqual(['master-0 true', 'worker-0 true', 'worker-2 true'])
      const finished = await json(...gone)
      expect(finished, finished.error?.message).toMatchObject({ exit: 0 })
      expect(await ofWorker()).toEqual([])
      // One whose container somebody removed is still a node: its data is for a run to bring back.
      await docker('rm', '-f', `airlift-${NAME}-worker-2`)
      const { found, kept } = await prune('--dry-run')
      expect(found.filter(({ name }) => name.includes(NAME))).toEqual([])
      expect(kept.map(({ name }) => name)).toContain(`airlift-${NAME}-worker-2`)
    },
    LONG,
  )
})
