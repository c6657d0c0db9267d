import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, LONG, labMissing, sshFlags } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, named, onHost } from './hosts.js'

const errorOf = (result: CliResult): unknown => (result.json as { error?: unknown }).error

describe.skipIf(labMissing())('a master with SQLite', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-sqlite', 2)
    const made = await scene.cli([
      'run',
      '--rootfs',
      scene.bundle,
      ...named(scene, [`root@${hostOf(scene, 0).ip}`]),
    ])
    expect(made.exitCode, made.stderr).toBe(0)
  }, LONG)
  afterAll(() => scene?.end())

  it('takes no second master, and does not leave', async () => {
    const ssh = sshFlags(scene.machines)
    const second = await scene.cli([
      'add',
      '--rootfs',
      scene.bundle,
      '--masters',
      `root@${hostOf(scene, 1).ip}`,
      ...ssh,
      '-o',
      'json',
    ])
    expect(second.exitCode).toBe(5)
    expect(errorOf(second)).toMatchObject({ code: 'E_REFUSED', message: expect.stringContaining('SQLite') })
    expect(await onHost(hostOf(scene, 1), 'ls /usr/local/bin/k3s /var/lib/airlift 2>/dev/null || true')).toBe(
      '',
    )
    const last = await scene.cli([
      'delete',
      '--masters',
      hostOf(scene, 0).name,
      '--yes',
      ...ssh,
      '-o',
      'json',
    ])
    expect(last.exitCode).toBe(5)
    expect(errorOf(last)).toMatchObject({
      code: 'E_REFUSED',
      message: expect.stringContaining('last master'),
    })
    const status = await scene.cli(['status', ...ssh, '-o', 'json'])
    expect(status.json).toMatchObject({ health: 'ready', datastore: { kind: 'sqlite' } })
  })
})
