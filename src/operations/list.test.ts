import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { writeRecord } from '../cluster/record.js'
import type { RuntimeName } from '../cluster/spec.js'
import { type Context, createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { type AirliftEvent, createEvents } from '../core/events.js'
import { container } from '../machine/docker/container.fixture.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { FakeEngine } from '../machine/docker/fake-engine-types.js'
import { list } from './list.js'

let dir: string
let ctx: Context
const events: AirliftEvent[] = []
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'airlift-list-'))
  events.length = 0
  ctx = createContext({ env: { XDG_STATE_HOME: dir }, events: createEvents([(event) => events.push(event)]) })
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const record = (name: string, runtime: RuntimeName, masters: string[], nodes: string[] = []): Promise<void> =>
  writeRecord(
    { name, runtime, version: 'v1.33.1+k3s1', masters, nodes, ssh: {} as never, updated: '' },
    ctx.env,
  )

/** A container of a cluster on a fake engine. */
async function make(
  engine: FakeEngine,
  cluster: string,
  role: string,
  index: number,
  more = {},
): Promise<void> {
  const labels = {
    'airlift.cluster': cluster,
    'airlift.role': role,
    'airlift.version': 'v1.34.2+k3s1',
    ...more,
  }
  await engine.createContainer(
    container({ name: `airlift-${cluster}-${role}-${index}`, image: 'k3s', labels }),
  )
}

const withEngine = (connectEngine: () => Promise<FakeEngine>) => ({
  secrets: undefined as never,
  connectEngine,
})

it('shows clusters of hosts and of containers, by name', async () => {
  const engine = createFakeEngine({ images: { k3s: {} } })
  await record('prod', 'k3s', ['root@10.0.0.1'], ['root@10.0.0.2', 'root@10.0.0.3'])
  await make(engine, 'dev', 'master', 0)
  await make(engine, 'dev', 'worker', 0)
  await make(engine, 'dev', 'lb', 0)
  await make(engine, 'dev', 'filler', 0, { 'airlift.temporary': 'fill' })
  expect(
    await list(
      ctx,
      withEngine(async () => engine),
    ),
  ).toEqual([
    { name: 'dev', runtime: 'k3d', version: 'v1.34.2+k3s1', masters: 1, workers: 1 },
    { name: 'prod', runtime: 'k3s', version: 'v1.33.1+k3s1', masters: 1, workers: 2 },
  ])
  expect(engine.closed).toBe(true)
})

it('takes the engine for what it has, not what was remembered of it', async () => {
  const engine = createFakeEngine({ images: { k3s: {} } })
  await record('dev', 'k3d', ['airlift-dev-master-0'])
  await make(engine, 'dev', 'master', 0)
  await make(engine, 'dev', 'master', 1)
  expect(
    await list(
      ctx,
      withEngine(async () => engine),
    ),
  ).toMatchObject([{ name: 'dev', masters: 2 }])
})

it('does not list what has no master left', async () => {
  const engine = createFakeEngine({ images: { k3s: {} } })
  await make(engine, 'half', 'worker', 0)
  expect(
    await list(
      ctx,
      withEngine(async () => engine),
    ),
  ).toEqual([])
})

it('is silent about an engine that is not there, but with -v', async () => {
  await record('prod', 'k3s', ['root@10.0.0.1'])
  const none = withEngine(async () => {
    throw new AirliftError('E_ENGINE_UNREACHABLE', 'no container engine answers')
  })
  expect(await list(ctx, none)).toMatchObject([{ name: 'prod' }])
  expect(events.map(({ level, code }) => [level, code])).toEqual([['debug', 'engine.none']])
})

it.each([
  ['DOCKER_HOST', 'unix:///nope'],
  ['DOCKER_CONTEXT', 'lab'],
])('warns of one that %s names and that does not answer', async (key, value) => {
  const none = withEngine(async () => {
    throw new AirliftError('E_ENGINE_UNREACHABLE', 'no container engine answers')
  })
  const named = createContext({ env: { ...ctx.env, [key]: value }, events: ctx.events })
  expect(await list(named, none)).toEqual([])
  expect(events).toMatchObject([
    {
      level: 'warn',
      code: 'engine.none',
      message: `containers are not looked at: the engine of ${key}=${value} cannot be asked: no container engine answers`,
    },
  ])
})
