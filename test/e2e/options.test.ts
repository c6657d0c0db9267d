import { mkdirSync, writeFileSync } from 'node:fs'
import { execa } from 'execa'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type CliResult, type LabHost, labMissing, sshFlags } from '../lab/lab.js'
import { type Scenario, startScenario } from './cluster.js'
import { hostOf, onHost, outcomes } from './hosts.js'

const CONFIG = '/etc/rancher/k3s/config.yaml'
const REGISTRIES = '/etc/rancher/k3s/registries.yaml'
const CA = '/etc/rancher/k3s/registries.d/reg.lan_5000/ca.pem'

describe.skipIf(labMissing())('options of a cluster', () => {
  let scene: Scenario
  let master: LabHost
  let workers: readonly LabHost[]
  /** Everything that a user can say of a cluster, in one command. */
  let options: string[]

  beforeAll(async () => {
    scene = await startScenario('test-options', 3)
    master = hostOf(scene, 0)
    workers = [hostOf(scene, 1), hostOf(scene, 2)]
    options = await writeOptions(scene.home)
  })
  afterAll(() => scene?.end())

  const run = (...more: string[]): Promise<CliResult> =>
    scene.cli(['run', '--rootfs', scene.bundle, ...scene.where(), '-o', 'json', ...more])
  const all = (): LabHost[] => [master, ...workers]
  const kubectl = (args: string): Promise<string> => onHost(master, `k3s kubectl ${args}`)
  const reset = async (): Promise<void> => {
    const result = await scene.cli(['reset', '--yes', ...scene.where(), '-o', 'json'])
    expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
    const clean = await scene.cli(['doctor', '--clean', ...scene.where(), '-o', 'json'])
    expect(clean.exitCode, clean.stdout).toBe(0)
  }

  describe('none but what a host needs', () => {
    it('names a resolver that pods can reach, where the host knows only its own', async () => {
      const [first, second] = workers
      if (!first || !second) throw new Error('two workers')
      await onHost(first, 'echo nameserver 127.0.0.53 > /etc/resolv.conf')
      await onHost(
        second,
        'echo nameserver 127.0.0.53 > /etc/resolv.conf; mkdir -p /run/systemd/resolve; echo nameserver 192.0.2.53 > /run/systemd/resolve/resolv.conf',
      )
      const result = await run()
      expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
      expect(result.stderr).toMatch(/loopback-resolv/)
      expect(await onHost(first, `grep resolv-conf ${CONFIG}`)).toBe(
        'resolv-conf: "/etc/rancher/k3s/resolv.conf"',
      )
      expect(await onHost(first, 'grep ^nameserver /etc/rancher/k3s/resolv.conf')).toBe(
        `nameserver ${first.ip}`,
      )
      expect(await onHost(second, `grep resolv-conf ${CONFIG}`)).toBe(
        'resolv-conf: "/run/systemd/resolve/resolv.conf"',
      )
      expect(await onHost(master, `grep resolv-conf ${CONFIG} || true`)).toBe('')
      const status = await scene.cli(['status', ...scene.where(), '-o', 'json'])
      expect(status.json).toMatchObject({ health: 'ready' })
    })
    it('leaves the admin kubeconfig to root, and the default registries off', async () => {
      expect(await onHost(master, 'stat -c %a /etc/rancher/k3s/k3s.yaml')).toBe('600')
      for (const host of all())
        expect(await onHost(host, `grep disable-default ${CONFIG}`)).toBe(
          'disable-default-registry-endpoint: true',
        )
      await reset()
    })
  })

  describe('those that no node would come up with', () => {
    const refused = async (...set: string[]): Promise<CliResult> => {
      const result = await run('--timeout', '60s', ...set.flatMap((word) => ['--set', word]))
      expect(result.exitCode, result.stdout).toBe(2)
      expect(await onHost(master, 'ls -d /etc/rancher /var/lib/airlift 2>/dev/null || true')).toBe('')
      return result
    }
    it('are refused, and nothing is touched', async () => {
      const { stdout } = await refused('https-listen-port=99999', 'node-name=evil', 'supervisor-port=9345')
      for (const key of ['https-listen-port', 'node-name', 'supervisor-port']) expect(stdout).toContain(key)
      expect((await refused('token=K10aabbcc::server:foo')).stdout).toContain('what follows ::server:')
    })
    it('are found where an earlier k3s left them', async () => {
      await onHost(
        master,
        `mkdir -p /etc/rancher/k3s/config.yaml.d; echo 'node-name: evil' > /etc/rancher/k3s/config.yaml.d/90-old.yaml; echo K3S_TOKEN=geheim > /etc/default/k3s`,
      )
      const result = await run()
      await onHost(master, 'rm -r /etc/rancher /etc/default/k3s')
      expect(result.exitCode, result.stdout).toBe(5)
      for (const told of ['90-old.yaml', '/etc/default/k3s: K3S_TOKEN']) expect(result.stdout).toContain(told)
      expect(result.stdout + result.stderr).not.toContain('geheim')
    })
  })

  describe('one host with an address and a port of its own', () => {
    it('comes up, and is found there', async () => {
      const alone = ['--masters', `root@${master.ip}`, ...sshFlags(scene.machines)]
      const set = [`bind-address=${master.ip}`, 'https-listen-port=7443', 'token=secret123'].flatMap(
        (word) => ['--set', word],
      )
      const flags = ['run', '--rootfs', scene.bundle, ...alone, '-o', 'json', ...set]
      const made = await scene.cli(flags)
      expect(made.json, made.stderr).toMatchObject({ outcome: 'done' })
      const status = await scene.cli(['status', ...alone, '-o', 'json'])
      expect(status.json, status.stderr).toMatchObject({
        health: 'ready',
        endpoint: `https://${master.ip}:7443`,
      })
      const token = await onHost(master, 'cat /var/lib/rancher/k3s/server/token')
      const again = await scene.cli([...flags, '--set', `token=${token}`])
      expect(again.json, again.stderr).toMatchObject({ outcome: 'unchanged' })
      await reset()
    })
  })

  describe('all of them at once', () => {
    it('bring up a cluster, and warn of nothing', async () => {
      const result = await run(...options)
      expect(result.json, result.stderr).toMatchObject({ outcome: 'done' })
      expect(result.stderr).not.toContain('config.unknown')
    })

    it('put the registries with their CA on every node before its first start', async () => {
      for (const host of all()) {
        const unit = host === master ? 'k3s' : 'k3s-agent'
        expect(await onHost(host, `stat -c '%a %U' ${REGISTRIES} ${CA}`)).toBe('600 root\n600 root')
        expect(await onHost(host, `cat ${CA}`)).toMatch(/^-----BEGIN CERTIFICATE-----/)
        const text = await onHost(host, `cat ${REGISTRIES}`)
        expect(text).toContain('https://reg.lan:5000')
        expect(text).toContain(CA)
        expect(text).toContain('"0123"')
        const times = await onHost(
          host,
          `stat -c %.6Z ${REGISTRIES} ${CA}; date -d "$(systemctl show --timestamp=us -p ExecMainStartTimestamp --value ${unit})" +%s.%6N; systemctl show -p NRestarts --value ${unit}`,
        )
        const [written, carried, started, restarts] = times.split('\n').map(Number)
        expect(written, times).toBeLessThan(started ?? 0)
        expect(carried, times).toBeLessThan(started ?? 0)
        expect(restarts).toBe(0)
        // What k3s made of it for containerd.
        expect(
          await onHost(host, 'cat /var/lib/rancher/k3s/agent/etc/containerd/certs.d/docker.io/hosts.toml'),
        ).toContain('https://reg.lan:5000')
      }
    })

    it('hide the password of a registry in everything that is printed', async () => {
      const plan = await scene.cli([
        'run',
        '--rootfs',
        scene.bundle,
        ...scene.where(),
        ...options,
        '--dry-run',
        '-o',
        'json',
      ])
      expect(plan.exitCode).toBe(0)
      expect(plan.stdout + plan.stderr).not.toContain('"0123"')
    })

    it('apply the manifests', async () => {
      await expect
        .poll(() => kubectl('get configmaps -n airlift-test -o name 2>/dev/null || true'), {
          timeout: 30_000,
          interval: 500,
        })
        .toContain('configmap/greeting')
      expect(await onHost(master, 'ls /var/lib/rancher/k3s/server/manifests')).toMatch(/namespace\.yaml/)
    })

    it('put labels and taints where the filters say', async () => {
      const labels = async (host: LabHost): Promise<unknown> =>
        JSON.parse(await kubectl(`get node ${host.name} -o json`)).metadata.labels
      const taints = async (host: LabHost): Promise<unknown> =>
        JSON.parse(await kubectl(`get node ${host.name} -o json`)).spec.taints ?? []
      const [first, second] = workers as [LabHost, LabHost]
      for (const host of all()) expect(await labels(host)).toHaveProperty('site', 'lab')
      expect(await labels(first)).toHaveProperty('disk', 'ssd')
      expect(await labels(second)).not.toHaveProperty('disk')
      expect(await labels(master)).not.toHaveProperty('disk')
      const taint = { key: 'dedicated', value: 'gpu', effect: 'NoSchedule' }
      expect(await taints(second)).toContainEqual(expect.objectContaining(taint))
      expect(await taints(first)).toEqual([])
      expect(await taints(master)).toEqual([])
    })

    it('merge --config and --set, and keep a mode a text', async () => {
      const text = await onHost(master, `cat ${CONFIG}`)
      expect(text).toContain('write-kubeconfig-mode: "0644"')
      expect(text).toContain('service-cidr:\n  - "10.99.0.0/16"\n')
      // --set wins over the file.
      expect(text).toContain('cluster-cidr:\n  - "10.98.0.0/16"\n')
      expect(text).toMatch(/disable:\n\s+- "traefik"\n\s+- "servicelb"/)
      // The user's names are added to those that airlift needs.
      expect(text).toMatch(/tls-san:\n(\s+- .*\n)*\s+- "k8s\.example\.org"/)
      expect(text).toContain(`- "${master.ip}"`)
      expect(await onHost(master, 'stat -c %a /etc/rancher/k3s/k3s.yaml')).toBe('644')
      for (const host of workers) {
        const own = await onHost(host, `cat ${CONFIG}`)
        expect(own).toMatch(/kubelet-arg:\n\s+- "max-pods=50"/)
        expect(own).not.toMatch(/write-kubeconfig-mode|service-cidr|cluster-cidr|tls-san|disable:/)
      }
    })

    it('are found as they must be by the next run', async () => {
      const again = await run(...options)
      expect(again.json).toMatchObject({ outcome: 'unchanged', bytesSent: 0 })
    })

    it('restart only the machines that a change is for', async () => {
      const pid = (host: LabHost, unit: string): Promise<string> =>
        onHost(host, `systemctl show -p MainPID --value ${unit}`)
      const before = await Promise.all(workers.map((host) => pid(host, 'k3s-agent')))
      const result = await run(...options, '--set', 'write-kubeconfig-mode=0640')
      expect(outcomes(result.json)).toEqual(['changed', 'unchanged', 'unchanged'])
      expect(await onHost(master, 'stat -c %a /etc/rancher/k3s/k3s.yaml')).toBe('640')
      expect(await Promise.all(workers.map((host) => pid(host, 'k3s-agent')))).toEqual(before)
    })

    it('are gone after the reset', reset)
  })
})

/** Files and flags that use every option. */
async function writeOptions(home: string): Promise<string[]> {
  mkdirSync(`${home}/manifests`)
  writeFileSync(
    `${home}/manifests/namespace.yaml`,
    'apiVersion: v1\nkind: Namespace\nmetadata: {name: airlift-test}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: greeting, namespace: airlift-test}\ndata: {hello: world}\n',
  )
  mkdirSync(`${home}/certs`)
  const subject = ['-subj', '/CN=reg.lan', '-days', '2', '-keyout', `${home}/certs/ca.key`]
  await execa('openssl', [
    'req',
    '-x509',
    '-newkey',
    'rsa:2048',
    '-nodes',
    ...subject,
    '-out',
    `${home}/certs/ca.crt`,
  ])
  writeFileSync(
    `${home}/registries.yaml`,
    'mirrors:\n  docker.io:\n    endpoint: [https://reg.lan:5000]\nconfigs:\n  reg.lan:5000:\n    auth: {username: puller, password: "0123"}\n    tls: {ca_file: certs/ca.crt}\n',
  )
  writeFileSync(
    `${home}/k3s.yaml`,
    'write-kubeconfig-mode: 0600\nservice-cidr: 10.99.0.0/16\ncluster-cidr: 10.97.0.0/16\ntls-san: [k8s.example.org]\nkubelet-arg: [max-pods=50]\n',
  )
  return [
    ...[
      '--registries',
      `${home}/registries.yaml`,
      '--manifests',
      `${home}/manifests`,
      '--config',
      `${home}/k3s.yaml`,
    ],
    ...[
      '--set',
      'write-kubeconfig-mode=0644',
      '--set',
      'cluster-cidr=10.98.0.0/16',
      '--set',
      'disable=traefik,servicelb',
    ],
    ...[
      '--node-label',
      'site=lab',
      '--node-label',
      'disk=ssd@workers:0',
      '--node-taint',
      'dedicated=gpu:NoSchedule@workers:1',
    ],
  ]
}
