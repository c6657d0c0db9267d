import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { lab, labMissing } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { cut, heal } from './hosts.js'

describe.skipIf(labMissing())('airlift logs on hosts', () => {
  let scene: Scenario
  const on = (index: number, script: string): Promise<string> =>
    lab('exec', scene.machines.hosts[index]?.name ?? '', '--', 'sh', '-c', script)
  const filesOf = (dir: string): string[] =>
    readdirSync(dir, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))

  beforeAll(async () => {
    scene = await startScenario('test-logs', 2, '--openrc', '1')
    const registries = `${scene.home}/registries.yaml`
    writeFileSync(
      registries,
      'mirrors:\n  r.local:\n    endpoint: ["https://r.local"]\nconfigs:\n  r.local:\n    auth: {username: bob, password: tr0ub4dor-r3g}\n',
    )
    const run = await scene.cli([
      'run',
      '--rootfs',
      scene.bundle,
      '--registries',
      registries,
      ...scene.where(1),
    ])
    if (run.exitCode !== 0) throw new Error(run.stderr)
    // A program that logs what it should not.
    await on(
      0,
      'd=/var/lib/rancher/k3s; mkdir -p $d/agent/containerd; echo "joined with $(cat $d/server/token)" >> $d/agent/containerd/containerd.log',
    )
  })
  afterAll(() => scene.end())

  it('collects from every kind of host and from the cluster, and no secret is in it', async () => {
    const output = `${scene.home}/logs`
    const result = await scene.cli(['logs', '--output', output, '-o', 'json', ...scene.where(1)])
    expect(result.stderr).not.toContain('error:')
    expect(result.exitCode).toBe(0)
    expect(result.json).toMatchObject({
      operation: 'logs',
      outcome: 'done',
      path: output,
      machines: Array(3).fill({ outcome: 'collected', error: null }),
      cluster: { cut: [] },
    })
    const files = filesOf(output)
    const has = (end: RegExp): boolean => files.some((path) => end.test(path))
    for (const end of [
      /\/k3s\.log$/,
      /\/k3s-agent\.log$/,
      /\/facts\.json$/,
      /airlift\/journal$/,
      /cluster\/nodes\.txt$/,
      /events\.json$/,
      /\/firewall\.txt$/,
      /status\.json$/,
      /index\.json$/,
      /README$/,
    ])
      expect([end, has(end)]).toEqual([end, true])
    const read = (end: RegExp): string => readFileSync(files.find((path) => end.test(path)) ?? '', 'utf8')
    expect(read(/\/k3s\.log$/)).toContain('level=info')
    expect(read(/registries\.yaml$/)).toContain('r.local')
    const containerd = files
      .filter((path) => path.endsWith('containerd.log'))
      .map((path) => readFileSync(path, 'utf8'))
    expect(containerd.join('')).toContain('joined with [secret]')
    expect(read(/cluster\/nodes\.txt$/)).toContain('Ready')

    const whole = await on(0, 'cat /var/lib/rancher/k3s/server/token')
    const key = await on(0, 'grep -v -- ----- /var/lib/rancher/k3s/server/tls/server-ca.key | head -n 1')
    const password = await on(0, 'cat /etc/rancher/node/password')
    const secrets = [
      whole.trim(),
      whole.trim().split(':').at(-1) ?? '',
      key.trim(),
      password.trim(),
      'tr0ub4dor-r3g',
    ]
    for (const secret of secrets) {
      expect(secret.length).toBeGreaterThan(8)
      const leaks = files.filter((path) => readFileSync(path, 'utf8').includes(secret))
      expect(leaks).toEqual([])
    }
  })

  it('makes an archive, and names a machine that is away', async () => {
    await cut(scene, 1)
    const output = `${scene.home}/logs.tar.gz`
    const result = await scene.cli(['logs', '--output', output, '-o', 'json', ...scene.where(1)])
    await heal(scene, 1)
    expect(result.exitCode).toBe(3)
    expect(result.json).toMatchObject({ outcome: 'partial', path: output })
    const { stdout: readme } = await execa('tar', ['-xzOf', output, 'logs/README'])
    expect(readme).toMatch(new RegExp(`${scene.machines.hosts[1]?.ip}.*NOT collected`))
    expect(readdirSync(scene.home).filter((name) => name.startsWith('.airlift-logs'))).toEqual([])
  })

  it('is worth having of a cluster that is stopped', async () => {
    expect((await scene.cli(['stop', ...scene.where(1)])).exitCode).toBe(0)
    const output = `${scene.home}/stopped`
    const result = await scene.cli(['logs', '--output', output, '-o', 'json', ...scene.where(1)])
    expect([result.exitCode, result.json]).toMatchObject([0, { outcome: 'done', cluster: null }])
    expect(readFileSync(`${output}/README`, 'utf8')).toContain('No master could be asked')
    expect(JSON.parse(readFileSync(`${output}/status.json`, 'utf8'))).toMatchObject({ health: 'down' })
  })
})
