import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { airlift, type CliResult, lab, labMissing, sshFlags } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, onHost } from './hosts.js'

/** What is installed on a host; empty on a bare one. */
const INSTALLED = 'ls -d /usr/local/bin/k3s /var/lib/rancher/k3s /var/lib/airlift 2>/dev/null || true'

describe.skipIf(labMissing())('a cluster that is found on a computer that has never seen it', () => {
  let scene: Scenario
  let home: string
  const [master, worker] = [() => hostOf(scene, 0), () => hostOf(scene, 1)]
  const there = (...args: string[]): Promise<CliResult> =>
    airlift([...args, ...sshFlags(scene.machines), '-o', 'json'], { home })

  beforeAll(async () => {
    scene = await startScenario('test-found', 2)
    home = mkdtempSync(`${tmpdir()}/airlift-elsewhere-`)
    const made = await scene.cli(['run', '--rootfs', scene.bundle, ...scene.where()])
    expect(made.exitCode, made.stderr).toBe(0)
  })
  afterAll(async () => {
    rmSync(home, { recursive: true, force: true })
    await scene.end()
  })

  it('through an alias of ~/.ssh/config has each node once', async () => {
    const config = `${home}/ssh_config`
    writeFileSync(config, `Host gateway\n  HostName ${master().ip}\n  User root\n`, { mode: 0o600 })
    const found = await there('status', '--masters', 'gateway', '--ssh-config', config)
    expect(found.exitCode, found.stderr).toBe(0)
    const { nodes } = found.json as { nodes: { name: string; machine: string }[] }
    expect(nodes.map(({ name, machine }) => [name, machine])).toEqual([
      [master().name, `ssh://root@${master().ip}:22`],
      [worker().name, `ssh://root@${worker().ip}:22`],
    ])
  })

  it('is not removed by the name of a worker', async () => {
    const refused = await there('reset', '--yes', '--nodes', `root@${worker().ip}`)
    expect(refused.exitCode).toBe(2)
    expect(refused.json).toMatchObject({
      error: { code: 'E_REMOVE_REFUSED', message: expect.stringContaining(master().ip) },
    })
    expect(await onHost(worker(), INSTALLED)).not.toBe('')
  })

  it('is not removed while a machine is away, unless forced: then the others are, and that one when it is back', async () => {
    await lab('cut', worker().name)
    try {
      const refused = await there('reset', '--yes', '--masters', `root@${master().ip}`)
      expect(refused.exitCode).toBe(1)
      expect(refused.json).toMatchObject({
        error: { code: 'E_SSH_UNREACHABLE', hint: expect.stringContaining('--force') },
      })
      expect(await onHost(master(), INSTALLED)).not.toBe('')

      const forced = await there('reset', '--yes', '--force', '--masters', `root@${master().ip}`)
      expect(forced.exitCode, forced.stderr).toBe(3)
      expect(forced.json).toMatchObject({
        outcome: 'partial',
        machines: [
          { outcome: 'changed' },
          {
            machine: `ssh://root@${worker().ip}:22`,
            outcome: 'failed',
            error: { code: 'E_SSH_UNREACHABLE' },
          },
        ],
        error: {
          code: 'E_PARTIAL',
          hint: expect.stringContaining(`airlift reset --name default --nodes root@${worker().ip}`),
        },
      })
      expect(await onHost(master(), INSTALLED)).toBe('')
    } finally {
      await lab('heal', worker().name)
    }
    const rest = await there('reset', '--yes', '--nodes', `root@${worker().ip}`)
    expect(rest.exitCode, rest.stderr).toBe(0)
    expect(await onHost(worker(), INSTALLED)).toBe('')
  })

  it('is removed from all of its machines, of which one was named', async () => {
    const made = await scene.cli(['run', '--rootfs', scene.bundle, ...scene.where()])
    expect(made.exitCode, made.stderr).toBe(0)
    const gone = await there('reset', '--yes', '--masters', `root@${master().ip}`)
    expect(gone.json, gone.stderr).toMatchObject({
      outcome: 'done',
      machines: [{ outcome: 'changed' }, { outcome: 'changed' }],
      left: [],
    })
    expect(await onHost(worker(), INSTALLED)).toBe('')
  })
})
