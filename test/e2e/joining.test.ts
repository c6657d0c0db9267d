import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, LONG, lab, labMissing } from '../lab/lab.js'
import { killAt, type Scenario, startScenario } from './cluster.js'
import { hostOf, onHost, outcomes } from './hosts.js'

interface Failure {
  readonly error?: { readonly code: string; readonly message: string; readonly hint: string | null }
}

describe.skipIf(labMissing())('three masters and a worker', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-masters', 4)
  })
  afterAll(() => scene?.end())

  const run = (...more: string[]): Promise<CliResult> =>
    scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(3), '-o', 'json', ...more])
  const mustBeWhole = async (): Promise<void> => {
    const status = await scene.cli(['status', ...scene.where(3), '-o', 'json'])
    expect(status.json, status.stdout).toMatchObject({
      health: 'ready',
      datastore: { kind: 'etcd', members: 3, healthy: 3 },
      problems: [],
    })
    expect((status.json as { nodes: { ready: boolean }[] }).nodes.map((node) => node.ready)).toEqual([
      true,
      true,
      true,
      true,
    ])
  }

  it('form one cluster, also when the run is killed while the second master joins', async () => {
    const { name, ip } = hostOf(scene, 1)
    const startOfSecond = `step.start","machine":"ssh://root@${ip}:22","step":"${name}/start`
    const args = ['run', '--rootfs', scene.bundle, ...scene.where(3)]
    const cut = await killAt(args, scene.home, startOfSecond, 1)
    expect(cut.killed, cut.stderr).toBe(true)
    await expect.poll(() => onHost(hostOf(scene, 1), 'systemctl is-enabled k3s || true')).toBe('enabled')
    const again = await run()
    expect(again.json, again.stderr).toMatchObject({ outcome: 'done' })
    await mustBeWhole()
    expect((await run()).json).toMatchObject({ outcome: 'unchanged', bytesSent: 0 })
  })

  it('take back a worker whose host was installed anew', async () => {
    await lab('fresh', hostOf(scene, 3).name)
    const result = await run()
    expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
    expect(outcomes(result.json).at(-1)).toBe('changed')
    await mustBeWhole()
  })

  it(
    'take back a master whose host was installed anew, the founder too',
    async () => {
      for (const index of [2, 0]) {
        await lab('fresh', hostOf(scene, index).name)
        const plan = await scene.cli([
          'run',
          '--rootfs',
          scene.bundle,
          ...scene.where(3),
          '--dry-run',
          '-o',
          'json',
        ])
        expect((plan.json as { steps: { id: string }[] }).steps.map((step) => step.id)).toContain(
          `${hostOf(scene, index).name}/forget`,
        )
        const result = await run()
        expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
        await mustBeWhole()
      }
    },
    LONG,
  )

  it('refuse a host of the same name at another address: it may be another machine', async () => {
    const worker = hostOf(scene, 3)
    const name = `${worker.name}-twin`
    // A node that some other machine registered; this host then takes its name.
    await onHost(
      hostOf(scene, 1),
      `printf '%s' '{"apiVersion":"v1","kind":"Node","metadata":{"name":"${name}"},"status":{"addresses":[{"type":"InternalIP","address":"192.0.2.9"}]}}' | k3s kubectl create -f -`,
    )
    await lab('fresh', worker.name)
    await onHost(worker, `hostname ${name}`)
    const result = await run()
    expect(result.exitCode).not.toBe(0)
    expect((result.json as Failure).error?.code).toMatch(/E_JOIN|E_REMOVE_REFUSED/)
    expect(await onHost(worker, 'find /usr/local/bin /var/lib/airlift -type f 2>/dev/null || true')).toBe('')
    await onHost(hostOf(scene, 1), `k3s kubectl delete node ${name}`)
    await onHost(worker, `hostname ${worker.name}`)
    expect((await run()).json).toMatchObject({ outcome: 'done' })
  })

  it('are gone after a reset', async () => {
    const reset = await scene.cli(['reset', '--yes', ...scene.where(3), '-o', 'json'])
    expect(reset.json, reset.stderr).toMatchObject({ outcome: 'done' })
    const clean = await scene.cli(['doctor', '--clean', ...scene.where(3), '-o', 'json'])
    expect(clean.exitCode, clean.stdout).toBe(0)
  })
})

describe.skipIf(labMissing())('a worker that the master refuses', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-refused', 2)
    const result = await scene.cli(['run', '--rootfs', scene.bundle, ...scene.where()])
    expect(result.exitCode, result.stderr).toBe(0)
  })
  afterAll(() => scene?.end())

  const run = (...more: string[]): Promise<CliResult> =>
    scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(), '-o', 'json', ...more])

  it('for a password that is not its own: told at once, and mended by the next run', async () => {
    const worker = hostOf(scene, 1)
    await onHost(
      worker,
      'systemctl stop k3s-agent; printf 0123456789abcdef0123456789abcdef > /etc/rancher/node/password; rm -f /var/lib/airlift/initialized; rm -rf /var/lib/rancher/k3s/agent/*.crt /var/lib/rancher/k3s/agent/*.key /var/lib/rancher/k3s/agent/*.kubeconfig',
    )
    const started = Date.now()
    const failed = await run('--timeout', '90s')
    expect(Date.now() - started, failed.stdout).toBeLessThan(80_000)
    expect(failed.json).toMatchObject({ outcome: 'partial' })
    expect(failed.exitCode).toBe(3)
    expect(failed.stdout + failed.stderr).toMatch(/E_JOIN/)
    expect(failed.stdout + failed.stderr).toMatch(/Node password rejected/)
    const mended = await run()
    expect(mended.json, mended.stderr).toMatchObject({ outcome: 'done' })
    const status = await scene.cli(['status', ...scene.where(), '-o', 'json'])
    expect(status.json).toMatchObject({ health: 'ready' })
  })

  it('for the token of another cluster: told in seconds, with the log and the remedy', async () => {
    const worker = hostOf(scene, 1)
    // airlift writes its own token file anew, so the wrong one comes from where it wins: the flags of the service, which
    // come after what config.yaml says. (k3s takes a token-file over K3S_TOKEN.)
    const token = `K10${'ab'.repeat(32)}::server:anotherclusterspassword`
    await onHost(
      worker,
      `systemctl stop k3s-agent; mkdir -p /etc/systemd/system/k3s-agent.service.d; echo ${token} > /root/wrong; printf '[Service]\\nExecStart=\\nExecStart=/usr/local/bin/k3s agent --token-file /root/wrong\\n' > /etc/systemd/system/k3s-agent.service.d/token.conf; systemctl daemon-reload; rm -f /var/lib/airlift/initialized`,
    )
    const started = Date.now()
    const failed = await run('--timeout', '90s')
    expect(Date.now() - started, failed.stdout).toBeLessThan(80_000)
    expect(failed.exitCode).toBe(3)
    expect(failed.stdout + failed.stderr).toMatch(/E_JOIN/)
    expect(failed.stderr).toMatch(/token/)
    expect(failed.stderr).toMatch(/hint:.*reset/)
    expect(failed.stdout + failed.stderr).not.toContain('anotherclusterspassword')
    await onHost(
      worker,
      'rm -r /etc/systemd/system/k3s-agent.service.d; systemctl daemon-reload; systemctl restart --no-block k3s-agent',
    )
    const mended = await run()
    expect(mended.exitCode, mended.stderr).toBe(0)
  })
})
