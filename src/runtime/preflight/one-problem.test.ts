import { describe, expect, it } from 'vitest'
import type { Facts } from '../../machine/facts/facts.js'
import { checkMachines } from './check-machines.js'
import type { PreflightCode, Severity } from './codes.js'
import { bare, filesystem, machines, rootfs, spec } from './preflight.fixture.js'

const GIB = 1024 ** 3
const MIB = 1024 ** 2

const listener = (port: number, protocol: 'tcp' | 'udp' = 'tcp', address = '0.0.0.0', process?: string) => ({
  protocol,
  address,
  port,
  ...(process ? { process } : {}),
})

/** One row: what is wrong, and the one problem that it must give. */
const ROWS: readonly [string, Partial<Facts>, Severity, PreflightCode, RegExp][] = [
  ['another processor', { unameArch: 'aarch64' }, 'error', 'arch-mismatch', /arm64 \(aarch64\).*amd64/],
  ['a processor that k3s has not', { unameArch: 'riscv64' }, 'error', 'arch-mismatch', /riscv64/],
  ['a 32-bit system', { unameArch: 'i686', bits: 32 }, 'error', 'os-32bit', /i686/],
  ['a 32-bit user space', { bits: 32 }, 'error', 'os-32bit', /LONG_BIT 32/],
  [
    'no init system',
    { init: 'none', virtualization: 'qemu' },
    'error',
    'no-init',
    /qemu.*neither systemd nor OpenRC/,
  ],
  ['an old kernel', { kernel: '4.15.0-20' }, 'warning', 'kernel-old', /4\.15\.0-20/],
  ['a very old kernel', { kernel: '3.10.0-1160.el7' }, 'error', 'kernel-old', /3\.10/],
  ['a host name with _', { hostname: 'my_host' }, 'error', 'hostname-invalid', /"my_host"/],
  ['no host name', { hostname: 'localhost.localdomain' }, 'error', 'hostname-invalid', /localhost/],
  ['little memory', { memoryBytes: 400 * MIB }, 'warning', 'memory-low', /400 MiB.*512 MiB/],
  ['far too little memory', { memoryBytes: 200 * MIB }, 'error', 'memory-low', /200 MiB.*256 MiB/],
  ['swap', { swapBytes: GIB }, 'info', 'swap', /1\.0 GiB/],
  ['no cgroups', { cgroups: { version: 0, controllers: [] } }, 'error', 'cgroup-missing', /no cgroups/],
  [
    'no memory cgroup',
    { cgroups: { version: 2, controllers: ['cpu', 'cpuset', 'pids'] } },
    'error',
    'cgroup-missing',
    /memory/,
  ],
  ['no br_netfilter', { modules: { br_netfilter: 'missing' } }, 'error', 'module-missing', /br_netfilter/],
  [
    'no kind of iptables',
    { modules: { nf_tables: 'missing', iptable_nat: 'missing' } },
    'error',
    'module-missing',
    /nf_tables or iptable_nat/,
  ],
  ['buggy iptables', { iptables: { version: '1.8.2', mode: 'nft' } }, 'warning', 'iptables-buggy', /1\.8\.2/],
  ['SELinux without a policy', { selinux: 'enforcing' }, 'error', 'selinux-policy', /enforcing/],
  [
    'AppArmor without parser on SUSE',
    { os: { id: 'sles', versionId: '15', name: 'SLES 15' }, apparmor: { enabled: true, parser: false } },
    'error',
    'apparmor-parser',
    /SLES 15/,
  ],
  ['few inotify instances in a container', { virtualization: 'lxc' }, 'warning', 'inotify', /128/],
  ['a missing program', { tools: { sha256sum: false } }, 'error', 'tool-missing', /sha256sum/],
  ['no default route', { defaultRoute: undefined } as never, 'error', 'no-default-route', /no default route/],
  [
    'an address among the pods',
    {
      addresses: [
        { device: 'eth0', address: '10.0.0.2', prefix: 24 },
        { device: 'eth1', address: '10.42.7.1', prefix: 24 },
      ],
    },
    'error',
    'cidr-overlap',
    /10\.42\.7\.1 \(eth1\).*pods/,
  ],
  [
    'a route among the services',
    { routes: [{ destination: '10.43.0.0/24', device: 'tun0' }] },
    'error',
    'cidr-overlap',
    /10\.43\.0\.0\/24 \(tun0\).*services/,
  ],
  [
    'loopback resolvers only',
    { resolv: { path: '/etc/resolv.conf', nameservers: ['127.0.0.1'], search: [] } },
    'warning',
    'loopback-resolv',
    /127\.0\.0\.1/,
  ],
  [
    'the stub of systemd-resolved',
    {
      resolv: { path: '/run/systemd/resolve/stub-resolv.conf', nameservers: ['127.0.0.53'], search: [] },
      resolvedNameservers: ['10.0.0.254'],
    },
    'info',
    'loopback-resolv',
    /127\.0\.0\.53/,
  ],
  [
    'a loopback resolver beside another one',
    { resolv: { path: '/etc/resolv.conf', nameservers: ['127.0.0.53', '10.0.0.254'], search: [] } },
    'info',
    'loopback-resolv',
    /names 127\.0\.0\.53, which pods cannot reach; they get 10\.0\.0\.254/,
  ],
  [
    'no resolver',
    { resolv: { path: '/etc/resolv.conf', nameservers: [], search: [] } },
    'warning',
    'resolv-missing',
    /names no resolver/,
  ],
  ['a firewall', { firewall: ['firewalld'] }, 'warning', 'firewall', /firewalld/],
  ['nm-cloud-setup', { nmCloudSetup: true }, 'error', 'nm-cloud-setup', /enabled/],
  ['a proxy alone', { proxyEnv: ['https_proxy'] }, 'warning', 'proxy-without-noproxy', /https_proxy/],
  ['a clock an hour ahead', { clockSkewMs: 3_600_000 }, 'error', 'clock-skew', /60 minutes ahead/],
  ['a clock behind', { clockSkewMs: -45_000 }, 'error', 'clock-skew', /45 seconds behind/],
  [
    'an unsynchronised clock',
    { timeSynchronized: false },
    'warning',
    'clock-unsynchronized',
    /not synchronised/,
  ],
  [
    'kubeadm',
    { leftovers: [{ what: 'kubeadm', evidence: '/etc/kubernetes/admin.conf' }] },
    'error',
    'leftover',
    /kubeadm.*admin\.conf/,
  ],
  [
    'data of k3s',
    { leftovers: [{ what: 'k3s-data', evidence: '/var/lib/rancher/k3s/server/db' }] },
    'error',
    'leftover',
    /server\/db/,
  ],
  [
    'a drop-in of k3s',
    { leftovers: [{ what: 'k3s-drop-in', evidence: '/etc/rancher/k3s/config.yaml.d/90-old.yaml' }] },
    'error',
    'leftover',
    /wins over that of airlift.*90-old\.yaml/,
  ],
  [
    'a registries.yaml',
    { leftovers: [{ what: 'k3s-registries', evidence: '/etc/rancher/k3s/registries.yaml' }] },
    'error',
    'leftover',
    /registries\.yaml/,
  ],
  [
    'variables of k3s',
    { leftovers: [{ what: 'k3s-env', evidence: '/etc/default/k3s: K3S_TOKEN K3S_URL' }] },
    'error',
    'leftover',
    /default\/k3s: K3S_TOKEN K3S_URL/,
  ],
  [
    'another k3s',
    { leftovers: [{ what: 'k3s-unit', evidence: '/etc/systemd/system/k3s.service' }] },
    'error',
    'foreign-cluster',
    /k3s\.service/,
  ],
  [
    'another cluster of airlift',
    { managed: { ...bare, record: { name: 'dev' } } },
    'error',
    'foreign-cluster',
    /"dev", not to "prod"/,
  ],
  [
    'Docker',
    { leftovers: [{ what: 'docker', evidence: '/run/docker.sock' }] },
    'info',
    'container-engine',
    /docker/,
  ],
  [
    'a link where a reset wipes',
    { leftovers: [{ what: 'link', evidence: '/var/lib/kubelet, a link to /data/kubelet' }] },
    'error',
    'data-link',
    /\/var\/lib\/kubelet, a link to \/data\/kubelet/,
  ],
  ['a CNI', { leftovers: [{ what: 'cni', evidence: '/etc/cni/net.d/x' }] }, 'info', 'foreign-cni', /net\.d/],
  [
    'no iptables, whose rules nothing could then look for',
    { iptables: undefined as never },
    'info',
    'iptables-missing',
    /k3s brings its own/,
  ],
  [
    'a tunnel that carries less than pods need',
    { mtus: { eth0: 1300 } },
    'warning',
    'mtu',
    /eth0 carries packets of 1300 bytes, pods need 1330/,
  ],
  [
    'the name of the other',
    { hostname: 'BARE1' },
    'error',
    'duplicate-hostname',
    /"bare1" is also that of root@10\.0\.0\.1/,
  ],
  [
    'the machine id of the other',
    { machineId: '10001'.padEnd(32, '0') },
    'error',
    'duplicate-machine-id',
    /10001/,
  ],
  [
    'kubelet’s port taken',
    { listeners: [listener(10250, 'tcp', '::', 'kubelite')] },
    'error',
    'port-in-use',
    /10250\/tcp \(kubelet\).*kubelite/,
  ],
  [
    'the vxlan port taken',
    { listeners: [listener(8472, 'udp')] },
    'error',
    'port-in-use',
    /8472\/udp.*another program/,
  ],
  [
    'a web server',
    { listeners: [listener(80, 'tcp', '0.0.0.0', 'nginx')] },
    'warning',
    'ingress-port',
    /80\/tcp is taken by nginx/,
  ],
  [
    'a data directory on overlayfs',
    { filesystems: [filesystem('/var/lib/rancher', { type: 'overlay' })] },
    'error',
    'filesystem-type',
    /overlay/,
  ],
  [
    'few inodes',
    { filesystems: [filesystem('/var/lib/rancher', { freeInodes: 100 })] },
    'error',
    'inode-space',
    /100 inodes/,
  ],
  [
    'a noexec data directory',
    { filesystems: [filesystem('/var/lib/rancher', { options: ['rw', 'noexec'], mountPoint: '/var/lib' })] },
    'error',
    'noexec',
    /\/var\/lib is mounted noexec/,
  ],
  [
    'a read-only /usr/local/bin',
    {
      filesystems: [
        filesystem('/usr/local/bin', { options: ['ro'], writable: false, mountPoint: '/usr/local' }),
      ],
    },
    'error',
    'read-only',
    /\/usr\/local is mounted read-only/,
  ],
]

describe('one thing wrong with a worker', () => {
  it.each(ROWS)('%s', (_title, change, severity, code, message) => {
    const wanted = spec(1, 1)
    const all = machines(wanted, (index) => (index === 1 ? change : {}))
    const problems = checkMachines(wanted, all, rootfs)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatchObject({ severity, code, machine: 'root@10.0.0.2' })
    expect(problems[0]?.message).toMatch(message)
  })
  it('that is a k3s of somebody else is removed by the script of its own name', () => {
    const wanted = spec(1, 0)
    const leftovers = [{ what: 'k3s-unit', evidence: '/etc/systemd/system/k3s-agent.service' }]
    const [found] = checkMachines(
      wanted,
      machines(wanted, () => ({ leftovers })),
      rootfs,
    )
    expect(found?.fix).toMatch(/: k3s-agent-uninstall\.sh$/)
  })
})
