import { describe, expect, it } from 'vitest'
import type { ClusterSpec } from '../cluster/spec.js'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { type ContainerLab, containerHome, tinyRootfs } from './containers.fixture.js'
import { type DeleteInput, deleteNodes } from './delete.js'
import { existingPlaces } from './next-places.js'
import { run } from './run.js'

const home = containerHome()

async function cluster(spec: ClusterSpec): Promise<ContainerLab> {
  const own = home.lab()
  expect((await run({ spec, rootfs: tinyRootfs() }, own.ctx, own.deps)).error).toBeUndefined()
  return own
}
const gone = (nodes: readonly string[]): DeleteInput => ({
  cluster: { name: 'dev', masters: [], nodes: [], ssh: testContainers(0, 0).ssh },
  leaving: { masters: [], nodes },
  options: {},
})

it('a node whose container somebody removed leaves without force, and its volumes go with it', async () => {
  const own = await cluster(testContainers(1, 2))
  await own.engine.removeContainer('airlift-dev-worker-1', { force: true })
  const input = { ...gone(['airlift-dev-worker-1']), dryRun: true }
  const { plan } = await deleteNodes(input, own.ctx, own.deps)
  const actions = plan.steps.flatMap((step) => step.actions)
  expect(plan.steps.map((step) => step.id)).toContain('airlift-dev-worker-1/leave')
  expect(actions).toContainEqual({ kind: 'volume', op: 'remove', name: 'airlift-dev-worker-1' })
  expect(actions).toContainEqual({ kind: 'volume', op: 'remove', name: 'airlift-dev-worker-1-kubelet' })
})

describe('a number names the container that has it in its name, whichever others have left', () => {
  const withHoles = async (): Promise<ContainerLab> => {
    const own = await cluster(testContainers(1, 5))
    const names = ['airlift-dev-worker-0', 'airlift-dev-worker-3']
    expect((await deleteNodes(gone(names), own.ctx, own.deps)).error).toBeUndefined()
    return own
  }

  it.each([
    ['workers:2', ['2']],
    ['agents[1,4]', ['1', '4']],
    ['workers:1-2', ['1', '2']],
    ['workers:*', ['1', '2', '4']],
  ])('%s', async (word, numbers) => {
    const own = await withHoles()
    const { plan } = await deleteNodes({ ...gone([word]), dryRun: true }, own.ctx, own.deps)
    const cordoned = plan.steps.filter(({ id }) => id.endsWith('/cordon')).map(({ id }) => id)
    expect(cordoned).toEqual(numbers.map((number) => `airlift-dev-worker-${number}/cordon`))
  })

  it.each(['workers:0', 'workers:1,3', 'agents[3]'])(
    '%s is not there, and what is there is told',
    async (word) => {
      const own = await withHoles()
      await expect(deleteNodes({ ...gone([word]), dryRun: true }, own.ctx, own.deps)).rejects.toMatchObject({
        code: 'E_HOST_INVALID',
        exit: 2,
        hint: expect.stringMatching(
          /^there are workers:1 to workers:2, workers:4, all.*one that was deleted already is not there any more$/,
        ),
      })
    },
  )

  it('also to a run, which makes what is missing of its number with the lowest that are free', async () => {
    const own = await withHoles()
    const places = await existingPlaces('dev', own.ctx, own.deps)
    expect([places.master(1), places.worker(3), places.worker(5)]).toEqual([[0], [1, 2, 4], [0, 1, 2, 3, 4]])
    expect((await existingPlaces('other', own.ctx, own.deps)).worker(2)).toEqual([0, 1])
  })
})
