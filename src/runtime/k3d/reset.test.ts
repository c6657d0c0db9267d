import { describe, expect, it } from 'vitest'
import type { EngineContainer } from '../../machine/docker/engine.js'
import { outline, settled } from './plan.fixture.js'
import { planReset } from './reset.js'
import { testContainers, testContainerWorld, testEngine } from './world.fixture.js'

describe('reset', () => {
  it('removes all containers at once, the network beside them, then what they used, and nothing of others', () => {
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
        (name) =>
          `${name}/volumes [volume.remove volume.remove volume.remove volume.remove] after ${name}/remove`,
      ),
      'engine/network [network.remove]',
      `engine/network-gone [network.remove] after ${all}, engine/network`,
      `engine/volumes [volume.remove] after ${all}`,
    ])
  })

  it('takes off the network what runs, and removes it last where nothing does', () => {
    const spec = testContainers(1, 1)
    const world = settled(spec, testContainerWorld(spec))
    const { engine } = world
    if (!engine) throw new Error('no engine')
    const networkSteps = (states: readonly EngineContainer['state'][]) => {
      const containers = engine.containers.map((one, i) => ({ ...one, state: states[i] ?? 'exited' }))
      const { steps } = planReset(spec, { ...world, engine: { ...engine, containers } })
      return steps.filter((step) => step.id.startsWith('engine/network'))
    }
    const [early] = networkSteps(['exited', 'running'])
    expect(early?.actions).toEqual([
      { kind: 'network', op: 'remove', name: 'airlift-dev', detach: [engine.containers[1]?.name] },
    ])
    const [only, ...others] = networkSteps(['exited', 'created'])
    expect(only).toMatchObject({
      needs: engine.containers.map(({ name }) => `${name}/remove`),
      actions: [{ kind: 'network', op: 'remove', name: 'airlift-dev' }],
    })
    expect(others).toEqual([])
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
