import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, k3sUnderTest, labMissing, ROOT } from '../lab/lab.js'
import { type OwnEngine, ownEngineMissing, startOwnEngine } from '../lab/own-engine.js'
import { killAt } from './cluster.js'

// What happens to clusters in containers when the engine itself ends: restarted, killed, or with the whole computer.

const IMAGE = `airlift-test-engine-${process.pid}:1`
const { real } = k3sUnderTest()
const missing = labMissing() ?? ownEngineMissing()
if (missing) process.stderr.write(`\nSKIPPED: clusters on an engine that is restarted: ${missing}\n\n`)

interface Outcome {
  readonly outcome?: string
  readonly health?: string
  readonly endpoint?: string
  readonly steps?: { readonly done: number }
  readonly nodes?: readonly { readonly ready: boolean }[]
  readonly problems?: readonly { readonly code: string }[]
  readonly clusters?: readonly { readonly name: string; readonly outcome: string }[]
}

describe.skipIf(missing)('clusters in containers, when their engine ends', () => {
  let home = ''
  let engine: OwnEngine
  const json = async (...args: string[]): Promise<Outcome & { exit: number; stderr: string }> => {
    const { through, host } = engine
    const env = { DOCKER_HOST: host }
    const found = await airlift([...args, '-o', 'json', '-q'], { home, through, env })
    return { ...(found.json as Outcome), exit: found.exitCode, stderr: found.stderr }
  }
  const runArgs = (name: string, masters: number, workers: number): string[] => [
    ...['run', '--rootfs', `${home}/k3s.airlift`, '--name', name, ...(real ? [] : ['--image', IMAGE])],
    ...['--masters', String(masters), '--nodes', String(workers)],
  ]
  const kubectl = (container: string, ...args: string[]): Promise<string> =>
    engine.docker('exec', container, 'k3s', 'kubectl', ...args)
  const write = (container: string, key: string): Promise<string> =>
    kubectl(container, 'create', 'configmap', key, `--from-literal=written=${key}`, '-n', 'default')
  const read = (container: string, key: string): Promise<string> =>
    kubectl(container, 'get', 'configmap', key, '-n', 'default', '-o', 'jsonpath={.data.written}')
  const containers = async (name: string): Promise<string[]> =>
    (await engine.docker('ps', '-aq', '--filter', `label=airlift.cluster=${name}`)).split('\n').sort()
  const startedAt = async (name: string): Promise<string[]> =>
    (
      await engine.docker(
        'inspect',
        '--format',
        '{{.Name}} {{.State.StartedAt}}',
        ...(await containers(name)),
      )
    )
      .split('\n')
      .sort()
  const untilReady = (name: string): Promise<void> =>
    expect
      .poll(() => json('status', '--name', name).then(({ health, problems }) => ({ health, problems })), {
        timeout: real ? 240_000 : 90_000,
        interval: 1000,
      })
      .toEqual({ health: 'ready', problems: [] })

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-engine-`)
    await buildBundle(k3sUnderTest(), `${home}/k3s.airlift`, home)
    engine = await startOwnEngine(`${home}/engine`)
    if (!real) {
      await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
      await engine.takeImage(IMAGE)
    }
    // One with etcd behind a load balancer, and one with SQLite that its owner stopped.
    for (const args of [runArgs('many', 3, 1), runArgs('asleep', 1, 1)]) {
      const made = await json(...args)
      if (made.exit !== 0) throw new Error(made.stderr)
    }
    await write('airlift-many-master-0', 'kept')
    await write('airlift-asleep-master-0', 'kept')
    expect(await json('stop', '--name', 'asleep')).toMatchObject({ exit: 0 })
  })
  afterAll(async () => {
    await engine?.remove()
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  })

  const accidents: [string, string, () => Promise<void>][] = [
    ['is stopped', 'stopped', () => engine.end('SIGTERM')],
    ['is killed', 'killed', () => engine.end('SIGKILL')],
    ['loses power, with the computer', 'power', () => engine.powerOff()],
  ]

  it.each(accidents)('come back by themselves, with their data, after it %s', async (_how, key, accident) => {
    await write('airlift-many-master-1', key)
    const before = await startedAt('many')
    expect(before).toHaveLength(5)
    const { endpoint } = await json('status', '--name', 'many')
    await accident()
    expect(await json('status', '--name', 'many')).toMatchObject({ exit: 1 })

    await engine.start()
    await untilReady('many')
    // All were really started again, and are the same containers still.
    const after = await startedAt('many')
    expect(after.filter((line) => before.includes(line))).toEqual([])
    expect(names(after)).toEqual(names(before))
    for (const master of [0, 1, 2]) {
      expect(await read(`airlift-many-master-${master}`, 'kept')).toBe('kept')
      expect(await read(`airlift-many-master-${master}`, key)).toBe(key)
    }
    // The address in the kubeconfig is as good as before.
    const found = await json('status', '--name', 'many')
    expect(found.endpoint).toBe(endpoint)
    expect(found.nodes?.map((node) => node.ready)).toEqual([true, true, true, true])
    expect(readFileSync(`${home}/kubeconfig`, 'utf8')).toContain(`server: ${endpoint}`)
    expect(await answers(`${endpoint}/readyz`)).toBe(true)
    expect(await json(...runArgs('many', 3, 1))).toMatchObject({ exit: 0, outcome: 'unchanged' })

    // What its owner stopped stays so.
    expect(await states('asleep')).toEqual(['exited', 'exited'])
    const { problems } = await json('status', '--name', 'asleep')
    expect(problems?.map((problem) => problem.code)).toContain('stopped')
  })

  it('are started later with what they had, and from then on come back again', async () => {
    expect(await json('start', '--name', 'asleep')).toMatchObject({ exit: 0 })
    await untilReady('asleep')
    expect(await json('stop', '--name', 'many')).toMatchObject({ exit: 0 })
    await engine.end('SIGTERM')
    await engine.start()
    await untilReady('asleep')
    expect(await read('airlift-asleep-master-0', 'kept')).toBe('kept')
    expect(await states('many')).toEqual(['exited', 'exited', 'exited', 'exited', 'exited'])
  })

  it('are left alone by prune, which removes what a run left that was killed before it had a master', async () => {
    const left = async (): Promise<string> => {
      const of = ['--filter', 'label=airlift.cluster=dead', '-q']
      return `${await engine.docker('volume', 'ls', ...of)}${await engine.docker('network', 'ls', ...of)}`
    }
    // The first step that is done has made the network.
    await killAt(runArgs('dead', 1, 1), home, 'step.done', 1, 'SIGKILL', engine.host)
    expect(await left()).not.toBe('')
    // Had it come as far as its master, it would be a cluster, which run and reset know what to do with.
    await execa('docker', ['--host', engine.host, 'rm', '-f', 'airlift-dead-master-0'], { reject: false })
    const before = [await containers('many'), await containers('asleep')]
    expect(await json('prune', '--yes')).toMatchObject({ exit: 0, outcome: 'done' })
    expect(await left()).toBe('')
    expect(await containers('dead')).toEqual([''])
    expect([await containers('many'), await containers('asleep')]).toEqual(before)
  })

  it('are removed without a trace, all of them by one command', async () => {
    const gone = await json('reset', '--all', '--yes')
    expect(gone, gone.stderr).toMatchObject({ exit: 0 })
    expect(gone.clusters?.map(({ name, outcome }) => `${name} ${outcome}`)).toEqual([
      'asleep done',
      'many done',
    ])
    expect(await engine.docker('ps', '-aq')).toBe('')
    expect(await engine.docker('volume', 'ls', '-q', '--filter', 'name=airlift')).toBe('')
    expect(await engine.docker('network', 'ls', '-q', '--filter', 'name=airlift')).toBe('')
  })

  async function states(name: string): Promise<string[]> {
    return (
      await engine.docker('inspect', '--format', '{{.State.Status}}', ...(await containers(name)))
    ).split('\n')
  }

  /** Whether an API answers at a URL, be it with a refusal. */
  async function answers(url: string): Promise<boolean> {
    const curl = ['curl', '-sk', '-m', '5', '-o', '/dev/null', '-w', '%{http_code}', url]
    const [program = '', ...args] = [...engine.through, ...curl]
    return /^(200|401|403)$/.test((await execa(program, args, { reject: false })).stdout)
  }
})

/** Names of containers, from lines of {@link startedAt}. */
function names(lines: readonly string[]): string[] {
  return lines.map((line) => line.split(' ')[0] ?? '')
}
