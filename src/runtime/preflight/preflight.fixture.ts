import type { ClusterSpec, NodeSpec, Role } from '../../cluster/spec.js'
import { plainSsh } from '../../cluster/ssh.fixture.js'
import type { Facts, FilesystemFact, ManagedFacts } from '../../machine/facts/facts.js'
import type { RootfsManifest } from '../../rootfs/manifest.js'
import type { PreflightMachine } from './machine-under-test.js'

// Builders for the tests of this folder: machines that have nothing to complain about, which a test then changes.

const GIB = 1024 ** 3

/** A node at an address. */
export function node(address: string, role: Role): NodeSpec {
  return {
    target: { kind: 'ssh', text: `root@${address}`, host: address, user: 'root' },
    role,
    labels: {},
    taints: [],
  }
}

/** A spec with so many masters and workers at 10.0.0.1 and up. */
export function spec(masters: number, workers: number, more: Partial<ClusterSpec> = {}): ClusterSpec {
  return {
    name: 'prod',
    runtime: 'k3s',
    masters: Array.from({ length: masters }, (_, i) => node(`10.0.0.${i + 1}`, 'master')),
    nodes: Array.from({ length: workers }, (_, i) => node(`10.0.0.${masters + i + 1}`, 'worker')),
    ssh: plainSsh,
    config: {},
    manifests: [],
    ignore: [],
    wait: 'nodes',
    timeoutMs: 600_000,
    ...more,
  }
}

/** A file system with 40 of 100 GiB free. */
export function filesystem(path: string, more: Partial<FilesystemFact> = {}): FilesystemFact {
  return {
    path,
    mountPoint: '/',
    type: 'ext4',
    sizeBytes: 100 * GIB,
    freeBytes: 40 * GIB,
    freeInodes: 5_000_000,
    options: ['rw', 'relatime'],
    writable: true,
    ...more,
  }
}

const PATHS = [
  '/usr/local/bin',
  '/var/lib/rancher',
  '/var/lib/airlift',
  '/etc/rancher',
  '/var/lib/kubelet',
  '/tmp',
]

/** Nothing of airlift. */
export const bare: ManagedFacts = { blobs: [], files: [], units: [], journal: [], fragments: {} }

/** Facts of a healthy host, named after its address. */
export function facts(address: string, more: Partial<Facts> = {}): Facts {
  return {
    hostname: `bare${address.split('.').at(-1)}`,
    machineId: address.replaceAll('.', '').padEnd(32, '0'),
    os: { id: 'debian', versionId: '12', name: 'Debian GNU/Linux 12 (bookworm)' },
    kernel: '6.1.0-18-amd64',
    unameArch: 'x86_64',
    bits: 64,
    init: 'systemd',
    libc: 'glibc',
    cpus: 2,
    memoryBytes: 4 * GIB,
    swapBytes: 0,
    cgroups: { version: 2, controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'] },
    filesystems: PATHS.map((path) => filesystem(path)),
    modules: {
      overlay: 'available',
      br_netfilter: 'available',
      nf_conntrack: 'loaded',
      vxlan: 'available',
      nf_tables: 'loaded',
      ip_tables: 'missing',
      iptable_nat: 'missing',
    },
    listeners: [{ protocol: 'tcp', address: '0.0.0.0', port: 22, process: 'sshd' }],
    clockSkewMs: 120,
    clockErrorMs: 8,
    timeSynchronized: true,
    defaultRoute: { device: 'eth0' },
    addresses: [{ device: 'eth0', address, prefix: 24 }],
    routes: [{ destination: '10.0.0.0/24', device: 'eth0' }],
    routeSource: { to: '10.0.0.1', address, device: 'eth0' },
    resolv: { path: '/etc/resolv.conf', nameservers: ['10.0.0.254'], search: [] },
    firewall: [],
    iptables: { version: '1.8.9', mode: 'nft' },
    sysctls: { 'fs.inotify.max_user_instances': '128' },
    tools: { awk: true, base64: true, dd: true, sha256sum: true },
    leftovers: [],
    proxyEnv: [],
    managed: bare,
    ...more,
  }
}

/** All machines of a spec, healthy; `change` gives what differs by index. */
export function machines(
  wanted: ClusterSpec,
  change: (index: number) => Partial<Facts> = () => ({}),
): PreflightMachine[] {
  return [...wanted.masters, ...wanted.nodes].map((entry, index) => ({
    name: entry.target.text,
    node: entry,
    facts: facts(entry.target.host, change(index)),
  }))
}

/** A rootfs with a binary of 70 MB and images of 200 MB. */
export const rootfs: RootfsManifest = {
  runtime: 'k3s',
  version: 'v1.33.1+k3s1',
  arch: ['amd64'],
  files: [
    {
      path: 'bin/k3s',
      sha256: 'b'.repeat(64),
      size: 70_000_000,
      mode: '0755',
      role: 'binary',
      arch: 'amd64',
    },
    {
      path: 'images/all.tar',
      sha256: 'c'.repeat(64),
      size: 200_000_000,
      mode: '0644',
      role: 'images',
      arch: 'amd64',
    },
  ],
  images: [],
}
