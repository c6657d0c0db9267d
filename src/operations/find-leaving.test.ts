import { expect, it } from 'vitest'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { containerHome, tinyRootfs } from './containers.fixture.js'
import { deleteNodes } from './delete.js'
import { run } from './run.js'

const home = containerHome()

it('a node whose container somebody removed leaves without force, and its volumes go with it', async () => {
  const own = home.lab()
  const spec = testContainers(1, 2)
  expect((await run({ spec, rootfs: tinyRootfs() }, own.ctx, own.deps)).error).toBeUndefined()
  await own.engine.removeContainer('airlift-dev-worker-1', { force: true })
  const cluster = { name: 'dev', masters: [], nodes: [], ssh: spec.ssh }
  const leaving = { masters: [], nodes: ['airlift-dev-worker-1'] }
  const input = { cluster, leaving, options: {}, dryRun: true }
  const { plan } = await deleteNodes(input, own.ctx, own.deps)
  const actions = plan.steps.flatMap((step) => step.actions)
  expect(plan.steps.map((step) => step.id)).toContain('airlift-dev-worker-1/leave')
  expect(actions).toContainEqual({ kind: 'volume', op: 'remove', name: 'airlift-dev-worker-1' })
  expect(actions).toContainEqual({ kind: 'volume', op: 'remove', name: 'airlift-dev-worker-1-kubelet' })
})
