import { expect, it, vi } from 'vitest'
import { LABELS } from '../../cluster/container-labels.js'
import { AirliftError } from '../../core/errors.js'
import { container } from '../../machine/docker/container.fixture.js'
import type { EngineContainer } from '../../machine/docker/engine.js'
import { CONTAINER } from './contract.js'
import { findUnfinished } from './find-unfinished.js'
import { testContainer } from './world.fixture.js'

const made = (
  name: string,
  role: string,
  state: EngineContainer['state'],
  exitCode = 0,
): EngineContainer => ({
  ...testContainer(container({ name, labels: { [LABELS.role]: role } }), state),
  exitCode,
})

it('asks those that may be empty for the script that they start with', async () => {
  const hasPath = vi.fn(async (name: string) => name.startsWith('whole'))
  const found = await findUnfinished(
    [
      made('empty-worker', 'worker', 'created'),
      made('empty-lb', 'lb', 'restarting', 2),
      made('empty-stopped', 'master', 'exited', 127),
      made('whole-created', 'worker', 'created'),
      made('whole-failing', 'master', 'restarting', 1),
      made('runs', 'master', 'running'),
      made('ended', 'master', 'exited', 0),
      made('killed', 'worker', 'exited', 137),
    ],
    { hasPath },
  )
  expect(found).toEqual(['empty-worker', 'empty-lb', 'empty-stopped'])
  expect(hasPath.mock.calls).toEqual([
    ['empty-worker', CONTAINER.entryScript],
    ['empty-lb', CONTAINER.lbScript],
    ['empty-stopped', CONTAINER.entryScript],
    ['whole-created', CONTAINER.entryScript],
    ['whole-failing', CONTAINER.entryScript],
  ])
})

it('says nothing of one that has gone meanwhile, and tells when the engine does not answer', async () => {
  const answer = (code: 'E_ENGINE_NOT_FOUND' | 'E_ENGINE_UNREACHABLE') =>
    findUnfinished([made('one', 'worker', 'created')], {
      hasPath: () => Promise.reject(new AirliftError(code, 'no')),
    })
  expect(await answer('E_ENGINE_NOT_FOUND')).toEqual([])
  await expect(answer('E_ENGINE_UNREACHABLE')).rejects.toMatchObject({ code: 'E_ENGINE_UNREACHABLE' })
})
