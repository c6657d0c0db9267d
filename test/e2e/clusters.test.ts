import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, type LabHost, labMissing, sshFlags } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, named, onHost } from './hosts.js'

/** What a reset would change, as one text. */
const FINGERPRINT =
  'ls -lA /usr/local/bin /etc/rancher/k3s /var/lib/rancher/k3s /var/lib/airlift; systemctl show -p MainPID,ActiveState k3s'

describe.skipIf(labMissing())('two clusters that one computer knows', () => {
  let scene: Scenario
  let north: readonly [LabHost, LabHost]
  let south: LabHost

  beforeAll(async () => {
    scene = await startScenario('test-clusters', 3)
    north = [hostOf(scene, 0), hostOf(scene, 1)]
    south = hostOf(scene, 2)
    const [a, b] = await Promise.all([up('north', northFlags()), up('south', southFlags())])
    for (const result of [a, b]) expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
  })
  afterAll(() => scene?.end())

  const northFlags = (): string[] => named(scene, [`root@${north[0].ip}`], [`root@${north[1].ip}`])
  const southFlags = (): string[] => named(scene, [`root@${south.ip}`])
  const up = (name: string, flags: string[]): Promise<CliResult> =>
    scene.cli(['run', '--name', name, '--rootfs', scene.bundle, ...flags, '--no-switch', '-o', 'json'])
  /** Clusters in containers of this computer are in every list, whoever made them. */
  const onHosts = ({ json }: CliResult): unknown[] =>
    (json as { clusters: { runtime: string }[] }).clusters.filter(({ runtime }) => runtime === 'k3s')
  const nodesOf = (json: unknown): string[] =>
    (json as { nodes: { name: string }[] }).nodes.map((node) => node.name)

  it('are both in the list', async () => {
    const result = await scene.cli(['list', '-o', 'json'])
    expect(onHosts(result)).toEqual([
      expect.objectContaining({ name: 'north', masters: 1, workers: 1 }),
      expect.objectContaining({ name: 'south', masters: 1, workers: 0 }),
    ])
    expect((await scene.cli(['list'])).stdout).toMatch(/north[\s\S]*south/)
  })

  it('do not see each other', async () => {
    const a = await scene.cli(['status', '--name', 'north', '-o', 'json'])
    const b = await scene.cli(['status', '--name', 'south', '-o', 'json'])
    expect(nodesOf(a.json).sort()).toEqual(north.map((host) => host.name).sort())
    expect(nodesOf(b.json)).toEqual([south.name])
    const looked = await scene.cli(['doctor', '--name', 'north', '-o', 'json'])
    expect(looked.exitCode, looked.stdout).toBe(0)
    expect((looked.json as { machines: { hostname: string }[] }).machines.map((one) => one.hostname)).toEqual(
      north.map((host) => host.name),
    )
    const none = await scene.cli(['status', '-o', 'json'])
    expect(none.exitCode).toBe(6)
    expect(none.json).toMatchObject({
      error: { code: 'E_NO_CLUSTER', message: expect.stringContaining('default') },
    })
  })

  it('have a context each, of which none became current', async () => {
    const merged = readFileSync(`${scene.home}/kubeconfig`, 'utf8')
    expect(merged).toContain('airlift-north')
    expect(merged).toContain('airlift-south')
    expect(merged).not.toMatch(/current-context: "?airlift-/)
    for (const [name, host] of [
      ['north', north[0]],
      ['south', south],
    ] as const) {
      const printed = await scene.cli(['kubeconfig', '--name', name])
      expect(printed.stdout).toContain(`https://${host.ip}:6443`)
      expect(printed.stdout).toContain(`current-context: airlift-${name}`)
      expect(printed.stderr).toBe('')
    }
  })

  it('are not reset by a wrong name', async () => {
    const before = await onHost(south, FINGERPRINT)
    const result = await scene.cli(['reset', '--yes', '--name', 'north', ...southFlags(), '-o', 'json'])
    expect(result.exitCode).toBe(5)
    expect(result.json).toMatchObject({
      error: {
        code: 'E_FOREIGN_CLUSTER',
        message: expect.stringMatching(/"south".*"north"/),
        hint: expect.stringContaining('--name south'),
      },
    })
    expect(await onHost(south, FINGERPRINT)).toBe(before)
  })

  it('do not take each other’s machines', async () => {
    const before = await onHost(south, FINGERPRINT)
    const flags = named(scene, [`root@${north[0].ip}`], [`root@${north[1].ip}`, `root@${south.ip}`])
    const result = await up('north', flags)
    expect(result.exitCode).toBe(5)
    expect(result.json).toMatchObject({
      error: { code: 'E_FOREIGN_CLUSTER', message: expect.stringContaining(south.ip) },
    })
    expect(await onHost(south, FINGERPRINT)).toBe(before)
  })

  it('run a command on one of them, on a role, on a host, and tell who failed', async () => {
    const everywhere = await scene.cli(['exec', '--name', 'north', '-o', 'json', '--', 'hostname'])
    expect(everywhere.json).toMatchObject({
      outcome: 'done',
      machines: [{ role: 'master' }, { role: 'worker' }],
    })
    const worker = await scene.cli(['exec', '--name', 'north', '--nodes', '-o', 'json', '--', 'hostname'])
    expect(
      (worker.json as { machines: { stdout: string }[] }).machines.map((machine) => machine.stdout.trim()),
    ).toEqual([north[1].name])
    const some = await scene.cli([
      'exec',
      '--name',
      'north',
      '--',
      `[ "$(hostname)" = ${north[0].name} ] || { echo no >&2; exit 7; }`,
    ])
    expect(some.exitCode).toBe(3)
    expect(some.stdout + some.stderr).toMatch(new RegExp(`${north[1].name}[\\s\\S]*7`))
    const quoted = await scene.cli([
      'exec',
      '--name',
      'south',
      '-o',
      'json',
      '--',
      'printf',
      '%s',
      "a 'b' $HOME",
    ])
    expect(quoted.json).toMatchObject({ machines: [{ stdout: "a 'b' $HOME" }] })
  })

  it('take a file and a directory, with modes, whole and once', async () => {
    const dir = `${scene.home}/tree`
    mkdirSync(`${dir}/sub`, { recursive: true })
    writeFileSync(`${dir}/one`, 'first\n')
    writeFileSync(`${dir}/sub/run.sh`, '#!/bin/sh\n')
    chmodSync(`${dir}/sub/run.sh`, 0o755)
    const file = await scene.cli(['copy', '--name', 'north', `${dir}/one`, '/opt/airlift-one', '-o', 'json'])
    expect(file.json, file.stderr).toMatchObject({ outcome: 'done' })
    const tree = await scene.cli(['copy', '--name', 'north', dir, '/opt/tree', '-o', 'json', '--nodes'])
    expect(tree.json, tree.stderr).toMatchObject({ outcome: 'done' })
    for (const host of north) expect(await onHost(host, 'cat /opt/airlift-one')).toBe('first')
    expect(await onHost(north[1], 'cd /opt/tree; find . -type f | sort | xargs stat -c "%a %n"')).toMatch(
      /\.\/(tree\/)?one\n755 .*sub\/run\.sh$/,
    )
    expect(await onHost(north[0], 'ls -d /opt/tree 2>/dev/null || true')).toBe('')
    expect(await onHost(south, 'ls /opt')).not.toContain('airlift')
    expect(await onHost(north[1], 'find /opt -name "*tmp*" -o -name ".*incoming*"')).toBe('')
  })

  it('know nothing of a machine that is not theirs', async () => {
    const result = await scene.cli([
      'exec',
      '--name',
      'north',
      '--on',
      south.name,
      ...sshFlags(scene.machines),
      '-o',
      'json',
      '--',
      'true',
    ])
    expect(result.exitCode).toBe(2)
    expect(result.json).toMatchObject({ error: { message: expect.stringContaining(south.name) } })
  })

  it('go one after the other; the first leaves the name of the other alone', async () => {
    const gone = await scene.cli(['reset', '--yes', '--name', 'north', '-o', 'json'])
    expect(gone.json, gone.stderr).toMatchObject({ outcome: 'done', name: 'north' })
    expect(onHosts(await scene.cli(['list', '-o', 'json']))).toMatchObject([{ name: 'south' }])
    const record = `${scene.home}/.state/airlift/clusters/south.json`
    const remembered = readFileSync(record, 'utf8')
    const bare = named(scene, [`root@${north[0].ip}`])
    const wanted = ['--name', 'south', '--rootfs', scene.bundle, '-o', 'json']
    for (const args of [
      ['run', ...wanted, ...bare],
      ['plan', 'run', ...wanted, ...bare],
      ['run', ...wanted, '--masters', '1', '--dry-run'],
    ]) {
      const refused = await scene.cli(args)
      expect(refused.exitCode, refused.stdout).toBe(5)
      expect(refused.json).toMatchObject({
        error: {
          message: expect.stringContaining(`"south" is the name of a cluster on root@${south.ip}`),
          hint: expect.stringContaining('--name'),
        },
      })
    }
    const told = await scene.cli(['doctor', '--name', 'south', ...bare, '-o', 'json'])
    expect(told.exitCode).toBe(5)
    expect((told.json as { problems: unknown[] }).problems).toContainEqual(
      expect.objectContaining({ code: 'name-taken' }),
    )
    expect(await onHost(north[0], 'ls -d /var/lib/airlift 2>/dev/null || true')).toBe('')
    expect(readFileSync(record, 'utf8')).toBe(remembered)
    expect((await scene.cli(['status', '--name', 'south', '-o', 'json'])).json).toMatchObject({
      health: 'ready',
    })
    const kubeconfig = readFileSync(`${scene.home}/kubeconfig`, 'utf8')
    expect(kubeconfig).not.toContain('airlift-north')
    expect(kubeconfig).toContain('airlift-south')
    const last = await scene.cli(['reset', '--yes', '--name', 'south', '-o', 'json'])
    expect(last.json, last.stderr).toMatchObject({ outcome: 'done' })
    // As on a computer that was not told of the reset: whoever is remembered answers that it is bare.
    writeFileSync(record, remembered)
    expect(await scene.cli(['plan', 'run', ...wanted, ...bare])).toMatchObject({ exitCode: 0 })
    expect(await scene.cli(['reset', '--yes', '--name', 'south'])).toMatchObject({ exitCode: 0 })
    expect(onHosts(await scene.cli(['list', '-o', 'json']))).toEqual([])
    const clean = await scene.cli([
      'doctor',
      '--clean',
      ...named(
        scene,
        [`root@${south.ip}`],
        north.map((host) => `root@${host.ip}`),
      ),
      '-o',
      'json',
    ])
    expect(clean.exitCode, clean.stdout).toBe(0)
  })
})
