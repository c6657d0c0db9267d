import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type CliResult, k3sUnderTest, LONG, labMissing, ROOT } from '../lab/lab.js'
import { killAt } from './cluster.js'

// Ports of clusters in containers that run, through real connections, with a small web server in each node that says where it
// is.

const IMAGE = `airlift-test-ports-${process.pid}:1`
/** What is served: files, for the image of a real k3s has a busybox and no python. */
const SAYS =
  'mkdir -p /tmp/www; hostname | tr -d "\\n" >/tmp/www/index.html; for p in 80 81; do busybox httpd -h /tmp/www -p $p; done'
const real = k3sUnderTest().real
const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout.trim()

/** Numbers that nobody has, each another. */
async function freePorts(count: number): Promise<number[]> {
  const servers: Server[] = []
  for (let i = 0; i < count; i++) servers.push(await listen())
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((done) => server.close(done))))
  return ports
}

function listen(port = 0): Promise<Server> {
  const server = createServer((_, answer) => answer.end('somebody else'))
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)))
}

/** Who answers at a port of this computer; all who do in many connections, without the name of the cluster. */
async function answers(port: number): Promise<string[]> {
  const names = new Set<string>()
  for (let i = 0; i < 24; i++) {
    const signal = AbortSignal.timeout(3000)
    const close = { headers: { connection: 'close' }, signal }
    names.add(
      await fetch(`http://127.0.0.1:${port}`, close).then(
        (got) => got.text(),
        () => 'nobody',
      ),
    )
  }
  return [...names].map((name) => name.replace(/^airlift-test-p\d-/, '')).sort()
}

/** Waits until exactly these answer: a web server, or the load balancer, may still be beginning. */
async function answer(port: number, expected: readonly string[]): Promise<void> {
  await expect.poll(() => answers(port), { timeout: 30_000, interval: 500 }).toEqual(expected)
}

interface Outcome {
  readonly outcome?: string
  readonly ports?: readonly {
    readonly at: string
    readonly hostPort: number
    readonly containerPort: number
  }[]
  readonly steps?: unknown
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null }
}

describe.skipIf(labMissing())('ports of clusters in containers that run', () => {
  let home = ''
  const cli = (...args: string[]): Promise<CliResult> => airlift(args, { home })
  const ports = async (...args: string[]): Promise<Outcome & { exit: number }> => {
    const { json, exitCode } = await cli('ports', ...args, '-o', 'json', '-q')
    return { ...(json as Outcome), exit: exitCode }
  }
  const run = (name: string, masters: number, workers: number, ...more: string[]): Promise<CliResult> => {
    const counts = ['--masters', String(masters), '--nodes', String(workers)]
    const image = real ? [] : ['--image', IMAGE]
    return cli('run', '--rootfs', `${home}/k3s.airlift`, ...image, '--name', name, ...counts, ...more)
  }
  const containers = async (name: string): Promise<Record<string, string>> => {
    const lines = await docker(
      'ps',
      '-a',
      '--no-trunc',
      '--filter',
      `label=airlift.cluster=${name}`,
      '--format',
      '{{.Names}} {{.ID}} {{.State}}',
    )
    return Object.fromEntries(
      lines
        .split('\n')
        .map((line) => [
          line.split(' ')[0]?.replace(`airlift-${name}-`, ''),
          line.split(' ').slice(1).join(' '),
        ]),
    )
  }
  /** The nodes, which no change of ports may touch. */
  const nodes = async (name: string): Promise<string> => {
    const names = Object.keys(await containers(name)).filter((one) => !one.startsWith('lb'))
    return docker(
      'inspect',
      '--format',
      '{{.Id}} {{.State.StartedAt}}',
      ...names.map((one) => `airlift-${name}-${one}`),
    )
  }
  const serve = async (name: string): Promise<void> => {
    for (const node of Object.keys(await containers(name)))
      if (!node.startsWith('lb')) await docker('exec', `airlift-${name}-${node}`, 'sh', '-c', SAYS)
  }

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-ports-`)
    await buildBundle(k3sUnderTest(), `${home}/k3s.airlift`, home)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
  })
  // Each after its test: all at once are too much for two processors with a real k3s.
  afterEach(async () => {
    for (const name of ['test-p1', 'test-p2', 'test-p3']) await cli('reset', '--name', name, '--yes')
  })
  afterAll(async () => {
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  })

  it('of one master get a load balancer of their own, which goes with the last of them', {
    timeout: LONG,
  }, async () => {
    const name = 'test-p1'
    const [first = 0, all = 0, workers = 0] = await freePorts(3)
    const flags = ['-p', `${first}:80`]
    const made = await run(name, 1, 1, ...flags)
    expect(made.exitCode, made.stderr).toBe(0)
    await serve(name)
    const before = await nodes(name)
    await answer(first, ['master-0'])

    expect(await ports('add', `${all}:80`, `${workers}:81@workers:*`, '--name', name)).toMatchObject({
      exit: 0,
      outcome: 'done',
      machines: [
        { role: 'master', outcome: 'unchanged' },
        { role: 'worker', outcome: 'unchanged' },
        { machine: `docker://airlift-${name}-lb`, role: 'lb', outcome: 'changed', error: null },
      ],
    })
    await answer(all, ['master-0', 'worker-0'])
    await answer(workers, ['worker-0'])
    await answer(first, ['master-0'])
    expect(await nodes(name)).toBe(before)

    // Once more is nothing to do; and a run with the flags of the beginning leaves them.
    expect(await ports('add', `${all}:80`, '--name', name)).toMatchObject({ exit: 0, outcome: 'unchanged' })
    const again = await run(name, 1, 1, ...flags, '-o', 'json')
    expect(again.json, again.stderr).toMatchObject({ outcome: 'unchanged' })
    await answer(workers, ['worker-0'])

    // A worker that is added is led to as well.
    const more = await run(name, 1, 2, ...flags)
    expect(more.exitCode, more.stderr).toBe(0)
    await docker('exec', `airlift-${name}-worker-1`, 'sh', '-c', SAYS)
    await answer(workers, ['worker-0', 'worker-1'])

    // They are there after stop and start.
    expect((await cli('stop', '--name', name, '--yes')).exitCode).toBe(0)
    expect((await cli('start', '--name', name)).exitCode).toBe(0)
    await serve(name)
    await answer(all, ['master-0', 'worker-0', 'worker-1'])

    const fixed = await ports('remove', `${first}:80`, '--name', name)
    expect(fixed).toMatchObject({ exit: 2, error: { code: 'E_UNSUPPORTED' } })
    expect(fixed.error?.message).toContain(`airlift-${name}-master-0 itself`)
    expect(await ports('remove', `${all}:80`, '--name', name)).toMatchObject({ exit: 0, outcome: 'done' })
    await answer(all, ['nobody'])
    await answer(workers, ['worker-0', 'worker-1'])
    expect(await ports('remove', '81', '--name', name)).toMatchObject({ exit: 0, outcome: 'done' })
    expect(Object.keys(await containers(name)).sort()).toEqual(['master-0', 'worker-0', 'worker-1'])
    await answer(first, ['master-0'])
  })

  it('of three masters keep the API and each other, whatever happens in between', {
    timeout: LONG,
  }, async () => {
    const name = 'test-p3'
    const [first = 0, second = 0, third = 0] = await freePorts(3)
    const made = await run(name, 3, 0, '-p', `${first}:80`)
    expect(made.exitCode, made.stderr).toBe(0)
    await serve(name)
    const before = await nodes(name)
    const masters = ['master-0', 'master-1', 'master-2']
    await answer(first, masters)
    const old = await containers(name)

    // What is wrong changes nothing.
    const other = await listen()
    const taken = (other.address() as AddressInfo).port
    const refused: [string[], number, string, RegExp][] = [
      [['add', `${taken}:81`], 5, 'E_PREFLIGHT', new RegExp(`${taken}/tcp`)],
      [['add', `${first}:81`], 2, 'E_SPEC_INVALID', /which is published/],
      [['add', `${second}:81@workers:0`], 2, 'E_SPEC_INVALID', /matches nothing|no worker/],
      [['add', `${second}:81@masters:0:direct`], 2, 'E_UNSUPPORTED', /:direct/],
      [['add', 'eighty'], 2, 'E_SPEC_INVALID', /"eighty"/],
      [['remove', '9:9'], 2, 'E_SPEC_INVALID', /no port 9:9 is published/],
    ]
    for (const [args, exit, code, says] of refused) {
      const result = await ports(...args, '--name', name)
      expect(result, args.join(' ')).toMatchObject({ exit, error: { code } })
      expect(result.error?.message).toMatch(says)
      expect(result.error?.hint).toBeTruthy()
    }
    other.close()
    const dry = await ports('add', `${second}:81`, '--dry-run', '--name', name)
    expect(dry).toMatchObject({ exit: 0, operation: 'ports' })
    expect(await containers(name)).toEqual(old)

    // Killed while the new one is made: the old one serves on. Killed while they change places: perhaps neither does. In both
    // cases the same command brings it about.
    const added = ['ports', 'add', `${second}:81@masters:0`, '--name', name]
    expect(await killAt(added, home, 'step.start', 2)).toMatchObject({ killed: true })
    await answer(first, masters)
    expect(await killAt(added, home, 'step.start', 3)).toMatchObject({ killed: true })
    expect(await ports('add', `${second}:81@masters:0`, '--name', name)).toMatchObject({ exit: 0 })
    await answer(first, masters)
    await answer(second, ['master-0'])
    expect(Object.keys(await containers(name)).sort()).toEqual(['lb', ...masters])

    // Somebody takes the port in the very moment: the old one serves again.
    const [where = ''] = (await docker('port', `airlift-${name}-lb`, '6443')).split('\n')
    let thief: Server | undefined
    const race = execa(
      process.execPath,
      [`${ROOT}/bin/airlift.js`, 'ports', 'add', `${third}:81@masters:0`, '--name', name, '--events'],
      {
        reject: false,
        env: { HOME: home, XDG_STATE_HOME: `${home}/.state`, KUBECONFIG: `${home}/kubeconfig`, CI: '1' },
      },
    )
    for await (const line of race.iterable({ from: 'stderr' }))
      if (line.includes('"step.start"') && line.includes('lb-next/create')) thief = await listen(third)
    const lost = await race
    thief?.close()
    expect(lost.exitCode, lost.stderr).toBe(1)
    expect(lost.stderr).toContain('E_ENGINE_CONFLICT')
    expect(Object.keys(await containers(name)).sort()).toEqual(['lb', ...masters])
    await answer(first, masters)
    await answer(second, ['master-0'])

    // The API is where it was, and no node was touched.
    expect((await docker('port', `airlift-${name}-lb`, '6443')).split('\n')[0]).toBe(where)
    const up = await fetch(`http://${where}`, { signal: AbortSignal.timeout(5000) }).then(
      () => true,
      (error: Error) => !/ECONNREFUSED/.test(String(error.cause)),
    )
    expect(up).toBe(true)
    expect(await nodes(name)).toBe(before)

    // Somebody removes the load balancer. No port is lost, and nothing says that all is well.
    await docker('rm', '-f', `airlift-${name}-lb`)
    const gone = await cli('status', '--name', name, '-o', 'json')
    const problem = { code: 'lb-down', hint: expect.stringContaining(`airlift start --name ${name}`) }
    expect(gone.json).toMatchObject({ health: 'degraded', problems: [problem] })
    expect(await ports('add', `${third}:81@masters:1`, '--name', name)).toMatchObject({
      exit: 5,
      error: { code: 'E_REFUSED', hint: expect.stringContaining(`airlift start --name ${name}`) },
    })
    const logs = await cli('logs', '--name', name, '--output', `${home}/p3-logs`, '-o', 'json')
    expect([logs.exitCode, logs.json]).toMatchObject([
      3,
      { outcome: 'partial', machines: [{}, {}, {}, { role: 'lb', outcome: 'failed' }] },
    ])
    const started = await cli('start', '--name', name)
    expect(started.exitCode, started.stderr).toBe(0)
    await answer(first, masters)
    await answer(second, ['master-0'])
    expect((await docker('port', `airlift-${name}-lb`, '6443')).split('\n')[0]).toBe(where)
    const converged = await run(name, 3, 0, '-p', `${first}:80`, '-o', 'json')
    expect(converged.json, converged.stderr).toMatchObject({ outcome: 'unchanged' })
    expect(await nodes(name)).toBe(before)

    // A node that is stopped has files to look at.
    await docker('stop', '-t', '2', `airlift-${name}-master-2`)
    const stopped = await cli('logs', '--name', name, '--output', `${home}/p3-stopped`, '-o', 'json')
    expect([stopped.exitCode, stopped.json]).toMatchObject([
      3,
      { machines: [{}, {}, { outcome: 'stopped', error: { message: expect.stringContaining('exited') } }] },
    ])
    const kept = readdirSync(`${home}/p3-stopped/machines/airlift-${name}-master-2`)
    expect(kept).toEqual(expect.arrayContaining(['config.yaml', 'k3s.log', 'facts.json']))
  })

  it('stay with the API where the master leaves that published both', { timeout: LONG }, async () => {
    const name = 'test-p2'
    const [first = 0, api = 0] = await freePorts(2)
    const made = await run(
      name,
      1,
      0,
      '-p',
      `${first}:80`,
      '--api-port',
      String(api),
      '--set',
      'cluster-init=true',
    )
    expect(made.exitCode, made.stderr).toBe(0)
    const more = await cli('add', '--name', name, '--masters', '2')
    expect(more.exitCode, more.stderr).toBe(0)
    await serve(name)
    await answer(first, ['master-0'])
    const kubeconfig = readFileSync(`${home}/kubeconfig`, 'utf8')
    expect(kubeconfig).toContain(`https://127.0.0.1:${api}`)

    // Killed in the moment in which nobody publishes them.
    const args = ['delete', '--masters', `airlift-${name}-master-0`, '--name', name, '--yes']
    const env = { HOME: home, XDG_STATE_HOME: `${home}/.state`, KUBECONFIG: `${home}/kubeconfig`, CI: '1' }
    const child = execa(process.execPath, [`${ROOT}/bin/airlift.js`, ...args, '--events'], {
      reject: false,
      env,
    })
    for await (const line of child.iterable({ from: 'stderr' }))
      if (line.includes('"step.start"') && line.includes('-lb/create')) child.kill('SIGKILL')
    expect((await child).signal).toBe('SIGKILL')
    const start = await cli('start', '--name', name)
    expect(start.exitCode, start.stderr).toBe(0)
    expect(Object.keys(await containers(name)).sort()).toEqual(['lb', 'master-1', 'master-2'])
    await answer(first, ['master-1', 'master-2'])
    const up = (): Promise<string> =>
      fetch(`http://127.0.0.1:${api}`, { signal: AbortSignal.timeout(5000) }).then(
        () => 'up',
        (error: Error) => (/ECONNREFUSED|Timeout/.test(`${error} ${error.cause}`) ? 'down' : 'up'),
      )
    await expect.poll(up, { timeout: 30_000 }).toBe('up')
    expect(readFileSync(`${home}/kubeconfig`, 'utf8')).toBe(kubeconfig)
    expect((await cli('status', '--name', name, '-o', 'json')).json).toMatchObject({ health: 'ready' })

    // Its ports are those of any load balancer now.
    expect(await ports('remove', `${first}:80`, '--name', name)).toMatchObject({ exit: 0, outcome: 'done' })
    await answer(first, ['nobody'])
    await expect.poll(up, { timeout: 30_000 }).toBe('up')
  })
})
