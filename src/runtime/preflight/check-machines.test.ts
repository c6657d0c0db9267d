import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { Facts } from '../../machine/facts/facts.js'
import { checkMachines } from './check-machines.js'
import type { PreflightCode, Severity } from './codes.js'
import { bare, filesystem, machines, rootfs, spec } from './preflight.fixture.js'

const GIB = 1024 ** 3
const MIB = 1024 ** 2

/** What a change of the second machine (a worker) or of the first (a master) brings: severity, code and message. */
function found(
  change: Partial<Facts>,
  more: { index?: number; spec?: ClusterSpec; version?: string } = {},
): string[] {
  const wanted = more.spec ?? spec(1, 1)
  const all = machines(wanted, (index) => (index === (more.index ?? 1) ? change : {}))
  const manifest = more.version ? { ...rootfs, version: more.version } : rootfs
  return checkMachines(wanted, all, manifest).map(
    (entry) => `${entry.severity} ${entry.code} ${entry.machine.replace('root@', '')} ${entry.message}`,
  )
}

const listener = (port: number, protocol: 'tcp' | 'udp' = 'tcp', address = '0.0.0.0', process?: string) => ({
  protocol,
  address,
  port,
  ...(process ? { process } : {}),
})

describe('a healthy machine', () => {
  it('has no problem, in any role, with one master or three', () => {
    expect(found({})).toEqual([])
    expect(found({}, { spec: spec(3, 2) })).toEqual([])
  })
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
  ['a CNI', { leftovers: [{ what: 'cni', evidence: '/etc/cni/net.d/x' }] }, 'info', 'foreign-cni', /net\.d/],
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
    const problems = found(change)
    expect(problems).toHaveLength(1)
    expect(problems[0]).toMatch(new RegExp(`^${severity} ${code} 10\\.0\\.0\\.2 `))
    expect(problems[0]).toMatch(message)
  })
})

describe('masters', () => {
  it('need more cores and memory', () => {
    expect(found({ cpus: 1, memoryBytes: GIB }, { index: 0 })).toEqual([
      'warning cores-low 10.0.0.1 1 core, k3s asks for 2 on a master',
      'warning memory-low 10.0.0.1 1.0 GiB of memory, a master should have 2.0 GiB',
    ])
    expect(found({ memoryBytes: 1.9 * GIB }, { index: 0 })).toEqual([])
  })

  it('need the port of the API server, also where it was moved; workers do not', () => {
    const taken = { listeners: [listener(6443, 'tcp', '127.0.0.1', 'haproxy')] }
    expect(found(taken, { index: 0 })).toEqual([
      'error port-in-use 10.0.0.1 port 6443/tcp (API server) is taken by haproxy',
    ])
    expect(found(taken)).toEqual([])
    const moved = spec(1, 1, { config: { 'https-listen-port': 7443 } })
    expect(found(taken, { index: 0, spec: moved })).toEqual([])
    expect(found({ listeners: [listener(7443)] }, { index: 0, spec: moved })).toHaveLength(1)
  })

  it('need the ports of etcd only with etcd', () => {
    const taken = { listeners: [listener(2379, 'tcp', '10.0.0.1', 'etcd')] }
    expect(found(taken, { index: 0 })).toEqual([])
    expect(found(taken, { index: 0, spec: spec(3, 0) })).toEqual([
      'error port-in-use 10.0.0.1 port 2379/tcp (etcd clients) is taken by etcd',
    ])
    expect(
      found(taken, { index: 0, spec: spec(3, 0, { config: { 'datastore-endpoint': 'mysql://x' } }) }),
    ).toEqual([])
  })

  it('should be of an odd number', () => {
    expect(found({}, { spec: spec(2, 1) })).toEqual([
      'warning even-masters 10.0.0.1 2 masters with etcd survive the loss of 0, as 1 would',
    ])
  })
})

describe('ports', () => {
  it('of our own running k3s are no problem; those of another program beside it are', () => {
    const managed = {
      ...bare,
      record: { name: 'prod' },
      units: [{ unit: 'k3s', loaded: true, enabled: true, active: 'active' }],
    }
    const own = [
      listener(6443, 'tcp', '::', 'k3s-server'),
      listener(8472, 'udp'),
      listener(10010, 'tcp', '127.0.0.1', 'containerd'),
    ]
    expect(found({ managed, listeners: own }, { index: 0 })).toEqual([])
    const crashing = {
      ...managed,
      units: [{ unit: 'k3s', loaded: true, enabled: true, active: 'activating' }],
    }
    expect(
      found({ managed: crashing, listeners: [listener(6443, 'tcp', '0.0.0.0', 'nginx')] }, { index: 0 }),
    ).toHaveLength(1)
  })

  it('that k3s binds to loopback are free when taken on another address', () => {
    expect(found({ listeners: [listener(10248, 'tcp', '10.0.0.2')] })).toEqual([])
    expect(found({ listeners: [listener(10248, 'tcp', '127.0.0.1')] })).toHaveLength(1)
  })
})

describe('settings of the cluster', () => {
  it('decide on cgroup v1: refused from 1.35, unless the kubelet is told otherwise', () => {
    const v1 = { cgroups: { version: 1 as const, controllers: ['cpu', 'cpuset', 'memory', 'pids'] } }
    expect(found(v1, { version: 'v1.34.10+k3s1' })).toEqual([])
    expect(found(v1, { version: 'v1.35.0+k3s1' })[0]).toMatch(/^error cgroup-v1 10\.0\.0\.2 .*v1\.35\.0/)
    const told = spec(1, 1, { config: { 'kubelet-arg': ['fail-cgroupv1=false'] } })
    expect(found(v1, { version: 'v1.35.0+k3s1', spec: told })).toEqual([])
  })

  it('decide on the networks that may not overlap', () => {
    const moved = spec(1, 1, { config: { 'cluster-cidr': '10.0.0.0/16' } })
    const all = found({}, { spec: moved })
    expect(all).toHaveLength(2)
    expect(all[0]).toMatch(
      /^error cidr-overlap 10\.0\.0\.1 the address 10\.0\.0\.1 \(eth0\).*10\.0\.0\.0\/16/,
    )
    const own = {
      routes: [
        { destination: '10.42.1.0/24', device: 'cni0' },
        { destination: '10.42.0.0/24', device: 'flannel.1' },
      ],
    }
    expect(found(own)).toEqual([])
    // Broader routes lose against those of the pods: only hosts in there that somebody wants to reach are hidden.
    const broad = found({ routes: [{ destination: '10.0.0.0/8', device: 'eth0' }] })
    expect(broad.map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'warning cidr-overlap',
      'warning cidr-overlap',
    ])
  })

  it('decide on kernel settings under protect-kernel-defaults', () => {
    const strict = spec(1, 1, { config: { 'protect-kernel-defaults': true } })
    expect(
      found({ sysctls: { 'vm.overcommit_memory': '0', 'kernel.panic': '10' } }, { spec: strict }),
    ).toEqual(['error kernel-defaults 10.0.0.2 vm.overcommit_memory=0'])
  })

  it('a resolv-conf of the user’s own is taken as it is', () => {
    const own = spec(1, 1, { config: { 'resolv-conf': '/etc/pods.conf' } })
    expect(
      found({ resolv: { path: '/etc/resolv.conf', nameservers: [], search: [] } }, { spec: own }),
    ).toEqual([])
  })
})

describe('room', () => {
  const at = (path: string, freeBytes: number, mountPoint = '/') =>
    filesystem(path, { freeBytes, mountPoint, sizeBytes: 2 * freeBytes })
  const all = (freeBytes: number) =>
    ['/usr/local/bin', '/var/lib/rancher', '/var/lib/airlift'].map((path) => at(path, freeBytes))

  it('is asked for all that goes to one file system together', () => {
    expect(found({ filesystems: all(GIB) })[0]).toMatch(
      /^error disk-space 10\.0\.0\.2 \/var\/lib\/airlift and \/var\/lib\/rancher \(on \/\): 1\.0 GiB free, 2\.1 GiB needed$/,
    )
    expect(found({ filesystems: all(10 * GIB) })).toEqual([])
  })

  it('counts a file twice where it cannot be linked', () => {
    const split = [
      at('/var/lib/airlift', 200 * MIB, '/var/lib/airlift'),
      at('/var/lib/rancher', 20 * GIB),
      at('/usr/local/bin', 20 * GIB),
    ]
    expect(found({ filesystems: split })).toEqual([
      'error disk-space 10.0.0.2 /var/lib/airlift (on /var/lib/airlift): 200 MiB free, 257 MiB needed',
    ])
    const small = [
      at('/var/lib/airlift', 20 * GIB),
      at('/var/lib/rancher', 20 * GIB),
      at('/usr/local/bin', 50 * MIB, '/usr/local'),
    ]
    expect(found({ filesystems: small })).toEqual([
      'error disk-space 10.0.0.2 /usr/local/bin (on /usr/local): 50 MiB free, 66 MiB needed',
    ])
  })

  it('does not count blobs that are there, nor what a joined node has unpacked', () => {
    const blobs = rootfs.files.map((file) => ({ sha256: file.sha256, sizeBytes: file.size }))
    const split = [at('/var/lib/airlift', 10 * MIB, '/var/lib/airlift'), at('/var/lib/rancher', 20 * GIB)]
    expect(found({ filesystems: split, managed: { ...bare, blobs } })).toEqual([])
    const joined = {
      ...bare,
      blobs,
      record: { name: 'prod' },
      files: [{ path: '/var/lib/airlift/initialized', mode: '0600', sizeBytes: 0 }],
    }
    expect(found({ filesystems: all(100 * MIB), managed: joined })).toEqual([])
  })

  it('warns of a disk that would be nearly full', () => {
    const tight = ['/var/lib/rancher', '/var/lib/airlift'].map((path) =>
      filesystem(path, { freeBytes: 5 * GIB }),
    )
    expect(found({ filesystems: tight })[0]).toMatch(
      /^warning disk-space .*under 5 %: the node will be tainted$/,
    )
  })
})

describe('addresses', () => {
  it('are asked for, and must be the machine’s own, of one family, and different', () => {
    const none = { addresses: [], routeSource: undefined, defaultRoute: { device: 'eth0' } } as never
    expect(found(none)[0]).toMatch(/^error node-ip-unknown/)
    const strange = { routeSource: { to: '10.0.0.1', address: '192.168.9.9', device: 'eth0' } }
    expect(found(strange)[0]).toMatch(/^error node-ip-mismatch .*192\.168\.9\.9/)
    const six = {
      addresses: [{ device: 'eth0', address: 'fd00::2', prefix: 64 }],
      routeSource: { to: '10.0.0.1', address: 'fd00::2', device: 'eth0' },
    }
    expect(found(six)[0]).toMatch(/^error node-ip-mismatch .*not the same family/)
    const nat = {
      addresses: [{ device: 'eth0', address: '10.0.0.1', prefix: 24 }],
      routeSource: { to: '10.0.0.1', address: '10.0.0.1', device: 'lo' },
    }
    expect(found(nat)).toEqual([
      "error duplicate-address 10.0.0.2 the node's address would be 10.0.0.1, which is also that of root@10.0.0.1",
    ])
  })
})

describe('clocks', () => {
  it('that agree with each other point at this computer', () => {
    const wanted = spec(1, 1)
    const problems = checkMachines(
      wanted,
      machines(wanted, (index) => ({ clockSkewMs: -7_200_000 + index })),
      rootfs,
    )
    expect(problems).toHaveLength(2)
    expect(problems[0]?.message).toMatch(/2 hours behind this computer's, as on all machines/)
    expect(problems[0]?.fix).toMatch(/this computer's clock/)
  })

  it('are not blamed for a slow connection', () => {
    expect(found({ clockSkewMs: 40_000, clockErrorMs: 45_000 })).toEqual([])
  })
})
