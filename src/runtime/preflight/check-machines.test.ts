import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../../cluster/spec.js'
import type { Facts } from '../../machine/facts/facts.js'
import { checkMachines } from './check-machines.js'
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

describe('packets', () => {
  const mtus = (...lengths: number[]): string[] => {
    const wanted = spec(1, lengths.length - 1)
    const all = machines(wanted, (index) => ({ mtus: { eth0: lengths[index] ?? 0, docker0: 1400 } }))
    return checkMachines(wanted, all, rootfs).map(({ code, machine, fix }) => `${code} ${machine} ${fix}`)
  }

  it('are of one length on all devices that nodes use', () => {
    expect(mtus(1500, 1500, 1500)).toEqual([])
    expect(mtus(9000, 1500, 9000)).toEqual([
      'mtu root@10.0.0.2 ip link set dev eth0 mtu 9000, and in the configuration of its network; or the same on all machines',
    ])
  })

  it('are not judged where a machine cannot tell', () => {
    expect(found({ mtus: { eth0: 1500 } })).toEqual([])
  })
})

describe('the network of the pods', () => {
  const many = (workers: number, config: ClusterSpec['config'] = {}): string[] =>
    found({}, { spec: spec(1, workers, { config }) }).filter((text) => text.includes('pod-network'))

  it('has a part for each node', () => {
    expect(many(15, { 'cluster-cidr': '10.50.0.0/20' })).toEqual([])
    expect(many(16, { 'cluster-cidr': '10.50.0.0/20' })).toEqual([
      'error pod-network-small 10.0.0.1 10.50.0.0/20 has room for 16 nodes with a /24 each, and there are 17',
    ])
  })

  it('is cut as the configuration says', () => {
    const config = {
      'cluster-cidr': '10.50.0.0/20',
      'kube-controller-manager-arg': ['node-cidr-mask-size=25'],
    }
    expect(many(16, config)).toEqual([])
    expect(many(0, { 'cluster-cidr': '10.50.0.0/26' })).toHaveLength(1)
  })
})

describe('a firewall', () => {
  const fix = (index: number, wanted: ClusterSpec): string | undefined => {
    const all = machines(wanted, (at) => (at === index ? { firewall: ['ufw'] } : {}))
    return checkMachines(wanted, all, rootfs)[0]?.fix
  }

  it('is opened for what the role, the datastore and the network of this cluster need', () => {
    expect(fix(0, spec(1, 1))).toMatch(
      /^ufw allow 6443\/tcp; ufw allow 10250\/tcp; ufw allow 8472\/udp; ufw allow from /,
    )
    expect(fix(0, spec(3, 0))).toContain('ufw allow 2379:2380/tcp')
    expect(fix(1, spec(1, 1, { config: { 'flannel-backend': 'wireguard-native' } }))).toMatch(
      /^ufw allow 10250\/tcp; ufw allow 51820\/udp; ufw allow from /,
    )
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
  const dual = spec(1, 1, {
    config: {
      'cluster-cidr': ['10.50.0.0/16', 'fd00:50::/56'],
      'service-cidr': ['10.51.0.0/16', 'fd00:51::/112'],
    },
  })
  const at = (...more: readonly Facts['addresses'][number][]): Partial<Facts> => ({
    addresses: [{ device: 'eth0', address: '10.0.0.2', prefix: 24 }, ...more],
  })
  const six = { device: 'eth0', address: '2001:db8::2', prefix: 64 }
  const onFirst = {
    addresses: [
      { device: 'eth0', address: '10.0.0.1', prefix: 24 },
      { ...six, address: '2001:db8::1' },
    ],
  }
  const foundDual = (change: Partial<Facts>): string[] =>
    checkMachines(
      dual,
      machines(dual, (index) => (index === 0 ? onFirst : change)),
      rootfs,
    ).map((entry) => `${entry.code} ${entry.machine} ${entry.message}`)

  it('are of both families where the pods are', () => {
    expect(foundDual(at(six))).toEqual([])
    for (const none of [at(), at({ ...six, device: 'eth1' }), at({ ...six, temporary: true })])
      expect(foundDual(none)).toEqual([
        expect.stringMatching(
          /^node-ip-family root@10\.0\.0\.2 the pods have 10\.50\.0\.0\/16,fd00:50::\/56, and eth0 has no lasting address of IPv6 \(addresses: 10\.0\.0\.2/,
        ),
      ])
  })

  it('that a single node was given are of both families, too', () => {
    const alone = (ip: string[]) => {
      const wanted = spec(1, 0, { config: { ...dual.config, 'node-ip': ip } })
      return checkMachines(
        wanted,
        machines(wanted, () => onFirst),
        rootfs,
      ).map(({ code }) => code)
    }
    expect(alone(['10.0.0.1', '2001:db8::1'])).toEqual([])
    expect(alone(['10.0.0.1'])).toEqual(['node-ip-family'])
    expect(alone(['10.0.0.1', '2001:db8::9'])).toEqual(['node-ip-mismatch'])
  })

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
