import { describe, expect, it } from 'vitest'
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
      'airlift-dev-worker-1-kubelet',
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
      'airlift-dev-worker-1-kubelet',
      'airlift-dev-worker-1-mount-data',
    ])
    expect(removedNodeProblems([{ name: last.target.host }], without)).toMatchObject([
      { message: 'volume airlift-dev-worker-1 is left' },
      { message: 'volume airlift-dev-worker-1-kubelet is left' },
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

describe('the master that publishes the API of a cluster without a load balancer', () => {
  const spec = testContainers(3, 0, { loadBalancer: false })
  const world = settled(spec, testContainerWorld(spec))
  const [first, second] = spec.masters
  const leave = (node: NodeSpec | undefined, options = {}) =>
    node ? planDeleteMasters(spec, world, [node], options) : undefined

  it('is refused, with the reason and what can be done', () => {
    expect(() => leave(first)).toThrow(
      expect.objectContaining({
        code: 'E_REFUSED',
        exit: 5,
        message: expect.stringMatching(/master-0 publishes the API .* no load balancer/),
        hint: expect.stringContaining('delete another master, such as airlift-dev-master-1'),
      }),
    )
  })

  it('leaves with --force, and others leave like any', () => {
    for (const plan of [leave(first, { force: true }), leave(second)])
      expect(plan?.steps.map(({ id }) => id)).toContainEqual(expect.stringMatching(/master-[01]\/remove$/))
  })

  it('leaves like any other where there is one', () => {
    const balanced = testContainers(3, 0)
    const found = settled(balanced, testContainerWorld(balanced))
    const ids = planDeleteMasters(balanced, found, balanced.masters.slice(0, 1)).steps.map(({ id }) => id)
    expect(ids).toContain('airlift-dev-master-0/remove')
  })
})
