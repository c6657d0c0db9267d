import { readdirSync, readFileSync } from 'node:fs'
import type { ClusterSpec, NodeSpec, Role } from '../../cluster/spec.js'
import { Secret } from '../../core/secret.js'
import type { Facts, ManagedFacts } from '../../machine/facts/facts.js'
import type { RootfsManifest } from '../../rootfs/manifest.js'
import { bare, facts, node, spec } from '../preflight/preflight.fixture.js'
import type { InstalledState, MachineWorld, World } from '../runtime.js'

// A world of bare machines, for the tests of runtimes; its facts are those that preflight has nothing to say about.

/** A node that is named by its address. */
export function testNode(address: string, role: Role, more: Partial<NodeSpec> = {}): NodeSpec {
  return { ...node(address, role), ...more }
}

/** A spec with so many masters and workers at 10.0.0.1 and up. */
export const testSpec = spec

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

/** Facts of a bare Debian host under a name. */
export function testFacts(address: string, name: string, more: Partial<Facts> = {}): Facts {
  return facts(address, { hostname: name, ...more })
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
    facts: testFacts(node.target.host, name, { managed: { ...bare, ...managed } }),
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
