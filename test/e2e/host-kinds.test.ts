import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, type LabHost, LONG, lab, labMissing } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, named, onHost } from './hosts.js'

/** What every kind of host owes: it comes up, a second run finds nothing to do, and a reset leaves nothing. */
interface Life {
  readonly flags: readonly string[]
  readonly env?: Record<string, string>
  /** What is tried between the second run and the reset. */
  readonly meanwhile?: () => Promise<void>
}

async function live(scene: Scenario, { flags, env = {}, meanwhile }: Life): Promise<void> {
  const run = (): Promise<CliResult> =>
    scene.cli(['run', '--rootfs', scene.bundle, ...flags, '-o', 'json'], env)
  const first = await run()
  expect(first.json, first.stderr).toMatchObject({ operation: 'run', outcome: 'done' })
  expect(first.exitCode).toBe(0)
  const status = await scene.cli(['status', ...flags, '-o', 'json'], env)
  expect(status.json).toMatchObject({ health: 'ready', problems: [] })
  expect(status.exitCode).toBe(0)
  const second = await run()
  expect(second.json).toMatchObject({
    outcome: 'unchanged',
    bytesSent: 0,
    steps: { done: 0, skipped: 0, failed: 0 },
  })
  await meanwhile?.()
  const reset = await scene.cli(['reset', '--yes', ...flags, '-o', 'json'], env)
  expect(reset.json, reset.stderr).toMatchObject({ operation: 'reset', outcome: 'done' })
  const clean = await scene.cli(['doctor', '--clean', ...flags, '-o', 'json'], env)
  expect(clean.exitCode, clean.stdout).toBe(0)
}

describe.skipIf(labMissing())('hosts of every kind', () => {
  let scene: Scenario
  let systemd: LabHost
  let openrc: LabHost
  let other: LabHost
  beforeAll(async () => {
    scene = await startScenario('test-kinds', 1, '--openrc', '2')
    systemd = hostOf(scene, 0)
    openrc = hostOf(scene, 1)
    other = hostOf(scene, 2)
    expect([systemd.kind, openrc.kind, other.kind]).toEqual(['systemd', 'openrc', 'openrc'])
  })
  afterAll(() => scene?.end())

  /** Both hosts are switched off and on; the cluster must come back by itself. */
  async function comesBack(hosts: readonly LabHost[], flags: readonly string[]): Promise<void> {
    await Promise.all(hosts.map((host) => lab('reboot', host.name)))
    await expect
      .poll(async () => (await scene.cli(['status', ...flags, '-o', 'json'])).json, {
        timeout: 300_000,
        interval: 1000,
      })
      .toMatchObject({ health: 'ready' })
  }

  it(
    'an OpenRC worker beside a systemd master, and their reboots',
    async () => {
      const flags = named(scene, [`root@${systemd.ip}`], [`root@${openrc.ip}`])
      await live(scene, {
        flags,
        async meanwhile() {
          expect(await onHost(openrc, 'rc-service k3s-agent status; rc-update show default')).toMatch(
            /started[\s\S]*k3s-agent/,
          )
          expect(await onHost(openrc, 'ls /etc/systemd/system/k3s* 2>/dev/null || true')).toBe('')
          expect(await onHost(openrc, 'stat -c %a /etc/init.d/k3s-agent /etc/logrotate.d/k3s-agent')).toBe(
            '755\n644',
          )
          await comesBack([systemd, openrc], flags)
          const again = await scene.cli(['run', '--rootfs', scene.bundle, ...flags, '-o', 'json'])
          expect(again.json).toMatchObject({ bytesSent: 0 })
          expect(again.exitCode).toBe(0)
        },
      })
      expect(await onHost(openrc, 'rc-update show -a | grep k3s || true')).toBe('')
    },
    LONG,
  )

  it(
    'an OpenRC master, with a worker of its own kind and one with systemd',
    async () => {
      const flags = named(scene, [`root@${openrc.ip}`], [`root@${other.ip}`, `root@${systemd.ip}`])
      await live(scene, {
        flags,
        async meanwhile() {
          await comesBack([openrc, other], flags)
          expect(await onHost(openrc, 'ls -l /var/log/k3s.log')).toContain('k3s.log')
          await onHost(other, 'rc-service k3s-agent stop')
          const status = await scene.cli(['status', ...flags, '-o', 'json'])
          expect(JSON.stringify(status.json)).toContain('service-down')
          const mended = await scene.cli(['run', '--rootfs', scene.bundle, ...flags, '-o', 'json'])
          expect(mended.json, mended.stderr).toMatchObject({ outcome: 'done', bytesSent: 0 })
        },
      })
    },
    LONG,
  )

  it('a user whose sudo wants a password, and one whose sudo wants none', async () => {
    const flags = named(scene, [`ops@${systemd.ip}`], [`deploy@${openrc.ip}`])
    await live(scene, {
      flags,
      env: { AIRLIFT_SUDO_PASSWORD: 'ops-secret' },
      async meanwhile() {
        const exec = await scene.cli(['exec', ...flags, '-o', 'json', '--', 'id', '-u'], {
          AIRLIFT_SUDO_PASSWORD: 'ops-secret',
        })
        expect(
          (exec.json as { machines: { stdout: string }[] }).machines.map((m) => m.stdout.trim()),
        ).toEqual(['0', '0'])
        const leaked = await onHost(
          systemd,
          'grep -rlF ops-secret /etc /var/lib/airlift /var/log /tmp 2>/dev/null || true',
        )
        expect(leaked).toBe('')
        const without = await scene.cli(['exec', ...flags, '-o', 'json', '--', 'true'], {
          AIRLIFT_SUDO_PASSWORD: '',
        })
        expect(without.exitCode).toBe(3)
        expect(without.stdout).toContain('E_SUDO')
      },
    })
  })
})

describe.skipIf(labMissing())('hosts behind a bastion', () => {
  let scene: Scenario
  beforeAll(async () => {
    scene = await startScenario('test-jump', 2, '--bastion', '--isolated')
  })
  afterAll(() => scene?.end())

  async function everyVerb(reach: readonly string[]): Promise<void> {
    const flags = [
      '--masters',
      `root@${hostOf(scene, 0).ip}`,
      '--nodes',
      `root@${hostOf(scene, 1).ip}`,
      ...reach,
    ]
    await live(scene, {
      flags,
      async meanwhile() {
        const exec = await scene.cli(['exec', ...flags, '-o', 'json', '--', 'hostname'])
        const names = (exec.json as { machines: { stdout: string }[] }).machines.map((m) => m.stdout.trim())
        expect(names).toEqual(scene.machines.hosts.map((host) => host.name))
        const printed = await scene.cli(['kubeconfig', ...flags])
        expect(printed.exitCode).toBe(0)
        expect(printed.stdout).toContain('client-certificate-data')
        expect(printed.stderr).toMatch(/warning.*does not answer from this computer/)
        const json = await scene.cli(['kubeconfig', ...flags, '-o', 'json'])
        expect(json.json).toMatchObject({ reachable: false, server: `https://${hostOf(scene, 0).ip}:6443` })
      },
    })
  }

  it('that --jump names', async () => {
    const bastion = scene.machines.bastion
    await everyVerb([
      '--jump',
      `root@${bastion?.ip}:${bastion?.port}`,
      '--identity',
      scene.machines.key,
      '--known-hosts',
      scene.machines.knownHosts,
    ])
  })

  it('that an ssh configuration names', () => everyVerb(['--ssh-config', scene.machines.sshConfig]))

  it('by the aliases of an ssh configuration, with the bastion as ProxyJump', async () => {
    const config = `${scene.home}/aliases`
    const { key, knownHosts, bastion } = scene.machines
    const host = (alias: string, ip: string | undefined, jump = ''): string =>
      `Host ${alias}\n  HostName ${ip}\n  User root\n${jump}\n`
    writeFileSync(
      config,
      [
        host('gate', bastion?.ip),
        host('first', hostOf(scene, 0).ip, '  ProxyJump gate'),
        host('second', hostOf(scene, 1).ip, '  ProxyJump gate'),
        `Host *\n  IdentityFile ${key}\n  IdentitiesOnly yes\n  UserKnownHostsFile ${knownHosts}\n`,
      ].join('\n'),
    )
    await live(scene, { flags: ['--masters', 'first', '--nodes', 'second', '--ssh-config', config] })
  })

  it('without the bastion cannot be reached, and the error says so', async () => {
    const result = await scene.cli(['status', ...named(scene, [`root@${hostOf(scene, 0).ip}`]), '-o', 'json'])
    expect(result.exitCode).not.toBe(0)
    expect(result.stdout).toMatch(/unreachable|E_SSH_UNREACHABLE/)
  })
})
