import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, type CliResult, k3sUnderTest, labMissing, ROOT } from '../lab/lab.js'
import { killAt } from './cluster.js'

// Clusters in containers, whole command lines on a real engine: made, looked at, restarted, interrupted, refused, removed.

const ID = process.pid
const IMAGE = `airlift-test-containers-${ID}:1`
const NAME = `test-c-${ID}`
const real = k3sUnderTest().real
const docker = async (...args: string[]): Promise<string> => (await execa('docker', args)).stdout.trim()
const lines = (text: string): string[] => text.split('\n').filter(Boolean)

/** Everything that the engine has of a cluster, as one looks without airlift. */
async function left(name: string): Promise<string[]> {
  const filter = ['--filter', `label=airlift.cluster=${name}`]
  const [containers, volumes, networks] = await Promise.all([
    docker('ps', '-a', ...filter, '--format', '{{.Names}}'),
    docker('volume', 'ls', ...filter, '--format', '{{.Name}}'),
    docker('network', 'ls', ...filter, '--format', '{{.Name}}'),
  ])
  return [...lines(containers), ...lines(volumes), ...lines(networks)].sort()
}

interface Problem {
  readonly code: string
}
interface Outcome {
  readonly outcome?: string
  readonly health?: string
  readonly endpoint?: string
  readonly steps?: { readonly done: number }
  readonly nodes?: readonly { readonly name: string; readonly ready: boolean; readonly machine: string }[]
  readonly clusters?: readonly { readonly name: string }[]
  readonly machines?: readonly { readonly machine: string; readonly stdout: string }[]
  readonly problems?: readonly Problem[]
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null }
}

describe.skipIf(labMissing())('clusters in containers', () => {
  let home = ''
  const bundle = (): string => `${home}/k3s.airlift`
  const cli = (...args: string[]): Promise<CliResult> => airlift(args, { home })
  const json = async (...args: string[]): Promise<Outcome & { exit: number; stderr: string }> => {
    const at = args.indexOf('--')
    const cut = at < 0 ? args.length : at
    const {
      json: out,
      exitCode,
      stderr,
    } = await cli(...args.slice(0, cut), '-o', 'json', '-q', ...args.slice(cut))
    return { ...(out as Outcome), exit: exitCode, stderr }
  }
  const image = (): string[] => (real ? [] : ['--image', IMAGE])
  const runArgs = (name: string, masters: number, workers: number): string[] => [
    ...['run', '--rootfs', bundle(), ...image(), '--name', name],
    ...['--masters', String(masters), '--nodes', String(workers)],
  ]
  const kubectl = (name: string, ...args: string[]): Promise<string> =>
    docker('exec', `airlift-${name}-master-0`, 'k3s', 'kubectl', ...args)

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-containers-`)
    await buildBundle(k3sUnderTest(), bundle(), home)
    if (!real) await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
  })
  afterAll(async () => {
    for (const name of [NAME, `${NAME}-ha`, `${NAME}-x`]) await cli('reset', '--name', name, '--yes')
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  })

  it('are made by exactly the steps of the plan, and the context works from here', async () => {
    const planned = await cli('plan', ...runArgs(NAME, 1, 2), '-o', 'json')
    const steps = (planned.json as { steps: unknown[] }).steps.length
    expect(await left(NAME)).toEqual([])
    const made = await json(...runArgs(NAME, 1, 2))
    expect(made).toMatchObject({ exit: 0, outcome: 'done', steps: { done: steps } })
    const server = /server: "?(https:\/\/127\.0\.0\.1:\d+)/.exec(
      readFileSync(`${home}/kubeconfig`, 'utf8'),
    )?.[1]
    const seen = await json('status', '--name', NAME)
    expect(seen).toMatchObject({ exit: 0, health: 'ready', endpoint: server })
    expect(seen.nodes?.map((node) => [node.name, node.ready, node.machine])).toEqual(
      ['master-0', 'worker-0', 'worker-1'].map((node) => [
        `airlift-${NAME}-${node}`,
        true,
        `docker://airlift-${NAME}-${node}`,
      ]),
    )
    expect((await json('list')).clusters?.map((cluster) => cluster.name)).toContain(NAME)
    const published = await docker('port', `airlift-${NAME}-master-0`, '6443/tcp')
    expect(`https://${published}`).toBe(server)
  })

  it('hold no token where anybody may look', async () => {
    const token = await docker('exec', `airlift-${NAME}-master-0`, 'cat', '/etc/rancher/k3s/token')
    expect(token.length).toBeGreaterThan(20)
    const names = ['master-0', 'worker-0'].map((node) => `airlift-${NAME}-${node}`)
    expect(await docker('inspect', ...names)).not.toContain(token)
    expect(await docker('exec', names[0] ?? '', 'stat', '-c', '%a', '/etc/rancher/k3s/token')).toBe('600')
  })

  it('take commands and files as hosts do', async () => {
    const ran = await json('exec', '--name', NAME, '--nodes', '--', 'hostname')
    expect(ran.machines?.map((machine) => machine.stdout.trim())).toEqual([
      `airlift-${NAME}-worker-0`,
      `airlift-${NAME}-worker-1`,
    ])
    writeFileSync(`${home}/note`, 'from here\n')
    expect((await json('copy', '--name', NAME, `${home}/note`, '/opt/note')).exit).toBe(0)
    expect(await docker('exec', `airlift-${NAME}-worker-1`, 'cat', '/opt/note')).toBe('from here')
  })

  it('are left as they are by the same command', async () => {
    const before = await docker(
      'inspect',
      '--format',
      '{{.Id}} {{.State.StartedAt}}',
      ...(await containers(NAME)),
    )
    expect(await json(...runArgs(NAME, 1, 2))).toMatchObject({
      exit: 0,
      outcome: 'unchanged',
      steps: { done: 0 },
    })
    expect(
      await docker('inspect', '--format', '{{.Id}} {{.State.StartedAt}}', ...(await containers(NAME))),
    ).toBe(before)
  })

  it('survive restarts of all containers in any order, with their data', async () => {
    await kubectl(NAME, 'create', 'configmap', 'kept', '--from-literal=a=1', '-n', 'default')
    const names = await containers(NAME)
    for (const order of [names, [...names].reverse()]) {
      await docker('restart', '-t', '3', ...order)
      await expect
        .poll(() => json('status', '--name', NAME).then((found) => found.health), {
          timeout: 120_000,
          interval: 1000,
        })
        .toBe('ready')
      expect(
        await kubectl(NAME, 'get', 'configmap', 'kept', '-n', 'default', '-o', 'jsonpath={.data.a}'),
      ).toBe('1')
    }
  })

  it('are refused what cannot be changed, by the name of the option', async () => {
    const more = await json(...runArgs(NAME, 1, 2), '--memory', '3g')
    expect(more).toMatchObject({ exit: 2, error: { code: 'E_REMOVE_REFUSED' } })
    expect(more.error?.message).toContain('--memory')
    expect((await json(...runArgs(NAME, 1, 1))).error?.message).toContain(`airlift-${NAME}-worker-1`)
  })

  it('are removed from the engine without a trace, by their name alone', async () => {
    rmSync(`${home}/.state`, { recursive: true, force: true })
    expect(await json('reset', '--name', NAME, '--yes')).toMatchObject({ exit: 0, outcome: 'done' })
    expect(await left(NAME)).toEqual([])
    expect(readFileSync(`${home}/kubeconfig`, 'utf8')).not.toContain(`airlift-${NAME}`)
    expect(await json('status', '--name', NAME)).toMatchObject({ exit: 6, error: { code: 'E_NO_CLUSTER' } })
  })

  it('of three masters go on without the first, through the load balancer', async () => {
    const name = `${NAME}-ha`
    expect(await json(...runArgs(name, 3, 1))).toMatchObject({ exit: 0, outcome: 'done' })
    expect(await containers(name)).toContain(`airlift-${name}-lb`)
    await docker('stop', '-t', '2', `airlift-${name}-master-0`)
    const found = await json('status', '--name', name)
    expect(found).toMatchObject({ health: 'degraded' })
    const port = (await docker('port', `airlift-${name}-lb`, '6443/tcp')).split(':').at(-1)
    await expect.poll(() => answers(Number(port)), { timeout: 30_000, interval: 500 }).toBe(true)
    expect(await json(...runArgs(name, 3, 1))).toMatchObject({ exit: 0 })
    expect(await json('status', '--name', name)).toMatchObject({ health: 'ready' })
    // One that joins does not wait until k3s comes round to its vote.
    const grown = await cli('add', '--name', name, '--masters', '1')
    expect(grown.exitCode, grown.stderr).toBe(0)
    expect(grown.stderr).toMatch(/✓ .*give masters their vote in etcd/)
    expect(await json('status', '--name', name)).toMatchObject({
      health: 'ready',
      datastore: { members: 4, healthy: 4 },
    })
    expect((await json('reset', '--name', name, '--yes')).exit).toBe(0)
    expect(await left(name)).toEqual([])
  })

  describe('without a rootfs', () => {
    const name = `${NAME}-n`
    // Newer than any that the engine may have besides, also of a run of this suite that was cut short.
    const release = `v1.36.${Math.floor(Date.now() / 1000)}`
    const newest = `rancher/k3s:${release}-k3s1-${ID}`
    const bare = (masters: number, workers: number): string[] => [
      ...['run', '--name', name, '--masters', String(masters), '--nodes', String(workers)],
    ]
    const ofNodes = async (format: string): Promise<string[]> =>
      lines(await docker('inspect', '--format', format, ...(await containers(name))))
    afterAll(async () => {
      await cli('reset', '--name', name, '--yes')
      await execa('docker', ['rmi', '-f', newest], { reject: false })
    })

    it('run the newest k3s of the engine, keep it when they grow, and go', async () => {
      await execa(`${ROOT}/lab/stand-in/image.sh`, [newest, `${release}+k3s1`])
      const planned = await cli('plan', ...bare(1, 1))
      expect(planned).toMatchObject({ exitCode: 0 })
      expect(planned.stdout).toContain(newest)
      expect(planned.stderr).toContain('the newest k3s that the engine has')
      expect(await left(name)).toEqual([])

      expect(await json(...bare(1, 1))).toMatchObject({ exit: 0, outcome: 'done' })
      expect(await ofNodes('{{.Config.Image}} {{index .Config.Labels "airlift.version"}}')).toEqual([
        `${newest} ${release}+k3s1`,
        `${newest} ${release}+k3s1`,
      ])
      const before = await ofNodes('{{.Id}} {{.State.StartedAt}}')
      expect(await json(...bare(1, 1))).toMatchObject({ exit: 0, outcome: 'unchanged' })
      const added = ['add', '--name', name, '--nodes', '1']
      expect(await json(...added)).toMatchObject({ exit: 0, outcome: 'done' })
      expect((await ofNodes('{{.Config.Image}}'))[2]).toBe(newest)
      expect((await ofNodes('{{.Id}} {{.State.StartedAt}}')).slice(0, 2)).toEqual(before)
      expect(await json(...bare(1, 2))).toMatchObject({ exit: 0, outcome: 'unchanged' })
      expect(await json('status', '--name', name)).toMatchObject({ exit: 0, health: 'ready' })

      expect((await json('reset', '--name', name, '--yes')).exit).toBe(0)
      expect(await left(name)).toEqual([])
    })

    it('and with a release that nobody has are refused in one error, nothing made', async () => {
      const found = await json(...bare(1, 0), '--version', 'v1.30.99+k3s1')
      expect(found).toMatchObject({ exit: 5, error: { code: 'E_IMAGE_MISSING' } })
      for (const remedy of ['--rootfs', '--image', 'docker load']) expect(found.error?.hint).toContain(remedy)
      expect(await left(name)).toEqual([])
    })
  })

  describe('that are interrupted', () => {
    const name = `${NAME}-x`

    it('by Ctrl-C leave nothing behind', async () => {
      const stopped = await killAt(runArgs(name, 1, 1), home, 'step.done', 4, 'SIGINT')
      expect(stopped).toMatchObject({ killed: true, exitCode: 130 })
      expect(stopped.stderr).toContain('what this run made was removed')
      expect(await left(name)).toEqual([])
    })

    it('by Ctrl-C are kept with --keep, and finished by the same command', async () => {
      await killAt([...runArgs(name, 1, 1), '--keep'], home, 'step.done', 4, 'SIGINT')
      expect((await left(name)).length).toBeGreaterThan(0)
      expect(await json(...runArgs(name, 1, 1))).toMatchObject({ exit: 0, outcome: 'done' })
      expect(await json('status', '--name', name)).toMatchObject({ health: 'ready' })
      expect((await json('reset', '--name', name, '--yes')).exit).toBe(0)
    })

    it.each([1, 3, 5])('by kill -9 after step %i are finished by run', async (n) => {
      expect(await killAt(runArgs(name, 1, 1), home, 'step.done', n)).toMatchObject({ killed: true })
      expect(await json(...runArgs(name, 1, 1))).toMatchObject({ exit: 0 })
      expect(await json('status', '--name', name)).toMatchObject({ health: 'ready' })
      expect((await json('reset', '--name', name, '--yes')).exit).toBe(0)
      expect(await left(name)).toEqual([])
    })

    it('by kill -9 are removed by reset', async () => {
      await killAt(runArgs(name, 1, 1), home, 'step.start', 4)
      expect((await json('reset', '--name', name, '--yes')).exit).toBe(0)
      expect(await left(name)).toEqual([])
    })

    it('by kill -9 in the middle of a reset are removed by the next', async () => {
      expect((await json(...runArgs(name, 1, 1))).exit).toBe(0)
      await killAt(['reset', '--name', name, '--yes'], home, 'step.done', 1)
      await json('reset', '--name', name, '--yes')
      expect(await left(name)).toEqual([])
    })
  })

  describe('are refused before anything is made where', () => {
    const name = `${NAME}-x`
    const refused = async (exit: number, code: string, problem: string | undefined, ...more: string[]) => {
      const found = await json(...runArgs(name, 1, 0), ...more)
      expect(found.exit, found.error?.message).toBe(exit)
      expect(found.error?.code).toBe(code)
      if (problem) expect(`${found.error?.message}`).toContain(problem)
      expect(await left(name)).toEqual([])
    }

    it('a container of the name is there', async () => {
      const taken = `airlift-${name}-master-0`
      const any = lines(await docker('images', '-q'))[0] ?? IMAGE
      await docker('create', '--name', taken, any, 'true')
      try {
        await refused(5, 'E_PREFLIGHT', 'name-taken')
      } finally {
        await docker('rm', '-f', taken)
      }
    })

    it('a port is taken', async () => {
      const server: Server = createServer()
      const port = await new Promise<number>((resolve) =>
        server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port)),
      )
      try {
        await refused(5, 'E_PREFLIGHT', 'port-in-use', '--api-port', String(port))
      } finally {
        server.close()
      }
    })

    it('a subnet overlaps with a network of the engine', async () => {
      const [subnet = ''] = lines(
        await docker('network', 'inspect', 'bridge', '--format', '{{(index .IPAM.Config 0).Subnet}}'),
      )
      await refused(5, 'E_PREFLIGHT', 'subnet-overlap', '--subnet', subnet)
    })

    it('a network is not there', async () => {
      await refused(2, 'E_SPEC_INVALID', 'network-missing', '--network', `none-${ID}`)
    })

    it('a network was made without a subnet, where the engine keeps no addresses in it', async () => {
      const automatic = `test-automatic-${ID}`
      await docker('network', 'create', automatic)
      try {
        // Docker does from 29 on.
        const major = Number((await docker('version', '--format', '{{.Server.Version}}')).split('.')[0])
        if (major < 29) await refused(2, 'E_SPEC_INVALID', 'network-automatic', '--network', automatic)
        else {
          expect(await json(...runArgs(name, 1, 0), '--network', automatic)).toMatchObject({ exit: 0 })
          expect(await json('reset', '--name', name, '--yes')).toMatchObject({ exit: 0 })
        }
        expect(await docker('ps', '-aq', '--filter', 'label=airlift.temporary=network')).toBe('')
      } finally {
        await docker('network', 'rm', automatic)
      }
    })

    it('no engine answers', async () => {
      const found = await airlift([...runArgs(name, 1, 0), '-o', 'json'], {
        home,
        env: { DOCKER_HOST: `unix://${home}/no.sock` },
      })
      expect(found).toMatchObject({ exitCode: 1, json: { error: { code: 'E_ENGINE_UNREACHABLE' } } })
      expect(JSON.stringify(found.json)).toContain('DOCKER_HOST')
    })

    it('an image is nowhere', async () => {
      const args = runArgs(name, 1, 0).filter((arg) => arg !== '--image' && arg !== IMAGE)
      const found = await json(...args, '--image', `localhost:1/none-${ID}:1`)
      expect(found.exit).not.toBe(0)
      expect(found.error?.code).toMatch(/^E_(IMAGE_MISSING|ENGINE)/)
      expect(await left(name)).toEqual([])
    })
  })

  async function containers(name: string): Promise<string[]> {
    return lines(
      await docker('ps', '-a', '--filter', `label=airlift.cluster=${name}`, '--format', '{{.Names}}'),
    ).sort()
  }
})

/** Whether something accepts connections at a port of this computer and says something of its own, as TLS servers do. */
async function answers(port: number): Promise<boolean> {
  const { exitCode, stdout } = await execa(
    'curl',
    ['-sk', '-m', '3', '-o', '/dev/null', '-w', '%{http_code}', `https://127.0.0.1:${port}/readyz`],
    { reject: false },
  )
  return exitCode === 0 && /^(200|401|403)$/.test(stdout)
}
