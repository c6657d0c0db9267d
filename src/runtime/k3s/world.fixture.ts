import { readdirSync, readFileSync } from 'node:fs'
import type { ClusterSpec, NodeSpec, Role } from '../../cluster/spec.js'
import { Secret } from '../../core/secret.js'
import type { Facts, ManagedFacts } from '../../machine/facts/facts.js'
import type { RootfsManifest } from '../../rootfs/manifest.js'
import type { InstalledState, MachineWorld, World } from '../runtime.js'

// Builders for the tests of this folder: a world of bare machines, which a test then changes.

/** A node that is named by its address. */
export function testNode(address: string, role: Role, more: Partial<NodeSpec> = {}): NodeSpec {
  return {
    target: { kind: 'ssh', text: `root@${address}`, host: address, user: 'root' },
    role,
    labels: {},
    taints: [],
    ...more,
  }
}

/** A spec with so many masters and workers at 10.0.0.1 and up. */
export function testSpec(masters: number, workers: number, more: Partial<ClusterSpec> = {}): ClusterSpec {
  const node = (index: number, role: Role): NodeSpec => testNode(`10.0.0.${index + 1}`, role)
  return {
    name: 'prod',
    runtime: 'k3s',
    masters: Array.from({ length: masters }, (_, i) => node(i, 'master')),
    nodes: Array.from({ length: workers }, (_, i) => node(masters + i, 'worker')),
    ssh: {
      identities: [],
      hostKeys: 'accept-new',
      askPass: false,
      askSudoPass: false,
      sudo: 'auto',
      transport: 'auto',
    },
    config: {},
    manifests: [],
    ignore: [],
    wait: 'nodes',
    timeoutMs: 600_000,
    ...more,
  }
}

/** A small rootfs: a binary and one image. */
export const testManifest: RootfsManifest = {
  runtime: 'k3s',
  version: 'v1.33.1+k3s1',
  arch: ['amd64'],
  files: [
    {
      path: 'bin/k3s',
      sha256: 'b1'.repeat(32),
      size: 70_000_000,
      mode: '0755',
      role: 'binary',
      arch: 'amd64',
    },
    {
      path: 'images/mirrored-pause-0a1b2c3d4e5f.tar',
      sha256: 'c2'.repeat(32),
      size: 700_000,
      mode: '0644',
      role: 'images',
      arch: 'amd64',
    },
  ],
  images: [
    {
      names: ['docker.io/rancher/mirrored-pause:3.6'],
      arch: 'amd64',
      digest: `sha256:${'d3'.repeat(32)}`,
      file: 'images/mirrored-pause-0a1b2c3d4e5f.tar',
    },
  ],
}

const bareManaged: ManagedFacts = { blobs: [], files: [], units: [], journal: [], fragments: {} }

/** Facts of a bare Debian host. */
export function testFacts(address: string, name: string, more: Partial<Facts> = {}): Facts {
  return {
    hostname: name,
    os: { id: 'debian', versionId: '12', name: 'Debian GNU/Linux 12' },
    kernel: '6.1.0',
    unameArch: 'x86_64',
    init: 'systemd',
    cpus: 2,
    memoryBytes: 4e9,
    swapBytes: 0,
    cgroups: { version: 2, controllers: ['cpu', 'cpuset', 'memory', 'pids'] },
    filesystems: [],
    modules: {},
    listeners: [],
    clockSkewMs: 0,
    clockErrorMs: 5,
    defaultRoute: { device: 'eth0', source: address },
    addresses: [{ device: 'eth0', address, prefix: 24 }],
    routeSource: { to: '10.0.0.1', address, device: 'eth0' },
    resolv: { path: '/etc/resolv.conf', nameservers: ['10.0.0.254'], search: [] },
    firewall: [],
    sysctls: {},
    tools: {},
    leftovers: [],
    proxyEnv: [],
    managed: bareManaged,
    ...more,
  } as Facts
}

/** One machine of the world; `managed` and `installed` say what is there already. */
export function testMachine(
  node: NodeSpec,
  name: string,
  managed: Partial<ManagedFacts> = {},
  installed: Partial<InstalledState> = {},
): MachineWorld {
  return {
    id: `ssh://root@${node.target.host}:22`,
    name: node.target.text,
    node,
    facts: testFacts(node.target.host, name, { managed: { ...bareManaged, ...managed } }),
    installed: { active: false, initialized: false, apiReady: false, ...installed },
  }
}

/** A world where every machine of the spec is bare: bare1, bare2, … */
export function testWorld(spec: ClusterSpec, more: Partial<World> = {}): World {
  return {
    machines: [...spec.masters, ...spec.nodes].map((node, i) => testMachine(node, `bare${i + 1}`)),
    unreachable: [],
    secrets: new Map([['token', new Secret('0123456789abcdef')]]),
    rootfs: { manifest: testManifest },
    templates: templatesOfTree(),
    ...more,
  }
}

function templatesOfTree(): Record<string, string> {
  const dir = new URL('../../../rootfs/k3s/templates/', import.meta.url)
  return Object.fromEntries(
    readdirSync(dir).map((name) => [`templates/${name}`, readFileSync(new URL(name, dir), 'utf8')]),
  )
}
