import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { dockerArchive } from '../../src/rootfs/archives.fixture.js'
import { labMissing } from '../lab/lab.js'
import { containerSubject, hostSubject, type Subject } from './subjects.js'

// What every command means, whatever the machines are: the same scenarios on hosts over SSH and on containers. They build on
// each other, since one cluster for all is what keeps this quick. runtime-conformance.test.ts has those of plans.

const KUBECTL = '/usr/local/bin/k3s kubectl'

interface Status {
  readonly health: string
  readonly nodes: readonly { name: string; machine: string; role: string; ready: boolean }[]
  readonly problems: readonly { code: string; hint: string }[]
}
interface Ran {
  readonly machines: readonly {
    machine: string
    node: string
    role: string
    stdout: string
    error: unknown
  }[]
}

const subjects = [
  ['hosts', hostSubject],
  ['containers', containerSubject],
] as const

describe.skipIf(labMissing()).each(subjects)('every command means the same on %s', (_, open) => {
  let subject: Subject
  let first: Status
  const on = (...args: string[]) => subject.cli(...args.slice(0, 1), ...subject.where, ...args.slice(1))
  const run = () =>
    subject.cli('run', '--rootfs', subject.bundle, '--name', subject.cluster, ...subject.machines)
  const status = async (): Promise<Status> => (await on('status')).json as Status
  /** One line on the master, as its words say. */
  const onMaster = async (line: string): Promise<string> => {
    const result = await on('exec', '--masters', '--', line)
    expect([line, result.exitCode, result.stderr]).toEqual([line, 0, ''])
    return (result.json as Ran).machines[0]?.stdout.trim() ?? ''
  }

  beforeAll(async () => {
    subject = await open()
  })
  afterAll(() => subject?.end())

  it('run makes a cluster, and says what it did', async () => {
    const made = await run()
    expect(made.stderr).not.toContain('error:')
    expect(made.exitCode).toBe(0)
    const report = made.json as Record<string, unknown> & Ran
    expect(Object.keys(report).sort()).toEqual(
      ['bytesSent', 'kubeconfig', 'machines', 'name', 'operation', 'outcome', 'seconds', 'steps'].sort(),
    )
    expect(report).toMatchObject({
      operation: 'run',
      outcome: 'done',
      name: subject.cluster,
      seconds: expect.any(Number),
      bytesSent: expect.any(Number),
      steps: { done: expect.any(Number), skipped: 0, failed: 0 },
      machines: ['master', 'worker'].map((role) => ({ role, outcome: 'changed', error: null })),
      kubeconfig: {
        context: `airlift-${subject.cluster}`,
        server: expect.stringMatching(/^https:/),
        current: true,
      },
    })
    for (const { machine, node } of report.machines) {
      expect(machine.startsWith(subject.scheme)).toBe(true)
      expect(node).not.toBe('')
    }
  })

  it('run again changes nothing, and its plan is empty', async () => {
    const again = await run()
    expect([again.exitCode, again.json]).toMatchObject([0, { outcome: 'unchanged', steps: { done: 0 } }])
    const plan = await subject.cli(
      'plan',
      'run',
      '--rootfs',
      subject.bundle,
      '--name',
      subject.cluster,
      ...subject.machines,
    )
    expect([plan.exitCode, plan.json]).toMatchObject([0, { operation: 'run', steps: [] }])
  })

  it('status is ready with every node, list shows the cluster', async () => {
    const result = await on('status')
    expect(result.exitCode).toBe(0)
    first = result.json as Status
    expect(first).toMatchObject({ name: subject.cluster, health: 'ready', problems: [] })
    expect(first.nodes.map(({ role, ready }) => `${role} ${ready}`).sort()).toEqual([
      'master true',
      'worker true',
    ])
    const all = (await subject.cli('list')).json as { clusters: { name: string }[] }
    expect(all.clusters).toContainEqual(
      expect.objectContaining({ name: subject.cluster, masters: 1, workers: 1 }),
    )
  })

  it('exec runs on all nodes, copy brings a file to each', async () => {
    const file = `${subject.home}/greeting`
    writeFileSync(file, 'good morning\n', { mode: 0o640 })
    const copied = await on('copy', file, '/opt/greeting')
    expect([copied.exitCode, copied.json]).toMatchObject([0, { operation: 'copy', outcome: 'done' }])
    const read = await on('exec', '--', 'stat -c %a /opt/greeting; cat /opt/greeting; id -u')
    expect(read.exitCode).toBe(0)
    const { machines } = read.json as Ran
    expect(machines.map(({ role, stdout }) => [role, stdout])).toEqual([
      ['master', '640\ngood morning\n0\n'],
      ['worker', '640\ngood morning\n0\n'],
    ])
    expect((await on('exec', '--', 'exit 7')).exitCode).toBe(1)
    expect((await on('exec', '--nodes', '--', 'true')).json).toMatchObject({ machines: [{ role: 'worker' }] })
  })

  it('kubeconfig is one that works from here', async () => {
    const merged = readFileSync(`${subject.home}/kubeconfig`, 'utf8')
    expect(merged).toContain(`current-context: airlift-${subject.cluster}`)
    const printed = await on('kubeconfig')
    expect([printed.exitCode, printed.json]).toMatchObject([0, { reachable: true }])
    const installed = await execa('kubectl', ['version', '--client'], { reject: false })
    if (installed.exitCode !== 0) return
    const nodes = await execa('kubectl', ['get', 'nodes', '-o', 'name'], {
      env: { KUBECONFIG: `${subject.home}/kubeconfig` },
    })
    expect(nodes.stdout.split('\n').sort()).toEqual(first.nodes.map(({ name }) => `node/${name}`).sort())
  })

  it('image list asks every node, logs has every machine', async () => {
    const listed = await subject.cli('image', 'list', ...subject.where)
    expect([listed.exitCode, listed.json]).toMatchObject([0, { operation: 'image list', outcome: 'done' }])
    const { images: all, machines } = listed.json as Ran & { images: { name: string; missing: unknown[] }[] }
    expect(machines).toHaveLength(2)
    expect(all.find(({ name }) => name.includes('pause'))).toMatchObject({ missing: [] })
    const output = `${subject.home}/logs`
    const logs = await on('logs', '--output', output)
    expect(logs.exitCode).toBe(0)
    expect(logs.json).toMatchObject({ outcome: 'done', machines: Array(2).fill({ outcome: 'collected' }) })
    const files = readdirSync(output, { recursive: true }).map(String)
    for (const { name } of first.nodes) expect(files.some((file) => file.includes(name))).toBe(true)
    for (const file of [/index\.json$/, /k3s\.log$/, /k3s-agent\.log$/])
      expect(files.some((path) => file.test(path))).toBe(true)
  })

  it('image import brings an image to every node once, and prune finds nothing of a cluster that lives', async () => {
    const archive = `${subject.home}/app.tar`
    writeFileSync(archive, dockerArchive([{ names: ['airlift-test/conformance:1'] }]))
    const bring = async () => (await subject.cli('image', 'import', archive, ...subject.where)).json
    const ofAll = (outcome: string) => Array(2).fill({ images: [{ outcome }], error: null })
    expect(await bring()).toMatchObject({ outcome: 'done', machines: ofAll('imported') })
    expect(await bring()).toMatchObject({ outcome: 'unchanged', machines: ofAll('present') })
    const broken = `${subject.home}/broken.tar`
    writeFileSync(broken, 'no archive')
    const refused = await subject.cli('image', 'import', broken, ...subject.where)
    expect([refused.exitCode, refused.json]).toMatchObject([2, { error: { code: expect.any(String) } }])
    const left = await subject.cli('prune', '--dry-run')
    expect(left.exitCode).toBe(0)
    expect(JSON.stringify((left.json as { found: unknown }).found)).not.toContain(subject.cluster)
  })

  it('exec tells what failed as one error, and a time that is up as such', async () => {
    const failed = await on('exec', '--', 'exit 7')
    expect([failed.exitCode, failed.json]).toMatchObject([
      1,
      { outcome: 'failed', error: { code: 'E_COMMAND' }, machines: Array(2).fill({ exitCode: 7 }) },
    ])
    const late = await on('exec', '--timeout', '1s', '--', 'sleep 20')
    expect([late.exitCode, late.json]).toMatchObject([4, { error: { code: 'E_TIMEOUT' } }])
  })

  it('run waits for what it is told to wait for', async () => {
    for (const wait of ['none', 'api', 'nodes', 'system']) {
      const waited = await subject.cli(
        ...['run', '--rootfs', subject.bundle, '--name', subject.cluster, ...subject.machines],
        ...['--wait', wait],
      )
      expect([wait, waited.exitCode, waited.json]).toMatchObject([wait, 0, { outcome: 'unchanged' }])
    }
  })

  it('stop ends it, status says how to go on, start brings it back with what was written', async () => {
    await onMaster(`${KUBECTL} create configmap kept --from-literal=written=before >/dev/null`)
    const stopped = await on('stop')
    expect([stopped.exitCode, stopped.json]).toMatchObject([0, { operation: 'stop', outcome: 'done' }])
    const down = await on('status')
    expect([down.exitCode, down.json]).toMatchObject([
      1,
      {
        health: 'down',
        problems: [
          { code: 'stopped', hint: expect.stringContaining(`airlift start --name ${subject.cluster}`) },
        ],
      },
    ])
    expect((await on('stop')).json).toMatchObject({ outcome: 'unchanged' })
    const started = await on('start')
    expect(started.stderr).not.toContain('error:')
    expect([started.exitCode, started.json]).toMatchObject([0, { operation: 'start', outcome: 'done' }])
    expect(await status()).toMatchObject({ health: 'ready', nodes: first.nodes })
    expect(await onMaster(`${KUBECTL} get configmap kept -o jsonpath={.data.written}`)).toBe('before')
    expect((await run()).json).toMatchObject({ outcome: 'unchanged' })
  })

  it('add joins a worker, delete takes it out and leaves nothing of it', async () => {
    const added = await subject.cli(
      'add',
      '--rootfs',
      subject.bundle,
      '--name',
      subject.cluster,
      ...subject.another,
    )
    expect(added.stderr).not.toContain('error:')
    expect([added.exitCode, added.json]).toMatchObject([
      0,
      { operation: 'add', outcome: 'done', machines: [{ role: 'worker', outcome: 'changed', error: null }] },
    ])
    const grown = await status()
    expect([grown.health, grown.nodes.length]).toEqual(['ready', 3])
    const before = new Set(first.nodes.map(({ name }) => name))
    const newcomer = grown.nodes.find(({ name }) => !before.has(name))
    if (!newcomer) throw new Error('nobody joined')
    expect(await subject.left(newcomer.machine)).not.toBe('')
    const gone = await on('delete', '--nodes', newcomer.name)
    expect(gone.stderr).not.toContain('error:')
    expect([gone.exitCode, gone.json]).toMatchObject([0, { operation: 'delete', outcome: 'done', left: [] }])
    expect(await subject.left(newcomer.machine)).toBe('')
    expect(await onMaster(`${KUBECTL} get nodes -o name | sort | tr '\\n' ' '`)).toBe(
      [...before]
        .map((name) => `node/${name}`)
        .sort()
        .join(' '),
    )
    expect(await status()).toMatchObject({ health: 'ready', nodes: first.nodes })
  })

  it('delete refuses the last master', async () => {
    const master = first.nodes.find(({ role }) => role === 'master')?.name ?? ''
    const refused = await on('delete', '--masters', master)
    expect([refused.exitCode, refused.json]).toMatchObject([
      5,
      {
        error: {
          code: 'E_REFUSED',
          message: expect.stringContaining('last master'),
          hint: expect.any(String),
        },
      },
    ])
    expect(await status()).toMatchObject({ health: 'ready' })
  })

  it('what its machines cannot do is refused by name, never ignored', async () => {
    for (const [args, named] of subject.foreign) {
      const refused = await subject.cli(...args)
      expect([args.join(' '), refused.exitCode]).toEqual([args.join(' '), 2])
      const { error } = refused.json as { error: { code: string; message: string; hint: string | null } }
      expect(`${error.message} ${error.hint}`).toContain(named)
      expect(error.hint).toMatch(/\S/)
    }
    const unknown = await on('upgrade')
    expect(unknown.exitCode).toBe(2)
    expect(unknown.json).toMatchObject({ error: { message: expect.stringContaining('upgrade') } })
  })

  it('reset leaves nothing, and then there is no such cluster', async () => {
    expect(await subject.left()).not.toBe('')
    const removed = await on('reset')
    expect(removed.stderr).not.toContain('error:')
    expect([removed.exitCode, removed.json]).toMatchObject([0, { operation: 'reset', outcome: 'done' }])
    expect(await subject.left()).toBe('')
    expect(readFileSync(`${subject.home}/kubeconfig`, 'utf8')).not.toContain(subject.cluster)
    const again = await on('reset')
    expect([again.exitCode, again.json]).toMatchObject([6, { error: { code: 'E_NO_CLUSTER' } }])
    expect((await on('status')).exitCode).toBe(6)
  })
})
