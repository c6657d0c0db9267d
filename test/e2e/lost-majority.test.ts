import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, LONG, lab, labMissing } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, onHost } from './hosts.js'

interface Failure {
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string }
}

describe.skipIf(labMissing())('two masters of which one was wiped', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-lost', 2)
  })
  afterAll(() => scene?.end())

  const run = (...more: string[]): Promise<CliResult> =>
    scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(2), '-o', 'json', ...more])

  it(
    'are refused at once with the reason, and what the hint says brings them back',
    async () => {
      const first = await run()
      expect(first.json, first.stderr).toMatchObject({ outcome: 'done' })
      await lab('fresh', hostOf(scene, 1).name)
      // etcd takes some seconds to see that its leader, or its follower, is gone.
      const survivor = hostOf(scene, 0)
      await expect
        .poll(() => onHost(survivor, 'timeout 5 k3s kubectl get --raw /readyz 2>/dev/null || true'), {
          timeout: 300_000,
          interval: 1_000,
        })
        .not.toBe('ok')
      const started = Date.now()
      const refused = await run()
      expect(Date.now() - started).toBeLessThan(60_000)
      expect(refused.exitCode, refused.stdout + refused.stderr).toBe(5)
      const { error } = refused.json as Failure
      expect(error).toMatchObject({
        code: 'E_REFUSED',
        message: 'etcd of "default" has lost its majority: 1 of 2 masters still has its data',
      })
      const wiped = hostOf(scene, 1)
      expect(await onHost(wiped, 'find /usr/local/bin /var/lib/airlift -type f 2>/dev/null || true')).toBe('')

      const remedy = /run "([^"]+)"/.exec(error?.hint ?? '')?.[1] ?? ''
      expect(remedy).toContain('--cluster-reset')
      const [stop, reset, start, forget] = remedy.split('; ')
      await onHost(survivor, `${stop}; ${reset}; ${start}`)
      await expect
        .poll(() => onHost(survivor, `${forget} --ignore-not-found >/dev/null 2>&1 && echo done || true`), {
          timeout: 300_000,
          interval: 1_000,
        })
        .toBe('done')
      const again = await run()
      expect(again.json, again.stderr).toMatchObject({ outcome: 'done' })
      const status = await scene.cli(['status', ...scene.where(2), '-o', 'json'])
      expect(status.json, status.stdout).toMatchObject({
        health: 'ready',
        datastore: { kind: 'etcd', members: 2, healthy: 2 },
        problems: [],
      })
    },
    LONG,
  )
})
