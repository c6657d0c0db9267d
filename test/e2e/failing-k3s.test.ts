import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { airlift, type CliResult, k3sUnderTest, labMissing, ROOT } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, named, onHost } from './hosts.js'

const KNOBS = '/etc/rancher/standin.json'

if (k3sUnderTest().real)
  process.stderr.write('\nSKIPPED: a k3s that fails on purpose: only the stand-in does, by its knobs\n\n')

/** What k3s itself does not say, or says for ever. Only the stand-in fails on purpose. */
describe.skipIf(labMissing() || k3sUnderTest().real)('a k3s that fails', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-failing', 1)
  })
  afterAll(() => scene?.end())

  const run = (...more: string[]): Promise<CliResult> =>
    scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(), '-o', 'json', ...more])
  const knobs = (value: object): Promise<string> =>
    onHost(hostOf(scene, 0), `mkdir -p /etc/rancher && echo '${JSON.stringify(value)}' > ${KNOBS}`)
  const mend = (): Promise<string> => onHost(hostOf(scene, 0), `rm ${KNOBS}`)

  it('again and again is not waited for until the time is up, and its last words are told', async () => {
    await knobs({ crash_at: 'boot', boot_ms: 10 })
    const began = Date.now()
    const failed = await run('--timeout', '170s')
    expect(Date.now() - began).toBeLessThan(150_000)
    expect(failed.exitCode, failed.stdout).toBe(1)
    expect(failed.json).toMatchObject({ outcome: 'failed', error: { code: 'E_START' } })
    expect(failed.stdout).toMatch(/k3s has ended \d+ times since it was started/)
    expect(failed.stderr).toMatch(/crash/)
    await mend()
    const again = await run()
    expect(again.json, again.stderr).toMatchObject({ outcome: 'done' })
    await scene.cli(['reset', '--yes', ...scene.where()])
  })

  it('to import an image, which it only logs, fails the run with the name of the image', async () => {
    await knobs({ import_fails: 'pause' })
    const failed = await run('--timeout', '20s')
    expect(failed.exitCode, failed.stdout).toBe(4)
    expect(failed.json).toMatchObject({ outcome: 'failed', error: { code: 'E_TIMEOUT' } })
    expect(failed.stdout).toMatch(/images of the rootfs to be imported/)
    expect(failed.stderr).toMatch(/missing: docker\.io\/rancher\/mirrored-pause:3\.6/)
    expect(failed.stderr).toMatch(/Failed to process image event/)
    await mend()
    await onHost(hostOf(scene, 0), 'systemctl restart k3s')
    const again = await run()
    expect(again.json, again.stderr).toMatchObject({ outcome: 'done' })
  })
})

const ID = process.pid
const IMAGE = `airlift-test-failing-${ID}:1`
const NAME = `test-fk-${ID}`

describe.skipIf(labMissing() || k3sUnderTest().real)('a k3s that fails in a container', () => {
  let home = ''
  const json = async (...args: string[]): Promise<CliResult & { told: Record<string, never> }> => {
    const found = await airlift([...args, '--name', NAME, '-o', 'json'], { home })
    return { ...found, told: found.json as Record<string, never> }
  }
  /** What the engine has of the cluster. */
  const left = async (): Promise<string[]> => {
    const filter = ['--filter', `label=airlift.cluster=${NAME}`, '--format']
    const found = await Promise.all([
      execa('docker', ['ps', '-a', ...filter, '{{.Names}}']),
      execa('docker', ['volume', 'ls', ...filter, '{{.Name}}']),
    ])
    return found.flatMap(({ stdout }) => stdout.split('\n').filter(Boolean)).sort()
  }
  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-failing-`)
    await execa(`${ROOT}/lab/stand-in/image.sh`, [IMAGE])
  }, 120_000)
  afterAll(async () => {
    await json('reset', '--yes')
    await execa('docker', ['rmi', '-f', IMAGE], { reject: false })
    rmSync(home, { recursive: true, force: true })
  }, 120_000)

  it('to be up in time is told with its last lines, and with a remedy that can be followed', async () => {
    writeFileSync(`${home}/slow.json`, JSON.stringify({ boot_ms: 60_000 }))
    const slow = ['--file', `${home}/slow.json:/etc/rancher/standin.json`]
    const late = await json('run', '--image', IMAGE, '--masters', '1', '--timeout', '8s', ...slow)
    expect(late.exitCode, late.stderr).toBe(4)
    const error = late.told.error as unknown as { code: string; log: string[]; hint: string }
    expect(error.code).toBe('E_TIMEOUT')
    expect(error.log.length).toBeGreaterThan(0)
    expect(error.hint).toMatch(/^--timeout lets it wait longer\n.*--keep .*: docker logs airlift-/)
    expect(await left()).toEqual([])
  })

  it('again and again, and joins so, is taken back, with all that it had', async () => {
    const run = await json(...['run', '--image', IMAGE, '--masters', '1', '--set', 'cluster-init=true'])
    expect(run.exitCode, run.stderr).toBe(0)
    const before = await left()
    const crash = ['--k3s-arg=--no-such-flag']
    for (const role of ['--masters', '--nodes']) {
      const failed = await json('add', role, '1', ...crash)
      expect(failed.exitCode, failed.stdout).toBe(1)
      expect(failed.told.error, failed.stdout).toMatchObject({ code: 'E_START' })
      expect(failed.stdout).toContain('what this add made was removed')
      expect(await left()).toEqual(before)
    }
    const status = await json('status')
    expect(status.told, status.stdout).toMatchObject({ health: 'ready', nodes: [{ ready: true }] })
  }, 240_000)
})

/** OpenRC keeps one log over all starts, and its supervisor counts them. */
describe.skipIf(labMissing() || k3sUnderTest().real)('a k3s that fails on a host with OpenRC', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-failing-rc', 1, '--openrc', '1')
    expect(hostOf(scene, 1).kind).toBe('openrc')
  })
  afterAll(() => scene?.end())

  const on = (script: string): Promise<string> => onHost(hostOf(scene, 1), script)
  const run = (...more: string[]): Promise<CliResult> =>
    scene.cli([
      'run',
      '--rootfs',
      scene.bundle,
      ...named(scene, [`root@${hostOf(scene, 1).ip}`]),
      '-o',
      'json',
      ...more,
    ])

  it('again and again is told after a few crashes, with its last words', async () => {
    await on(`mkdir -p /etc/rancher && echo '{"crash_at": "boot", "boot_ms": 10}' > ${KNOBS}`)
    const began = Date.now()
    const failed = await run('--timeout', '170s')
    expect(Date.now() - began).toBeLessThan(150_000)
    expect(failed.exitCode, failed.stdout).toBe(1)
    expect(failed.json).toMatchObject({ outcome: 'failed', error: { code: 'E_START' } })
    expect(failed.stdout).toMatch(/k3s has ended \d+ times since it was started/)
    expect(failed.stdout).toContain('the whole log: /var/log/k3s.log')
    expect(failed.stderr).toMatch(/crash/)
    await on(`rm ${KNOBS}`)
  })

  it('for a cause that was mended since does not fail the next run', async () => {
    const line = 'level=fatal msg="listen tcp :6443: bind: address already in use"'
    await on(`for i in 1 2 3; do echo '${line}' >> /var/log/k3s.log; done`)
    const again = await run()
    expect(again.json, again.stderr).toMatchObject({ outcome: 'done' })
  })
})
