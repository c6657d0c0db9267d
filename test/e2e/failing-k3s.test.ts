import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, k3sUnderTest, labMissing } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, onHost } from './hosts.js'

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
