import { describe, expect, it } from 'vitest'
import { LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import type { MountSpec } from '../../cluster/container-spec.js'
import { PLAIN_CONTAINER } from '../../cluster/container-spec.js'
import type { ClusterSpec, NodeSpec } from '../../cluster/spec.js'
import type { Plan } from '../../plan/plan.js'
import { removedNodeProblems } from '../clean/check-removed.js'
import type { World } from '../runtime.js'
import { planDeleteMasters } from './delete-masters.js'
import { planDeleteNodes } from './delete-nodes.js'
import { settled } from './plan.fixture.js'
import { planReset } from './reset.js'
import { planStart } from './start.js'
import { testContainers, testContainerWorld } from './world.fixture.js'

const volume = (source: string): MountSpec => ({
  source,
  kind: 'volume',
  target: `/${source}`,
  readOnly: false,
  options: [],
})
const removals = (plan: Plan): string[] =>
  plan.steps
    .flatMap((step) => step.actions)
    .flatMap((action) => (action.kind === 'volume' && action.op === 'remove' ? [action.name] : []))

/** Two workers: both have a volume of the cluster and one of the user; the second one also has some for itself. */
function cluster(): { spec: ClusterSpec; world: World; last: NodeSpec } {
  const plain = testContainers(1, 2)
  const shared = [volume('airlift-dev-shared'), volume('cache')]
  const own = [volume('airlift-dev-worker-1-mount-data'), volume('airlift-dev-scratch'), volume('mine')]
  const nodes = plain.nodes.map((node, place) => ({
    ...node,
    container: { ...PLAIN_CONTAINER, mounts: place === 0 ? shared : [...shared, ...own] },
  }))
  const spec = { ...plain, nodes }
  const found = settled(spec, testContainerWorld(spec))
  const [, last] = nodes
  if (!found.engine || !last) throw new Error('no engine')
  // A volume of another worker whose name begins like that of this one.
  const volumes = [...found.engine.volumes, { name: 'airlift-dev-worker-10', labels: {} }]
  return { spec, world: { ...found, engine: { ...found.engine, volumes } }, last }
}

describe('volumes of a node that leaves', () => {
  it('go with it where it alone had them, and stay where others do or the user named them', () => {
    const { spec, world, last } = cluster()
    expect(removals(planDeleteNodes(spec, world, [last])).sort()).toEqual([
      'airlift-dev-scratch',
      'airlift-dev-worker-1',
      'airlift-dev-worker-1-cni',
      'airlift-dev-worker-1-kubelet',
      'airlift-dev-worker-1-log',
      'airlift-dev-worker-1-mount-data',
    ])
  })

  it('are removed, too, where a removal was cut off after the container', () => {
    const { spec, world, last } = cluster()
    const { engine } = world
    if (!engine) throw new Error('no engine')
    const containers = engine.containers.filter(({ name }) => name !== last.target.host)
    const without = { ...world, engine: { ...engine, containers } }
    expect(removals(planDeleteNodes(spec, without, [last])).sort()).toEqual([
      'airlift-dev-worker-1',
      'airlift-dev-worker-1-cni',
      'airlift-dev-worker-1-kubelet',
      'airlift-dev-worker-1-log',
      'airlift-dev-worker-1-mount-data',
    ])
    expect(removedNodeProblems([{ name: last.target.host }], without)).toMatchObject([
      { message: 'volume airlift-dev-worker-1 is left' },
      { message: 'volume airlift-dev-worker-1-kubelet is left' },
      { message: 'volume airlift-dev-worker-1-log is left' },
      { message: 'volume airlift-dev-worker-1-cni is left' },
      { message: 'volume airlift-dev-worker-1-mount-data is left' },
    ])
  })

  it('a reset removes all of the cluster, and none that the user named', () => {
    const { spec, world } = cluster()
    const removed = removals(planReset(spec, world))
    expect(removed).toEqual(
      expect.arrayContaining(['airlift-dev-shared', 'airlift-dev-scratch', 'airlift-dev-images']),
    )
    expect(removed.filter((name) => !name.startsWith('airlift-dev'))).toEqual([])
  })
})

describe('a container whose node leaves is kept from coming back by the engine alone', () => {
  const spec = testContainers(3, 1)
  const found = settled(spec, testContainerWorld(spec))
  const quiet = (
    node: NodeSpec | undefined,
    state: 'running' | 'restarting' | 'exited',
    kind: 'docker' | 'podman' = 'docker',
  ) => {
    const { engine } = found
    if (!engine || !node) throw new Error('no engine')
    const containers = engine.containers.map((one) =>
      one.name === node.target.host ? { ...one, state } : one,
    )
    const machines = found.machines.map((one) => {
      const nodes = one.installed.nodes?.map((entry) =>
        entry.role === 'master' ? { ...entry, voter: true } : entry,
      )
      return nodes ? { ...one, installed: { ...one.installed, nodes } } : one
    })
    const world = { ...found, machines, engine: { ...engine, info: { ...engine.info, kind }, containers } }
    const plan = node.role === 'master' ? planDeleteMasters : planDeleteNodes
    return plan(spec, world, [node]).steps.find(({ id }) => id.endsWith('/quiet'))?.actions
  }
  const [, master] = spec.masters

  it.each(['running', 'restarting'] as const)('where it is %s', (state) => {
    expect(quiet(master, state)).toEqual([
      { kind: 'container', op: 'policy', name: 'airlift-dev-master-1', restart: 'no' },
    ])
    expect(quiet(spec.nodes[0], state)).toMatchObject([
      { kind: 'container', op: 'stop', name: 'airlift-dev-worker-0', restart: 'no' },
    ])
  })

  it('but for a master of Podman, which cannot change a policy', () => {
    expect(quiet(master, 'running', 'podman')).toMatchObject([{ kind: 'script' }])
    expect(quiet(master, 'restarting', 'podman')).toBeUndefined()
    expect(quiet(master, 'exited')).toBeUndefined()
  })
})

describe('the master that publishes the API of a cluster without a load balancer', () => {
  const port = {
    address: '127.0.0.1',
    hostPort: 8080,
    containerPort: 80,
    protocol: 'tcp',
    via: 'proxy',
    nodes: ['airlift-dev-master-0'],
    group: 'all',
  } as const
  const image = { id: 'i', tags: [], arch: 'amd64', sizeBytes: 1, labels: {}, entrypoint: [], env: [] }
  const spec = testContainers(3, 1, { loadBalancer: false, ports: [port] })
  const found = settled(spec, testContainerWorld(spec))
  const ref = found.engine?.containers[0]?.image ?? ''
  const world = { ...found, engine: { ...found.engine, images: new Map([[ref, image]]) } } as World
  const [first, second] = spec.masters
  const leave = (node: NodeSpec | undefined, now = world): Plan =>
    planDeleteMasters(spec, now, node ? [node] : [])

  it('leaves like any other: a load balancer then publishes what it did', () => {
    const plan = leave(first)
    const ids = plan.steps.map(({ id }) => id)
    const notes = ['airlift-dev-master-1/balancer', 'airlift-dev-master-2/balancer']
    const balancer = ['airlift-dev-lb/create', 'airlift-dev-lb/start', 'airlift-dev-lb/leads']
    expect(ids.slice(0, 2)).toEqual(notes)
    expect(ids.slice(-3)).toEqual(balancer)
    const removal = plan.steps.find(({ id }) => id === 'airlift-dev-master-0/remove')
    expect(removal?.needs).toEqual(expect.arrayContaining(notes))
    // Only then are its ports free.
    const [create, start] = plan.steps.slice(-3)
    expect(create?.needs).toContain('airlift-dev-master-0/remove')
    expect(start?.needs).toContain('airlift-dev-lb/create')
    const action = create?.actions.find(({ kind }) => kind === 'container')
    if (action?.kind !== 'container' || action.op !== 'create') throw new Error('a container is made')
    expect(action.config.ports).toEqual([
      { address: '127.0.0.1', hostPort: 40001, containerPort: 6443, protocol: 'tcp' },
      { address: '127.0.0.1', hostPort: 8080, containerPort: 80, protocol: 'tcp' },
    ])
    const addresses = [...spec.masters.slice(1), ...spec.nodes].map(
      ({ target }) =>
        recordOfLabels(world.engine?.containers.find(({ name }) => name === target.host)?.labels ?? {})
          ?.address,
    )
    expect(action.files.find(({ path }) => path === '/etc/airlift/lb')).toMatchObject({
      content: `6443 api ${addresses.slice(0, 2).join(' ')}\n80 tcp ${addresses.join(' ')}\n`,
    })
    // What the others note is what it is made from.
    const [note] = plan.steps[0]?.actions ?? []
    const noted = note?.kind === 'write' ? JSON.parse(note.content) : {}
    expect(noted).toEqual(recordOfLabels(action.config.labels))
    expect(noted).toMatchObject({ loadBalancer: false, generation: 1, api: { port: 40001 } })
  })

  it('is published by a start where the command was killed after it had left', () => {
    const [note] = leave(first).steps[0]?.actions ?? []
    const record = recordOfLabels({ [LABELS.spec]: note?.kind === 'write' ? note.content : '' })
    const containers = world.engine?.containers.filter(({ name }) => name !== first?.target.host)
    const engine = { ...world.engine, containers, remembered: { generation: 1, record } }
    const staying = { ...spec, masters: spec.masters.slice(1) }
    const machines = world.machines.filter(({ node }) => node !== first)
    const plan = planStart(staying, { ...world, machines, engine } as World)
    const made = plan.steps.find(({ id }) => id === 'airlift-dev-lb/create')?.actions.at(-1)
    expect(made).toMatchObject({ config: { ports: [{ hostPort: 40001 }, { hostPort: 8080 }] } })
  })

  it('stays where no load balancer can be made', () => {
    const bare = { ...world, engine: { ...world.engine, images: new Map() } } as World
    expect(() => leave(first, bare)).toThrow(expect.objectContaining({ code: 'E_IMAGE_MISSING' }))
  })

  it('is not touched by others that leave', () => {
    const ids = leave(second).steps.map(({ id }) => id)
    expect(ids).toContain('airlift-dev-master-1/remove')
    expect(ids.filter((id) => id.includes('-lb/') || id.endsWith('/balancer'))).toEqual([])
  })

  it('leaves like any other where there is one', () => {
    const balanced = testContainers(3, 0)
    const full = settled(balanced, testContainerWorld(balanced))
    const ids = planDeleteMasters(balanced, full, balanced.masters.slice(0, 1)).steps.map(({ id }) => id)
    expect(ids).toContain('airlift-dev-master-0/remove')
    expect(ids).not.toContain('airlift-dev-lb/create')
  })
})
