import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, labMissing } from '../lab/lab.js'
import { killAt, type Scenario, startScenario } from './cluster.js'
import { hostOf, onHost } from './hosts.js'

interface Failure {
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null }
}

describe.skipIf(labMissing())('two operators', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-two', 2)
  })
  afterAll(() => scene?.end())

  const run = (operator: string): Promise<CliResult> =>
    scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(), '-o', 'json'], {
      XDG_STATE_HOME: `${scene.home}/${operator}`,
      KUBECONFIG: `${scene.home}/${operator}.kubeconfig`,
    })
  const mustBeReady = async (): Promise<void> => {
    const status = await scene.cli(['status', ...scene.where(), '-o', 'json'])
    expect(status.json, status.stdout).toMatchObject({ health: 'ready', problems: [] })
  }
  const reset = async (): Promise<void> => {
    const result = await scene.cli(['reset', '--yes', ...scene.where(), '-o', 'json'])
    expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
    const clean = await scene.cli(['doctor', '--clean', ...scene.where(), '-o', 'json'])
    expect(clean.exitCode, clean.stdout).toBe(0)
  }

  it('the second is refused while the first is at work, and told who that is', async () => {
    const first = run('ann')
    const journal = 'cat /var/lib/airlift/journal 2>/dev/null || true'
    await expect
      .poll(() => onHost(hostOf(scene, 0), journal), { timeout: 60_000, interval: 100 })
      .not.toBe('')
    // The first is held, or it would be done before the others have looked twice.
    const ann = `airlift.js run --rootfs ${scene.bundle}`
    await execa('pkill', ['-STOP', '-f', ann])
    const others = Promise.all([run('bob'), scene.cli(['reset', '--yes', ...scene.where(), '-o', 'json'])])
    // Only the others' own processes have begun since.
    const refused = await others.finally(() => execa('pkill', ['-CONT', '-f', ann]))
    for (const result of refused) {
      expect(result.exitCode, result.stderr).toBe(1)
      expect((result.json as Failure).error).toMatchObject({
        code: 'E_LOCKED',
        message: expect.stringMatching(/^\S+@\S+ is working on this machine: airlift run, since \d{4}-/),
        hint: expect.stringContaining('wait'),
      })
    }
    const done = await first
    expect(done.json, done.stderr).toMatchObject({ outcome: 'done' })
    await mustBeReady()
    expect((await run('bob')).json).toMatchObject({ outcome: 'unchanged' })
    await reset()
  })

  it('who begin at the same moment do not spoil each other: at most one gets through, and the next run finishes', async () => {
    const both = await Promise.all([run('ann'), run('bob')])
    const through = both.filter((result) => result.exitCode === 0)
    expect(through.length, both.map((result) => result.stdout).join('\n')).toBeLessThanOrEqual(1)
    for (const result of both.filter((other) => other.exitCode !== 0))
      expect(result.stdout).toContain('E_LOCKED')
    const again = await run('ann')
    expect(again.exitCode, again.stderr).toBe(0)
    await mustBeReady()
    await reset()
  })

  it('one who was killed does not hold the other back', async () => {
    const cut = await killAt(['run', '--rootfs', scene.bundle, ...scene.where()], scene.home, 'step.done', 2)
    expect(cut.killed, cut.stderr).toBe(true)
    const result = await run('bob')
    expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
    await mustBeReady()
    await reset()
  })
})
