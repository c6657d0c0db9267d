import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { NodeSpec } from '../../cluster/spec.js'
import { Secret } from '../../core/secret.js'
import { fillSecrets } from '../../plan/fill-secrets.js'
import { mergePlans } from '../../plan/plan.js'
import type { MachineWorld, NodeStatus, World } from '../runtime.js'
import { desiredState } from './desired.js'
import { createK3sRuntime } from './runtime.js'
import { testMachine, testSpec, testWorld } from './world.fixture.js'

const runtime = createK3sRuntime()
const secrets = new Map([
  ['token', new Secret('0123456789abcdef')],
  ['join-token', new Secret('K10aa::server:0123456789abcdef')],
])

/** What is left of three masters and a worker when the first master, which founded the cluster, has been deleted. */
function founderGone() {
  const before = testSpec(3, 1)
  const spec = { ...before, masters: before.masters.slice(1) }
  const bare = testWorld(spec, { secrets })
  const gone = testMachine(before.masters[0] as NodeSpec, 'bare1')
  const all = [...spec.masters, ...spec.nodes]
  const nodes = all.map(
    (node, i): NodeStatus => ({
      name: `bare${i + 2}`,
      role: node.role,
      ready: true,
      version: 'v1.33.1+k3s1',
      address: node.target.host,
      message: '',
      ...(node.role === 'master' ? { voter: true } : {}),
    }),
  )
  const machines = all.map((node, i): MachineWorld => {
    const machine = testMachine(node, `bare${i + 2}`)
    // Joined through the master that is gone now: its address is in their configuration.
    const desired = desiredState(spec, bare, node, machine, gone)
    return testMachine(
      node,
      `bare${i + 2}`,
      {
        blobs: desired.links.map((link) => ({ sha256: link.file.sha256, sizeBytes: link.file.size })),
        files: [
          ...desired.links.map((link) => ({
            path: link.path,
            mode: link.mode,
            sizeBytes: 1,
            blob: link.file.sha256,
          })),
          ...desired.files.map((file) => {
            const bytes = Buffer.from(fillSecrets(file.content, secrets))
            const sha256 = createHash('sha256').update(bytes).digest('hex')
            return { path: file.path, mode: file.mode, sizeBytes: bytes.length, sha256 }
          }),
        ],
        units: [{ unit: desired.unit, loaded: true, enabled: true, active: 'active' }],
        fragments: {
          'k3s-token': 'K10aa::server:0123456789abcdef',
          'k3s-server': 'https://10.0.0.1:6443',
          'k3s-datastore': node.role === 'master' ? 'etcd' : '',
        },
      },
      {
        cluster: 'prod',
        role: node.role,
        version: 'v1.33.1+k3s1',
        active: true,
        initialized: true,
        apiReady: node.role === 'master',
        ...(node.role === 'master' ? { nodes } : {}),
      },
    )
  })
  return { spec, world: { ...bare, machines } satisfies World }
}

const planOf = (spec: Parameters<typeof runtime.init>[0], world: World) =>
  mergePlans(
    runtime.init(spec, world),
    runtime.joinMasters(spec, world, spec.masters),
    runtime.joinNodes(spec, world, spec.nodes),
  )

describe('a run after the first master has left', () => {
  it('touches no node, although all of them name that master', () => {
    const { spec, world } = founderGone()
    expect(planOf(spec, world).steps).toEqual([])
  })

  it('founds no second cluster, and joins the machine of the first one anew, through another', () => {
    const { spec, world } = founderGone()
    const first = testSpec(3, 1).masters[0] as NodeSpec
    const again = { ...spec, masters: [first, ...spec.masters] }
    const machines = [testMachine(first, 'bare1'), ...world.machines]
    const plan = runtime.joinMasters(again, { ...world, machines }, [first])
    expect(runtime.init(again, { ...world, machines }).steps).toEqual([])
    const ids = ['bare1/stage', 'bare1/install', 'bare1/start', 'cluster/votes']
    expect(plan.steps.map((step) => step.id)).toEqual(ids)
    expect(plan.steps.at(-1)).toMatchObject({ machine: 'ssh://root@10.0.0.2:22', assists: ['bare1/start'] })
    const config = plan.steps
      .flatMap((step) => step.actions)
      .find((action) => action.kind === 'write' && action.path.endsWith('config.yaml'))
    expect(config).toMatchObject({ content: expect.stringContaining('server: "https://10.0.0.2:6443"') })
    expect(config).toMatchObject({ content: expect.not.stringContaining('cluster-init') })
  })

  it('gives a node that is not ready a master that is there', () => {
    const { spec, world } = founderGone()
    const machines = world.machines.map((machine) =>
      machine.node.role === 'master'
        ? {
            ...machine,
            installed: {
              ...machine.installed,
              nodes: (machine.installed.nodes ?? []).map((node) =>
                node.name === 'bare4' ? { ...node, ready: false } : node,
              ),
            },
          }
        : machine,
    )
    const write = runtime
      .joinNodes(spec, { ...world, machines }, spec.nodes)
      .steps.flatMap((step) => step.actions)
      .find((action) => action.kind === 'write' && action.path.endsWith('config.yaml'))
    expect(write).toMatchObject({ content: expect.stringContaining('https://10.0.0.2:6443') })
  })
})

describe('a second master', () => {
  const sqlite = (config: Record<string, boolean> = {}) => {
    const spec = testSpec(2, 0, { config })
    const world = testWorld(spec, { secrets })
    const [first, second] = world.machines as [MachineWorld, MachineWorld]
    const kept = testMachine(
      first.node,
      'bare1',
      { fragments: { 'k3s-datastore': 'sqlite', 'k3s-token': '0123456789abcdef' } },
      { cluster: 'prod', role: 'master', active: true, initialized: true, apiReady: true, nodes: [] },
    )
    return { spec, world: { ...world, machines: [kept, second] } }
  }

  it('is refused on SQLite, with the way to etcd', () => {
    const { spec, world } = sqlite()
    expect(() => runtime.joinMasters(spec, world, spec.masters)).toThrowError(
      expect.objectContaining({
        code: 'E_REFUSED',
        exit: 5,
        message: expect.stringContaining('SQLite'),
        hint: expect.stringContaining('cluster-init=true'),
      }),
    )
  })

  it('joins when etcd was asked for', () => {
    const { spec, world } = sqlite({ 'cluster-init': true })
    expect(runtime.joinMasters(spec, world, spec.masters).steps.length).toBeGreaterThan(0)
  })
})
