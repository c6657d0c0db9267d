import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { k3sUnderTest, lab, labMissing, sshFlags } from '../lab/lab.js'
import { killAt, type Scenario, startScenario } from './cluster.js'
import { heal, hostOf, named, onHost, reachAs } from './hosts.js'

describe.skipIf(labMissing())('a run that is cut short', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-cut', 2)
  })
  afterAll(() => scene.end())

  const run = (): string[] => ['run', '--rootfs', scene.bundle, ...scene.where()]
  const reset = async (): Promise<void> => {
    const result = await scene.cli(['reset', '--yes', ...scene.where()])
    expect(result.stderr).not.toContain('error:')
    expect(result.exitCode).toBe(0)
  }
  const mustBeReady = async (): Promise<void> => {
    const status = await scene.cli(['status', ...scene.where(), '-o', 'json'])
    expect(status.json).toMatchObject({ health: 'ready', problems: [] })
    for (const host of scene.machines.hosts) {
      const litter = await lab(
        'exec',
        host.name,
        '--',
        'sh',
        '-c',
        'find / -xdev \\( -name "*.airlift-tmp" -o -name ".incoming-*" -o -name ".airlift-probe" \\) 2>/dev/null; find /var/lib/airlift -name ".incoming-*" -o -name "*airlift-tmp"',
      )
      expect(litter).toBe('')
    }
  }

  it.each(['step.start', 'step.done'])(
    'by kill -9 at every %s goes on when it is run again',
    async (code) => {
      let kills = 0
      for (;;) {
        const { killed, exitCode, stderr } = await killAt(run(), scene.home, code, 1)
        if (!killed) {
          expect(stderr.split('\n').filter((line) => line.includes('error'))).toEqual([])
          expect(exitCode).toBe(0)
          break
        }
        kills += 1
        // A run that never gets further would be killed for ever: each one must leave fewer steps.
        if (kills > 20) {
          const last = await scene.cli(run())
          expect(last.stderr).not.toContain('error:')
          expect(last.exitCode).toBe(0)
          break
        }
      }
      expect(kills).toBeGreaterThan(2)
      await mustBeReady()
      await reset()
    },
  )

  it('by Ctrl-C stops cleanly and says how to go on', async () => {
    const { killed, exitCode, stderr } = await killAt(run(), scene.home, 'step.start', 3, 'SIGINT')
    expect(killed).toBe(true)
    expect(exitCode).toBe(130)
    expect(stderr).toMatch(/run the same command again/)
    const again = await scene.cli(run())
    expect(again.exitCode).toBe(0)
    await mustBeReady()
    await reset()
  })

  it('by a cable that is pulled fails with the machine, and goes on when it is back', async () => {
    const host = scene.machines.hosts[1]
    // The connection dies after 25 seconds instead of 75. Sooner, the next run would find it alive still, at the other end.
    reachAs(scene, [1], 'ServerAliveInterval 5')
    const attempt = scene.cli([...run(), '-o', 'json', '--timeout', '20s'])
    await expect
      .poll(
        () =>
          lab('exec', host?.name ?? '', '--', 'sh', '-c', 'ls /var/lib/airlift/journal 2>/dev/null || true'),
        { timeout: 30_000, interval: 100 },
      )
      .not.toBe('')
    await lab('cut', host?.name ?? '')
    const result = await attempt
    expect([1, 3, 4]).toContain(result.exitCode)
    expect(result.stdout + result.stderr).toContain(host?.ip)
    await heal(scene, 1)
    const again = await scene.cli(run())
    expect(again.stderr).not.toContain('error:')
    expect(again.exitCode).toBe(0)
    await mustBeReady()
    await reset()
  })

  it('in an add leaves a host that no other command takes for whole, or forgets', async () => {
    const [first, second] = scene.machines.hosts.map(({ ip }) => `root@${ip}`)
    const alone = named(scene, [first ?? ''])
    const joining = ['--rootfs', scene.bundle, '--nodes', second ?? '', '--through', first ?? '']
    expect((await scene.cli(['run', '--rootfs', scene.bundle, ...alone])).exitCode).toBe(0)
    // Ended where its token would be written: between two steps a kill cannot be timed.
    const host = hostOf(scene, 1)
    await onHost(host, 'mkdir -p /etc/rancher/k3s/token.airlift-tmp')
    const add = await scene.cli(['add', ...joining, ...sshFlags(scene.machines)])
    expect(add.stderr).toContain('cannot write /etc/rancher/k3s/token')
    await onHost(host, 'rmdir /etc/rancher/k3s/token.airlift-tmp')

    const started = await scene.cli(['start', ...alone, '--timeout', '20s', '-o', 'json'])
    expect([started.exitCode, started.json], started.stderr).toMatchObject([
      3,
      { machines: [{ outcome: 'unchanged' }, { error: { code: 'E_START' } }] },
    ])
    expect(started.stdout).toContain('/etc/rancher/k3s/token is missing')
    const status = await scene.cli(['status', ...alone, '-o', 'json'])
    const out = `airlift delete --name default --through ${first} --nodes ${second}`
    expect(status.json).toMatchObject({
      health: 'degraded',
      problems: [{ code: 'not-installed', hint: expect.stringContaining(out) }],
    })
    const forgetting = await scene.cli(['run', '--rootfs', scene.bundle, ...alone, '-o', 'json'])
    expect([forgetting.exitCode, forgetting.json], forgetting.stderr).toMatchObject([
      2,
      { error: { code: 'E_REMOVE_REFUSED', hint: expect.stringContaining(out) } },
    ])

    const deleted = await scene.cli([...out.split(' ').slice(1), '--yes', ...sshFlags(scene.machines)])
    expect(deleted.exitCode, deleted.stderr).toBe(0)
    const clean = await scene.cli(['doctor', '--clean', ...named(scene, [], [second ?? ''])])
    expect(clean.exitCode, clean.stdout + clean.stderr).toBe(0)
    expect((await scene.cli(['run', '--rootfs', scene.bundle, ...alone])).exitCode).toBe(0)
    await reset()
  })

  it('in a reset is finished by the next reset', async () => {
    expect((await scene.cli(run())).exitCode).toBe(0)
    const { killed } = await killAt(['reset', '--yes', ...scene.where()], scene.home, 'step.start', 1)
    expect(killed).toBe(true)
    await reset()
    const clean = await scene.cli(['doctor', '--clean', ...scene.where()])
    expect(clean.exitCode).toBe(0)
  })
})

describe.skipIf(labMissing() || k3sUnderTest().real)(
  'a first start that died before its keys were saved',
  () => {
    let scene: Scenario
    beforeAll(async () => {
      scene = await startScenario('test-bootstrap', 2)
    })
    afterAll(() => scene.end())

    it('is begun anew, by the same run', async () => {
      const first = scene.machines.hosts[0]?.name ?? ''
      await lab(
        'exec',
        first,
        '--',
        'sh',
        '-c',
        `mkdir -p /etc/rancher/k3s; echo '{"crash_at":"etcd-bootstrap"}' > /etc/rancher/standin.json`,
      )
      const crashed = await scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(2), '--timeout', '8s'])
      expect(crashed.exitCode).not.toBe(0)
      await lab('exec', first, '--', 'rm', '/etc/rancher/standin.json')
      const again = await scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(2)])
      expect(again.stderr).not.toContain('error:')
      expect(again.exitCode).toBe(0)
      const status = await scene.cli(['status', ...scene.where(2), '-o', 'json'])
      expect(status.json).toMatchObject({
        health: 'ready',
        datastore: { kind: 'etcd', members: 2, healthy: 2 },
      })
    })
  },
)
