import { beforeEach, expect, it } from 'vitest'
import { LABELS, recordOfLabels } from '../../cluster/container-labels.js'
import { container } from '../../machine/docker/container.fixture.js'
import { createFakeEngine } from '../../machine/docker/fake-engine.js'
import type { FakeEngine } from '../../machine/docker/fake-engine-types.js'
import { packEntries } from '../../rootfs/tar/pack-entries.js'
import { balancerText, readRemembered } from './remembered-balancer.js'
import { testContainers } from './world.fixture.js'

const spec = testContainers(3, 0)
const plain = { image: 'k3s', network: 'airlift-dev' }
const api = { address: '127.0.0.1', port: 6550 }
const record = (more: object) => recordOfLabels({ [LABELS.spec]: JSON.stringify({ ...plain, ...more }) })
let engine: FakeEngine
beforeEach(() => {
  engine = createFakeEngine({ images: { k3s: {} } })
})

async function make(name: string, role: string, own: object = {}): Promise<void> {
  const text = JSON.stringify({ ...plain, ...own })
  const labels = { [LABELS.cluster]: 'dev', [LABELS.role]: role, [LABELS.spec]: text }
  await engine.createContainer(container({ name: `airlift-dev-${name}`, image: 'k3s', labels }))
}
async function note(master: string, text: string): Promise<void> {
  const path = '/etc/airlift/balancer'
  const tar = packEntries([{ path, mode: '0600', content: text }], (content) => content)
  await engine.putArchive(`airlift-dev-${master}`, '/', tar)
}
const read = async () => readRemembered(spec, await engine.containers([]), engine)

it('takes the newest of what masters say, also of those that do not run', async () => {
  for (const index of [0, 1, 2]) await make(`master-${index}`, 'master')
  expect(await read()).toBeUndefined()
  await note('master-0', balancerText(record({ api })))
  await note('master-1', balancerText(record({ api, generation: 2, asked: [] })))
  await note('master-2', 'cut off {')
  expect(await read()).toEqual({ generation: 2, record: record({ api, generation: 2, asked: [] }) })
  // Its last port was removed, and it with it, while the others were away.
  await note('master-2', balancerText(undefined, 3))
  expect(await read()).toEqual({ generation: 3 })
})

it('asks nobody while the load balancer is there', async () => {
  await make('master-0', 'master')
  await make('lb', 'lb', { api })
  await note('master-0', balancerText(record({ api, generation: 7 })))
  expect(await read()).toBeUndefined()
  expect(engine.calls.filter(({ method }) => method === 'hasPath')).toEqual([])
})

it('counts only once the master has left that publishes the API', async () => {
  await make('master-0', 'master', { api })
  await make('master-1', 'master')
  await note('master-1', balancerText(record({ api, generation: 1 })))
  expect(await read()).toEqual({ generation: 1 })
  // With a load balancer for ports alone, which is to publish the API as well.
  await make('lb', 'lb')
  expect(await read()).toBeUndefined()
  await engine.removeContainer('airlift-dev-master-0', { force: true })
  expect(await read()).toMatchObject({ generation: 1, record: { api } })
})
