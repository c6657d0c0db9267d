import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { buildSpec } from '../../src/cluster/build-spec.js'
import { createContext } from '../../src/core/context.js'
import { createConnector } from '../../src/machine/connect.js'
import type { Machine } from '../../src/machine/machine.js'
import { createSecretSource } from '../../src/machine/ssh/secret-source.js'
import { doctor } from '../../src/operations/doctor.js'
import { createSpecIo } from '../../src/registry/local-spec-io.js'
import { checkClean } from '../../src/runtime/clean/check-clean.js'
import { type Lab, lab, labDown, labMissing, labUp } from '../lab/lab.js'

const NAME = 'test-clean'

/** What is planted on a host, how it is removed again, and how the check must name it. */
const PLANTS: readonly [what: string, plant: string, remove: string, found: RegExp][] = [
  [
    'a unit file',
    'touch /etc/systemd/system/k3s.service',
    'rm /etc/systemd/system/k3s.service',
    /service \/etc\/systemd\/system\/k3s\.service/,
  ],
  [
    'an init script',
    'touch /etc/init.d/k3s-agent',
    'rm /etc/init.d/k3s-agent',
    /service \/etc\/init\.d\/k3s-agent/,
  ],
  [
    'a process',
    `mkdir -p /opt/shim && cp /usr/bin/sleep /opt/shim/k3s && (cd /opt/shim && exec -a 'k3s server' ./k3s 300) >/dev/null 2>&1 & sleep 0.2`,
    `pkill -f '^k3s server 300'; rm -r /opt/shim`,
    /process \d+ k3s server 300/,
  ],
  [
    'a mount',
    'mkdir -p /var/lib/kubelet/pods/x && mount -t tmpfs none /var/lib/kubelet/pods/x',
    'umount /var/lib/kubelet/pods/x; rm -r /var/lib/kubelet',
    /mount \/var\/lib\/kubelet\/pods\/x/,
  ],
  [
    'a mount behind a link',
    'mkdir -p /srv/kubelet/pods/x && ln -s /srv/kubelet /var/lib/kubelet && mount -t tmpfs none /srv/kubelet/pods/x',
    'umount /srv/kubelet/pods/x; rm -r /var/lib/kubelet /srv/kubelet',
    /mount \/srv\/kubelet\/pods\/x/,
  ],
  [
    'a volume of a pod behind a link that is gone',
    'dir=/srv/kubelet/pods/x/volumes/kubernetes.io~projected/token; mkdir -p $dir && mount -t tmpfs none $dir',
    'umount /srv/kubelet/pods/x/volumes/kubernetes.io~projected/token; rm -r /srv/kubelet',
    /mount \/srv\/kubelet\/pods\/x\/volumes/,
  ],
  [
    'a program of k3s behind a link that is gone, whatever it calls itself',
    `dir=/srv/k3s/data/$(printf %064d 0)/bin; mkdir -p $dir && cp /usr/bin/sleep $dir/shim && (exec -a pause $dir/shim 300) >/dev/null 2>&1 & sleep 0.2`,
    `pkill -f '^pause 300'; rm -r /srv/k3s`,
    /process \d+ \/srv\/k3s\/data\/0+\/bin\/shim/,
  ],
  [
    'a network namespace',
    'ip netns add cni-1234',
    'ip netns delete cni-1234',
    /network namespace \/run\/netns\/cni-1234/,
  ],
  ['an interface', 'ip link add cni0 type bridge', 'ip link delete cni0', /network interface cni0/],
  [
    'an iptables chain',
    'iptables -N KUBE-SERVICES',
    'iptables -X KUBE-SERVICES',
    /iptables rule .*KUBE-SERVICES/,
  ],
  [
    'an ip6tables rule',
    'ip6tables -A FORWARD -m comment --comment flannel -j ACCEPT',
    'ip6tables -D FORWARD -m comment --comment flannel -j ACCEPT',
    /iptables rule ip6tables.*flannel/,
  ],
  [
    'a table of flannel in nftables',
    'nft add table ip flannel-ipv4',
    'nft delete table ip flannel-ipv4',
    /nftables .*flannel-ipv4/,
  ],
  [
    'the node password',
    'mkdir -p /etc/rancher/node && touch /etc/rancher/node/password',
    'rm -r /etc/rancher',
    /path \/etc\/rancher\/node/,
  ],
  [
    'data',
    'mkdir -p /var/lib/rancher/k3s/server',
    'rm -r /var/lib/rancher/k3s; rmdir /var/lib/rancher',
    /path \/var\/lib\/rancher\/k3s/,
  ],
  [
    'blobs of airlift',
    'mkdir -p /var/lib/airlift/blobs',
    'rm -r /var/lib/airlift',
    /path \/var\/lib\/airlift/,
  ],
  [
    'a half-written upload',
    'touch /usr/local/bin/.k3s.airlift-0123456789ab',
    'rm /usr/local/bin/.k3s.airlift-0123456789ab',
    /path \/usr\/local\/bin\/\.k3s\.airlift-/,
  ],
  ['the binary', 'touch /usr/local/bin/k3s', 'rm /usr/local/bin/k3s', /path \/usr\/local\/bin\/k3s/],
  [
    'a link to it',
    'ln -s k3s /usr/local/bin/kubectl',
    'rm /usr/local/bin/kubectl',
    /path \/usr\/local\/bin\/kubectl/,
  ],
  ['logs', 'mkdir -p /var/log/pods/x', 'rm -r /var/log/pods', /path \/var\/log\/pods/],
]

describe.skipIf(labMissing())('doctor on real hosts', () => {
  let machines: Lab
  let connected: Machine[] = []
  let close = async (): Promise<void> => {}
  const ctx = createContext({ env: { HOME: '/nonexistent' } })
  const secrets = createSecretSource({}, async () => undefined)
  const hosts = (): string[] => machines.hosts.map((host) => `root@${host.ip}`)
  const specOf = async (masters: string, nodes: string) =>
    (
      await buildSpec(
        { masters, nodes, identity: [machines.key], knownHosts: machines.knownHosts },
        createSpecIo(),
      )
    ).spec

  beforeAll(async () => {
    machines = await labUp(NAME, 1, '--openrc', '1')
    const [first = '', second = ''] = hosts()
    const wanted = await specOf(first, second)
    const connector = createConnector(wanted.ssh, ctx, secrets)
    close = () => connector.close()
    connected = await Promise.all(
      [...wanted.masters, ...wanted.nodes].map((node) => connector.connect(node.target)),
    )
  })
  afterAll(async () => {
    await close()
    await labDown(NAME)
  })

  it('finds nothing on bare hosts, with systemd and with OpenRC', async () => {
    expect(new Set(machines.hosts.map((host) => host.kind))).toEqual(new Set(['systemd', 'openrc']))
    for (const machine of connected) expect(await checkClean(machine, ctx)).toEqual([])
  })

  it.each(PLANTS)('finds %s, and only that', async (_what, plant, remove, found) => {
    const [machine] = connected
    const [host] = machines.hosts
    if (!machine || !host) throw new Error('a host')
    await lab('exec', host.name, '--', 'bash', '-c', plant)
    try {
      const problems = await checkClean(machine, ctx)
      expect(problems.map((entry) => entry.message).join('\n')).toMatch(found)
      expect(new Set(problems.map((entry) => entry.code))).toEqual(new Set(['not-clean']))
    } finally {
      await lab('exec', host.name, '--', 'bash', '-c', remove)
    }
    expect(await checkClean(machine, ctx)).toEqual([])
  })

  it('leaves links that lead to nothing of k3s to the host', async () => {
    const [machine] = connected
    const [host] = machines.hosts
    if (!machine || !host) throw new Error('a host')
    const links = '/var/lib/rancher /var/lib/kubelet'
    await lab(
      'exec',
      host.name,
      '--',
      'sh',
      '-c',
      `mkdir /srv/disk; ln -s /srv/disk /var/lib/rancher; ln -s /srv/gone /var/lib/kubelet`,
    )
    try {
      expect(await checkClean(machine, ctx)).toEqual([])
    } finally {
      await lab('exec', host.name, '--', 'sh', '-c', `rm ${links}; rmdir /srv/disk`)
    }
  })

  it('looks at hosts without leaving a trace, one round trip each', async () => {
    const marks = (): Promise<string[]> =>
      Promise.all(
        machines.hosts.map((host) =>
          lab(
            'exec',
            host.name,
            '--',
            'sh',
            '-c',
            'find / -xdev -newer /proc/1/exe -path "*airlift*" 2>/dev/null; ls -A /usr/local/bin /etc/rancher /var/lib/rancher /var/lib/airlift /var/lib/kubelet /tmp 2>&1; true',
          ),
        ),
      )
    const before = await marks()
    const [first = '', second = ''] = hosts()
    const report = await doctor({ spec: await specOf(first, second) }, ctx, { secrets })
    expect(report.problems.filter((entry) => entry.severity === 'error')).toEqual([])
    expect(report.machines.map((machine) => machine.init)).toEqual(machines.hosts.map((host) => host.kind))
    expect(report.machines.map((machine) => machine.address)).toEqual(machines.hosts.map((host) => host.ip))
    expect(await marks()).toEqual(before)
  })
})
