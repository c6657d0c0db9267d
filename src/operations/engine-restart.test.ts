import { expect, it } from 'vitest'
import { testContainers } from '../runtime/k3d/world.fixture.js'
import { type ContainerLab, containerHome, tinyRootfs } from './containers.fixture.js'
import { run } from './run.js'
import { start, stop } from './stop-start.js'

// What a restart of the engine does to clusters: the same as a reboot of the computer.

const home = containerHome()

const spec = testContainers(3, 1)
const NAMES = ['lb', 'master-0', 'master-1', 'master-2', 'worker-0'].map((name) => `airlift-dev-${name}`)
const states = async ({ engine }: ContainerLab): Promise<string[]> =>
  (await engine.containers(['airlift.cluster=dev'])).map(({ name, state }) => `${name} ${state}`).sort()
const all = (state: string): string[] => NAMES.map((name) => `${name} ${state}`)

it('brings every container back that ran, and none that was stopped', async () => {
  const own = home.lab()
  expect((await run({ spec, rootfs: tinyRootfs() }, own.ctx, own.deps)).error).toBeUndefined()
  await own.engine.restartDaemon()
  expect(await states(own)).toEqual(all('running'))
  await stop({ spec, drain: false }, own.ctx, own.deps)
  expect(await states(own)).toEqual(all('exited'))
  await own.engine.restartDaemon()
  expect(await states(own)).toEqual(all('exited'))
  await start({ spec }, own.ctx, own.deps)
  await own.engine.restartDaemon()
  expect(await states(own)).toEqual(all('running'))
})

it('brings them back, too, where run started what was stopped', async () => {
  const own = home.lab()
  await run({ spec, rootfs: tinyRootfs() }, own.ctx, own.deps)
  await stop({ spec, drain: false }, own.ctx, own.deps)
  await run({ spec, rootfs: tinyRootfs() }, own.ctx, own.deps)
  expect(await states(own)).toEqual(all('running'))
  await own.engine.restartDaemon()
  expect(await states(own)).toEqual(all('running'))
})

it('asks the engine for exactly that, for nodes and load balancer, and nothing of the kind for helpers', async () => {
  const own = home.lab()
  await run({ spec, rootfs: tinyRootfs() }, own.ctx, own.deps)
  const made = own.engine.calls
    .filter((call) => call.method === 'createContainer')
    .map((call) => call.args[0] as { name: string; restart: string; labels: Record<string, string> })
  const of = (temporary: boolean) => made.filter(({ labels }) => 'airlift.temporary' in labels === temporary)
  expect(
    of(false)
      .map(({ name, restart }) => `${name} ${restart}`)
      .sort(),
  ).toEqual(all('always'))
  expect([...new Set(of(true).map(({ restart }) => restart))]).toEqual(['no'])
})
