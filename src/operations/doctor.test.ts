import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { recordOf, writeRecord } from '../cluster/record.js'
import { type Context, createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import { createFakeMachine } from '../machine/fake/fake-machine.js'
import { CLEAN_END } from '../runtime/clean/clean-script.js'
import { node, rootfs, spec } from '../runtime/preflight/preflight.fixture.js'
import { containersNamed } from './containers.fixture.js'
import { doctor } from './doctor.js'
import type { DoctorReport } from './doctor-report.js'
import { hostAnswer, hostLab } from './hosts.fixture.js'
import type { OperationDeps } from './session.js'
import { checkNode, checkThisComputer } from './this-computer.js'

const answer = (hostname: string, aheadMs = 0): string => hostAnswer(hostname, { aheadMs })
const deps = (replies: Parameters<typeof hostLab>[0]): OperationDeps => hostLab(replies).deps

const ctx: Context = createContext({ env: {} })

describe('doctor', () => {
  it('looks at all machines, tells what each is, and finds what only shows between them', async () => {
    const report = await doctor(
      { spec: spec(1, 1), rootfs },
      ctx,
      deps({ '10.0.0.1': answer('same'), '10.0.0.2': answer('Same', 3_600_000) }),
    )
    expect(report.ok).toBe(false)
    expect(report.machines[0]).toMatchObject({
      machine: 'ssh://root@10.0.0.1:22',
      role: 'master',
      ok: true,
      hostname: 'same',
      init: 'systemd',
      arch: 'x86_64',
      address: '10.77.31.12',
    })
    const codes = report.problems.map((entry) => `${entry.machine} ${entry.code}`)
    expect(codes).toContain('root@10.0.0.2 duplicate-hostname')
    expect(codes).toContain('root@10.0.0.2 clock-skew')
    expect(codes).toContain('root@10.0.0.2 duplicate-address')
    expect(report.machines[1]?.ok).toBe(false)
  })

  it('asks machines for their route to what ssh makes of the first master’s alias', async () => {
    const aliases: OperationDeps = {
      ...deps({}),
      createConnector: () => ({
        engine: () => Promise.reject(new Error('no engine is expected')),
        connect: async ({ host, text }) =>
          createFakeMachine({
            id: `ssh://root@${host.replace('10.0', '10.99')}:22`,
            name: text,
            on: [{ match: 'for name in 10.99.0.1; do', reply: answer(host) }],
          }),
        close: async () => {},
      }),
    }
    const report = await doctor({ spec: spec(1, 1) }, ctx, aliases)
    expect(report.machines.map(({ hostname }) => hostname)).toEqual(['10.0.0.1', '10.0.0.2'])
  })

  it('is content where only ignored errors are found', async () => {
    const wanted = spec(1, 0)
    const late = deps({ '10.0.0.1': answer('bare1', -3_600_000) })
    expect((await doctor({ spec: wanted }, ctx, late)).ok).toBe(false)
    expect((await doctor({ spec: { ...wanted, ignore: ['clock-skew'] } }, ctx, late)).ok).toBe(true)
    await expect(doctor({ spec: { ...wanted, ignore: ['clock'] } }, ctx, late)).rejects.toMatchObject({
      code: 'E_USAGE',
    })
  })

  it('turns machines that cannot be used into problems, and looks at the others', async () => {
    const report = await doctor(
      { spec: spec(1, 4) },
      ctx,
      deps({
        '10.0.0.1': answer('bare1'),
        '10.0.0.2': new AirliftError('E_SSH_UNREACHABLE', 'no route to 10.0.0.2:22', { hint: 'check it' }),
        '10.0.0.3': new AirliftError('E_SSH_AUTH', 'every key was refused'),
        '10.0.0.4': new AirliftError('E_SUDO', 'sudo wants a password', { hint: 'a\nb' }),
        '10.0.0.5': { exitCode: 127, stderr: 'no grep' },
      }),
    )
    const errors = report.problems.filter((entry) => entry.severity === 'error')
    expect(errors.map(({ machine, code }) => [machine, code])).toEqual([
      ['root@10.0.0.2', 'unreachable'],
      ['root@10.0.0.3', 'ssh-auth'],
      ['root@10.0.0.4', 'no-sudo'],
      ['root@10.0.0.5', 'probe-failed'],
    ])
    expect(errors[2]?.fix).toBe('a; b')
    expect(report.machines.map((machine) => machine.ok)).toEqual([true, false, false, false, false])
  })

  it('--clean proves each machine bare, or tells what is left', async () => {
    const replies = { '10.0.0.1': `${CLEAN_END}\n`, '10.0.0.2': `left\tlink\tcni0\n${CLEAN_END}\n` }
    const report = await doctor({ spec: spec(1, 1), clean: true }, ctx, deps(replies))
    expect(report.ok).toBe(false)
    expect(report.problems).toMatchObject([
      { code: 'not-clean', machine: 'root@10.0.0.2', message: 'network interface cni0 is left' },
    ])
    const bare = await doctor({ spec: spec(1, 0), clean: true }, ctx, deps(replies))
    expect(bare).toMatchObject({ ok: true, problems: [] })
  })
})

describe('a name that is taken', () => {
  const env = { XDG_STATE_HOME: mkdtempSync(join(tmpdir(), 'airlift-doctor-')) }
  const own = createContext({ env })
  afterAll(() => rmSync(env.XDG_STATE_HOME, { recursive: true, force: true }))

  it('by hosts is a problem of other hosts and of containers, not of the same', async () => {
    await writeRecord(recordOf(spec(1, 0), 'v1.33.1+k3s1', new Date()), env)
    const there = { '10.0.0.1': hostAnswer('one', { record: { name: 'prod' } }) }
    const codes = (report: DoctorReport) => report.problems.map(({ code }) => code)
    const other = { ...spec(0, 0), masters: [node('10.0.0.2', 'master')] }
    const both = deps({ ...there, '10.0.0.2': answer('two') })
    const found = await doctor({ spec: other }, own, both)
    expect(found.ok).toBe(false)
    expect(codes(found)).toContain('name-taken')
    expect(codes(await doctor({ spec: spec(1, 0) }, own, both))).not.toContain('name-taken')
    const engine = createFakeEngine()
    const contained = await doctor({ spec: containersNamed('prod') }, own, {
      ...deps(there),
      connectEngine: async () => engine,
    })
    expect(contained).toMatchObject({ ok: false })
    expect(codes(contained)).toContain('name-taken')
  })
})

describe('this computer', () => {
  it('needs Node.js 20.19', () => {
    expect(checkNode('18.20.0')).toHaveLength(1)
    expect(checkNode('20.18.3')).toHaveLength(1)
    expect(checkNode('20.19.0')).toEqual([])
    expect(checkNode('24.1.0')).toEqual([])
  })

  it('is looked at without machines; no agent and no Docker are only worth knowing', async () => {
    const env = {
      SSH_AUTH_SOCK: '/nonexistent/agent',
      DOCKER_HOST: 'unix:///nonexistent/docker.sock',
      HOME: '/',
    }
    const found = await checkThisComputer({ env })
    expect(
      found.filter((entry) => entry.code !== 'local-disk').map(({ code, severity }) => [code, severity]),
    ).toEqual([
      ['ssh-agent', 'info'],
      ['docker-engine', 'info'],
    ])
    const report = await doctor({ spec: spec(0, 0) }, createContext({ env }), deps({}))
    expect(report).toMatchObject({ ok: true, machines: [] })
  })
})
