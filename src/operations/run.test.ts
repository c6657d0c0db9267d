import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readRecord, recordOf, writeRecord } from '../cluster/record.js'
import type { MachineTarget } from '../cluster/spec.js'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createFakeMachine, type FakeReply } from '../machine/fake/fake-machine.js'
import { createSecretSource } from '../machine/ssh/secret-source.js'
import type { Rootfs } from '../rootfs/manifest.js'
import { loadTemplates } from '../rootfs/templates.js'
import { rootfs as manifest, spec } from '../runtime/preflight/preflight.fixture.js'
import { run } from './run.js'

/** A host as it was recorded, without the k3s that the probe found there. */
const recorded = readFileSync(
  new URL('../machine/facts/golden/debian-systemd.probe.txt', import.meta.url),
  'utf8',
).replace(/^<units\t(.*)$[\s\S]*?^>\1$\n/m, '')

let state = ''
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'airlift-run-'))
})
afterEach(() => rmSync(state, { recursive: true, force: true }))

/** A bare host: it does all that it is told, and its probe never shows anything of it unless `look` says more. */
async function runOn(look: (n: number) => FakeReply) {
  const ctx = createContext({
    env: { HOME: state, XDG_STATE_HOME: state },
    clock: { now: () => Date.now(), sleep: async () => {} },
  })
  let looks = 0
  const probe = (): FakeReply => {
    const now = `${BigInt(Date.now()) * 1_000_000n}`
    const reply = look(++looks)
    if (typeof reply !== 'string') return reply
    return reply.replace(/^clock(End)?\t.*$/gm, (_line, end = '') => `clock${end}\t${now}`)
  }
  const scripts: string[] = []
  const deps = {
    secrets: createSecretSource({}, async () => undefined),
    connectEngine: () => Promise.reject(new AirliftError('E_ENGINE_UNREACHABLE', 'no engine answers')),
    createConnector: () => ({
      engine: () => Promise.reject(new Error('no engine is expected')),
      connect: async (target: MachineTarget) =>
        createFakeMachine({
          id: `ssh://root@${target.host}:22`,
          name: target.text,
          on: [
            { match: 'probe()', fn: probe },
            {
              match: /./,
              fn: ({ script }) => {
                scripts.push(script)
                return ''
              },
            },
          ],
        }),
      close: async () => {},
    }),
  }
  const rootfs: Rootfs = {
    ref: 'k3s.airlift',
    digest: 'sha256:00',
    manifest: { ...manifest, files: manifest.files.map((file) => ({ ...file, size: 3 })) },
    templates: await loadTemplates('k3s'),
    openBlob: () => Readable.from([Buffer.from('abc')]),
    describeBlob: (sha256) => sha256,
    close: async () => {},
  }
  const outcome = run({ spec: spec(1, 0), rootfs }, ctx, deps)
  return { outcome, ctx, scripts }
}

describe('run', () => {
  it('gives its report and keeps the record when what is read back is not what was asked for', async () => {
    const { outcome, ctx } = await runOn(() => recorded)
    const { report, error } = await outcome
    expect(error).toMatchObject({ code: 'E_VERIFY', exit: 1 })
    expect(error?.message).toMatch(/^the cluster is not what was asked for: \d+ steps are left$/)
    expect(error?.log.length).toBeGreaterThan(0)
    expect(report).toMatchObject({ outcome: 'failed', operation: 'run' })
    expect(report?.steps.done).toBeGreaterThan(2)
    expect(await readRecord('prod', ctx.env)).toMatchObject({ name: 'prod', masters: ['root@10.0.0.1'] })
  })

  it('fails where a host runs another release than the rootfs says, and says which rootfs to build', async () => {
    const runs = (version: string): string =>
      recorded.replace(/^<df\t(.*)$/m, `<fragment.k3s-version\t$1\nk3s version ${version} (abc)\n>$1\n$&`)
    const { outcome } = await runOn((n) => (n === 1 ? recorded : runs('v1.32.5+k3s1')))
    const { report, error } = await outcome
    expect(error).toMatchObject({
      code: 'E_VERIFY',
      message: `root@10.0.0.1 runs k3s v1.32.5+k3s1, and the rootfs says that it holds ${manifest.version}`,
      hint: expect.stringContaining('--version v1.32.5+k3s1'),
    })
    expect(report).toMatchObject({ outcome: 'failed' })
    const right = await runOn((n) => (n === 1 ? recorded : runs(manifest.version)))
    expect((await right.outcome).error?.message).toMatch(/steps are left$/)
  })

  it('gives them too when the machines cannot be looked at again', async () => {
    const lost = new AirliftError('E_SSH_LOST', 'the connection was lost')
    const { outcome, ctx } = await runOn((n) => (n === 1 ? recorded : lost))
    const { report, error } = await outcome
    expect(error).toMatchObject({ code: 'E_SSH_LOST' })
    expect(report).toMatchObject({ outcome: 'failed' })
    expect(await readRecord('prod', ctx.env)).toBeDefined()
  })

  it('changes nothing where its name is that of a cluster on other hosts', async () => {
    const others = { ...recordOf(spec(1, 0), 'v1.33.1+k3s1', new Date()), masters: ['root@10.0.0.9'] }
    await writeRecord(others, { XDG_STATE_HOME: state })
    const noted = '<record\tfence\n{"name":"prod","masters":["root@10.0.0.9"]}\n>fence\n'
    const { outcome, scripts, ctx } = await runOn((n) =>
      n === 1 ? recorded : recorded.replace(/^clockEnd\t/m, `${noted}$&`),
    )
    await expect(outcome).rejects.toMatchObject({
      code: 'E_PREFLIGHT',
      message: expect.stringContaining('"prod" is the name of a cluster on root@10.0.0.9'),
      data: { problems: expect.arrayContaining([expect.objectContaining({ code: 'name-taken' })]) },
    })
    expect(scripts).toEqual([])
    expect(await readRecord('prod', ctx.env)).toEqual(others)
  })

  it('changes nothing on a machine that somebody works on', async () => {
    const lines = ['a1', 'yes', 'ann@laptop', '2026-01-01T00:00:00Z', 'run', '']
    const lock = `<lock\tfence\n${lines.join('\n')}\n>fence\n`
    const { outcome, scripts } = await runOn(() => recorded.replace(/^clockEnd\t/m, `${lock}$&`))
    await expect(outcome).rejects.toMatchObject({
      code: 'E_LOCKED',
      message: expect.stringContaining('ann@laptop is working on this machine'),
    })
    expect(scripts).toEqual([])
  })
})
