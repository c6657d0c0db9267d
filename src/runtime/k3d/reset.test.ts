import { describe, expect, it } from 'vitest'
import { outline, settled } from './plan.fixture.js'
import { planReset } from './reset.js'
import { testContainers, testContainerWorld, testEngine } from './world.fixture.js'

describe('reset', () => {
  it('removes all containers at once, then what they used, and nothing of others', () => {
    const spec = testContainers(3, 1)
    const world = settled(spec, testContainerWorld(spec))
    const all = 'lb/remove, master-0/remove, master-1/remove, master-2/remove, worker-0/remove'
    expect(outline(planReset(spec, world))).toEqual([
      'lb/remove [container.remove]',
      'master-0/remove [container.remove]',
      'master-1/remove [container.remove]',
      'master-2/remove [container.remove]',
      'worker-0/remove [container.remove]',
      ...['master-0', 'master-1', 'master-2', 'worker-0'].map(
        (name) => `${name}/volumes [volume.remove volume.remove] after ${name}/remove`,
      ),
      `engine/network [network.remove] after ${all}`,
      `engine/volumes [volume.remove] after ${all}`,
    ])
  })

  it('leaves a network of the user alone', () => {
    const spec = testContainers(1, 0, { network: 'mine' })
    const [bridge] = testEngine().networks
    const networks = bridge
      ? [{ ...bridge, name: 'mine', subnets: ['10.9.0.0/24'], gateway: '10.9.0.1' }]
      : []
    const world = settled(spec, testContainerWorld(spec, testEngine({ networks })))
    const actions = planReset(spec, world).steps.flatMap((step) => step.actions)
    expect(actions.some((action) => action.kind === 'network')).toBe(false)
  })
})
