import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildBundle } from '../lab/build-bundle.js'
import { airlift, k3sUnderTest, type Lab, lab, labDown, labMissing, labUp, sshFlags } from '../lab/lab.js'

const NAME = 'test-main'

/** The main job, as a new user does it: build, run, look, run again, reset, prove. The steps build on one another. */
describe.skipIf(labMissing())('from a bundle to a cluster on three hosts, and back', () => {
  let machines: Lab
  let home: string
  let where: string[]
  /** Ids of the steps that the plan named. */
  let planned: string[]
  const bundle = (): string => `${home}/k3s.airlift`

  const onThird = (script: string): Promise<string> => lab('exec', `${NAME}-3`, '--', 'sh', '-c', script)

  beforeAll(async () => {
    home = mkdtempSync(`${tmpdir()}/airlift-e2e-`)
    machines = await labUp(NAME, 3)
    const [master, ...workers] = machines.hosts.map((host) => `root@${host.ip}`)
    // A usual way to put the data onto another disk.
    await onThird('mkdir -p /var/lib/disk/rancher && ln -s /var/lib/disk/rancher /var/lib/rancher')
    where = ['--masters', master ?? '', '--nodes', workers.join(','), ...sshFlags(machines)]
  })
  afterAll(async () => {
    await labDown(NAME)
    rmSync(home, { recursive: true, force: true })
  })

  it('builds a bundle', async () => {
    const k3s = k3sUnderTest()
    const built = await buildBundle(k3s, bundle(), home)
    expect(built.stderr).not.toContain('error')
    expect(built.json).toMatchObject({ runtime: 'k3s', version: k3s.version })
    const inspected = await airlift(['rootfs', 'inspect', bundle(), '-o', 'json'], { home })
    expect(inspected.json).toMatchObject({ runtime: 'k3s', version: k3s.version, arch: ['amd64'] })
  })

  it('prints the plan without touching a host, and without a secret', async () => {
    const plan = await airlift(['plan', 'run', '--rootfs', bundle(), ...where, '-o', 'json'], { home })
    expect(plan.exitCode).toBe(0)
    expect(plan.json).toMatchObject({ operation: 'run', name: 'default', summary: { change: 0, remove: 0 } })
    expect((plan.json as { steps: unknown[] }).steps.length).toBeGreaterThan(6)
    expect(plan.stdout).toContain('{{secret:token}}')
    planned = (plan.json as { steps: { id: string }[] }).steps.map((step) => step.id)
    const dry = await airlift(['run', '--dry-run', '--rootfs', bundle(), ...where, '-o', 'json'], { home })
    expect(dry.json).toEqual(plan.json)
    expect(
      await lab(
        'exec',
        `${NAME}-1`,
        '--',
        'sh',
        '-c',
        'ls -A /var/lib/airlift /etc/rancher 2>/dev/null | wc -l',
      ),
    ).toBe('0')
  })

  it('installs the cluster, by exactly the steps of the plan', async () => {
    const result = await airlift(['run', '--rootfs', bundle(), ...where, '-o', 'json', '--events'], { home })
    expect(result.stderr).not.toContain('error:')
    expect(doneSteps(result.stderr).sort()).toEqual([...planned].sort())
    expect(result.json).toMatchObject({
      operation: 'run',
      outcome: 'done',
      name: 'default',
      steps: { failed: 0, skipped: 0 },
    })
    expect((result.json as { machines: unknown[] }).machines).toEqual(
      machines.hosts.map((host, i) => ({
        machine: `ssh://root@${host.ip}:22`,
        node: host.name,
        role: i === 0 ? 'master' : 'worker',
        outcome: 'changed',
        error: null,
      })),
    )
    expect(result.exitCode).toBe(0)
  })

  it('knows the cluster without being told where it is', async () => {
    const result = await airlift(['status', '-o', 'json'], { home })
    expect(result.exitCode).toBe(0)
    expect(result.json).toMatchObject({
      name: 'default',
      runtime: 'k3s',
      health: 'ready',
      datastore: { kind: 'sqlite', members: 1, healthy: 1 },
      problems: [],
    })
    const nodes = (result.json as { nodes: { name: string; ready: boolean; version: string }[] }).nodes
    expect(nodes.map((node) => [node.name, node.ready, node.version])).toEqual(
      machines.hosts.map((host) => [host.name, true, k3sUnderTest().version]),
    )
    const list = await airlift(['list', '-o', 'json'], { home })
    // Clusters in containers of this computer are in the list as well, whoever made them.
    const onHosts = (list.json as { clusters: { runtime: string }[] }).clusters.filter(
      (cluster) => cluster.runtime === 'k3s',
    )
    expect(onHosts).toEqual([
      { name: 'default', runtime: 'k3s', version: k3sUnderTest().version, masters: 1, workers: 2 },
    ])
  })

  it('finds the whole cluster from one master, on a computer that has never seen it', async () => {
    const elsewhere = mkdtempSync(`${tmpdir()}/airlift-elsewhere-`)
    const result = await airlift(
      ['status', '--masters', `root@${machines.hosts[0]?.ip}`, ...sshFlags(machines), '-o', 'json'],
      { home: elsewhere },
    )
    expect(result.json).toMatchObject({ health: 'ready' })
    expect((result.json as { nodes: unknown[] }).nodes).toHaveLength(3)
    rmSync(elsewhere, { recursive: true })
  })

  it('merged a kubeconfig that kubectl can use from here', async () => {
    expect(statSync(`${home}/kubeconfig`).mode & 0o777).toBe(0o600)
    const kubectl = await execa(
      'kubectl',
      ['--kubeconfig', `${home}/kubeconfig`, '--context', 'airlift-default', 'get', 'nodes', '-o', 'name'],
      { reject: false },
    )
    expect(kubectl.stdout.split('\n').sort()).toEqual(
      machines.hosts.map((host) => `node/${host.name}`).sort(),
    )
    const printed = await airlift(['kubeconfig'], { home })
    expect(printed.stdout).toContain(`server: https://${machines.hosts[0]?.ip}:6443`)
  })

  it('does nothing the second time, and says so', async () => {
    const result = await airlift(['run', '--rootfs', bundle(), ...where, '-o', 'json'], { home })
    expect(result.json).toMatchObject({
      outcome: 'unchanged',
      bytesSent: 0,
      steps: { done: 0, skipped: 0, failed: 0 },
    })
    expect(result.exitCode).toBe(0)
  })

  it('left files with the modes and names that k3s users know, and no secret that others can read', async () => {
    const worker = `${NAME}-2`
    const modes = await lab(
      'exec',
      worker,
      '--',
      'stat',
      '-c',
      '%a %n',
      '/etc/rancher/k3s/config.yaml',
      '/etc/rancher/k3s/token',
      '/usr/local/bin/k3s',
      '/etc/systemd/system/k3s-agent.service',
      '/usr/local/bin/k3s-agent-uninstall.sh',
    )
    expect(modes.split('\n')).toEqual([
      '600 /etc/rancher/k3s/config.yaml',
      '600 /etc/rancher/k3s/token',
      '755 /usr/local/bin/k3s',
      '644 /etc/systemd/system/k3s-agent.service',
      '755 /usr/local/bin/k3s-agent-uninstall.sh',
    ])
    const token = await lab('exec', worker, '--', 'cat', '/etc/rancher/k3s/token')
    expect(token).toMatch(/^K10[0-9a-f]{64}::server:/)
    const readable = await lab(
      'exec',
      worker,
      '--',
      'sh',
      '-c',
      `grep -rlsF '${token.split(':').at(-1)}' /etc /var/lib/airlift /usr/local --include=* 2>/dev/null | xargs -r stat -c '%a %n'`,
    )
    for (const line of readable.split('\n').filter(Boolean)) expect(line).toMatch(/^600 /)
  })

  it('runs a command everywhere and groups what is the same', async () => {
    const result = await airlift(['exec', '-o', 'json', '--', 'cat', '/proc/sys/kernel/ostype'], { home })
    expect(result.exitCode).toBe(0)
    expect(JSON.stringify(result.json)).toContain('Linux')
    const text = await airlift(['exec', '--', 'cat', '/proc/sys/kernel/ostype'], { home })
    expect(text.stdout.match(/Linux/g)).toHaveLength(1)
  })

  it('starts again after every host was rebooted', async () => {
    await Promise.all(machines.hosts.map((host) => lab('reboot', host.name)))
    await expect
      .poll(async () => (await airlift(['status', '-o', 'json'], { home })).exitCode, {
        timeout: 120_000,
        interval: 1000,
      })
      .toBe(0)
    const again = await airlift(['run', '--rootfs', bundle(), ...where, '-o', 'json'], { home })
    expect(again.json).toMatchObject({ bytesSent: 0 })
    expect(again.exitCode).toBe(0)
  })

  it('repairs what somebody broke', async () => {
    await lab(
      'exec',
      `${NAME}-3`,
      '--',
      'sh',
      '-c',
      'systemctl stop k3s-agent; rm /etc/rancher/k3s/config.yaml',
    )
    const status = await airlift(['status', '-o', 'json'], { home })
    expect(status.exitCode).toBe(1)
    expect(JSON.stringify((status.json as { problems: unknown }).problems)).toContain('service-down')
    const result = await airlift(['run', '--rootfs', bundle(), ...where, '-o', 'json'], { home })
    const outcomes = (result.json as { machines: { outcome: string }[] }).machines.map(
      (machine) => machine.outcome,
    )
    expect(outcomes).toEqual(['unchanged', 'unchanged', 'changed'])
    expect(result.exitCode).toBe(0)
  })

  it('refuses a run that leaves out a node', async () => {
    const [first, second] = machines.hosts
    const result = await airlift(
      [
        'run',
        '--rootfs',
        bundle(),
        '--masters',
        `root@${first?.ip}`,
        '--nodes',
        `root@${second?.ip}`,
        ...sshFlags(machines),
        '-o',
        'json',
      ],
      { home },
    )
    expect(result.exitCode).toBe(2)
    expect(result.json).toMatchObject({
      error: { code: 'E_REMOVE_REFUSED', message: expect.stringContaining(`${NAME}-3`) },
    })
  })

  it('does not wipe a mount that is not its own, nor anything else of that host', async () => {
    // What reset would wipe, each with the real path of the mount.
    const disks = [
      ['/var/lib/rancher/k3s/storage/my disk', '/var/lib/disk/rancher/k3s/storage/my disk'],
      ['/var/lib/cni/disk', '/var/lib/cni/disk'],
      ['/var/log/pods/disk', '/var/log/pods/disk'],
    ] as const
    for (const [disk, real] of disks) {
      await onThird(`mkdir -p '${disk}' && mount -t tmpfs none '${disk}' && echo precious > '${disk}/data'`)
      const refused = await airlift(['reset', '--yes', '-o', 'json'], { home })
      expect(refused.exitCode, refused.stdout).toBe(3)
      expect(refused.json).toMatchObject({ outcome: 'partial', steps: { failed: 1 } })
      expect(refused.stdout).toContain('E_MOUNT')
      expect(refused.stdout).toContain(`refusing to wipe ${real}: `)
      expect(refused.stdout).toContain(`umount '${real}'`)
      expect(await onThird(`cat '${disk}/data'; systemctl is-active k3s-agent`)).toBe('precious\nactive')
      await onThird(`umount '${disk}'`)
    }
  })

  it('does not wipe through a link', async () => {
    await onThird(
      'mkdir -p /srv/logs && touch /srv/logs/precious && rm -rf /var/log/pods && ln -s /srv/logs /var/log/pods',
    )
    const refused = await airlift(['reset', '--yes', '-o', 'json'], { home })
    expect(refused.stdout).toContain('E_MOUNT')
    expect(refused.stdout).toContain('refusing to wipe through /var/log/pods: it is a link to /srv/logs')
    expect(await onThird('ls /srv/logs; systemctl is-active k3s-agent')).toBe('precious\nactive')
    await onThird('rm -r /var/log/pods /srv/logs')
  })

  it('removes everything but what the user wrote, and the proof finds nothing', async () => {
    const own = '/etc/default/k3s-agent /etc/systemd/system/k3s-agent.service.d/proxy.conf'
    await onThird(
      `mkdir -p /etc/systemd/system/k3s-agent.service.d; for file in ${own}; do echo '# mine' >"$file"; done`,
    )
    await onThird('for table in kube-proxy flannel-ipv4; do nft add table ip "$table"; done')
    const result = await airlift(['reset', '--yes', '-o', 'json'], { home })
    expect(await onThird(`cat ${own}; rm -r ${own}`)).toBe('# mine\n# mine')
    expect(result.stderr).not.toContain('error:')
    expect(result.json).toMatchObject({ operation: 'reset', outcome: 'done' })
    const clean = await airlift(['doctor', '--clean', ...where, '-o', 'json'], { home })
    expect(clean.exitCode, clean.stdout).toBe(0)
    expect(await onThird('readlink /var/lib/rancher; ls -A /var/lib/disk/rancher')).toBe(
      '/var/lib/disk/rancher',
    )
    expect(readFileSync(`${home}/kubeconfig`, 'utf8')).not.toContain('airlift-default')
    expect((await airlift(['status', '-o', 'json'], { home })).exitCode).toBe(6)
    const again = await airlift(['reset', '--yes', ...where, '-o', 'json'], { home })
    expect(again.json).toMatchObject({ outcome: 'unchanged' })
  })
})

/** Ids of the steps that were done, from the events on stderr. */
function doneSteps(events: string): string[] {
  return events.split('\n').flatMap((line) => {
    if (!line.includes('"code":"step.done"')) return []
    return [(JSON.parse(line) as { step: string }).step]
  })
}
