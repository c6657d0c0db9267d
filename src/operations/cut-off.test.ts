import { expect, it } from 'vitest'
import { testContainers, testContainerWorld, testEngine } from '../runtime/k3d/world.fixture.js'
import type { EngineWorld } from '../runtime/runtime.js'
import { withCutOff } from './cut-off.js'
import { statusOf } from './status.js'

const MASTER = 'airlift-dev-master-0'
const spec = testContainers(1, 0)

function engine(state: 'running' | 'exited', more: Partial<EngineWorld> = {}): EngineWorld {
  const labels = { 'airlift.cluster': 'dev', 'airlift.role': 'master', 'airlift.index': '0' }
  const base = { image: 'k3s', exitCode: 1, labels, addresses: {}, ports: [], mounts: [], restarts: 0 }
  const container = { ...base, id: 'a', name: MASTER, state, startedAt: '', restart: 'no', raw: {} } as const
  return testEngine({ containers: [container], ...more })
}

it('a container that runs and would stay down is told', () => {
  const world = testContainerWorld(spec, engine('running'))
  expect(withCutOff(spec, world, [])).toMatchObject([
    {
      code: 'stop-unfinished',
      machine: `docker://${MASTER}`,
      hint: expect.stringContaining('airlift start'),
    },
  ])
})

it('of a master that the cluster has taken out its own state is no news', () => {
  const world = testContainerWorld(spec, engine('exited', { left: [MASTER] }))
  const down = { code: 'service-down', machine: `docker://${MASTER}`, message: 'is exited', hint: 'start it' }
  expect(withCutOff(spec, world, [down])).toMatchObject([
    {
      code: 'delete-unfinished',
      hint: expect.stringContaining(`airlift delete --name dev --masters ${MASTER}`),
    },
  ])
})

it('where no master answers, and one is down, that is started', () => {
  const two = testContainers(1, 1)
  const found = engine('exited')
  const [master] = found.containers
  if (!master) throw new Error('no master')
  const worker = { ...master, name: 'airlift-dev-worker-0', state: 'running' as const, restart: 'always' }
  const problems = statusOf(two, testContainerWorld(two, { ...found, containers: [master, worker] })).problems
  expect(problems[0]).toMatchObject({ code: 'api-down', hint: 'start it: airlift start --name dev' })
})
