import { describe, expect, it } from 'vitest'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { container } from '../machine/docker/container.fixture.js'
import type { EngineContainer } from '../machine/docker/engine.js'
import { createFakeEngine } from '../machine/docker/fake-engine.js'
import type { FakeEngine } from '../machine/docker/fake-engine-types.js'
import { createFakeMachine, type FakeReply } from '../machine/fake/fake-machine.js'
import { watchedMachine } from './container-machine.js'

const NAME = 'airlift-dev-master-0'
const ctx = createContext({ clock: { now: () => 0, sleep: async () => {} } })

/** A container that runs, in which each run of a script is answered in turn; `between` is what then becomes of it. */
async function start(
  replies: readonly FakeReply[],
  between: (run: number) => Partial<EngineContainer> = () => ({}),
  explain: Parameters<typeof watchedMachine>[2] = () => undefined,
) {
  const engine: FakeEngine = createFakeEngine({ images: { img: {} } })
  await engine.createContainer(container({ name: NAME }))
  await engine.startContainer(NAME)
  let runs = 0
  const inside = createFakeMachine({
    id: `docker://${NAME}`,
    name: NAME,
    on: [{ match: /./, fn: () => replies[runs++] ?? 'done' }],
  })
  const look = engine.container.bind(engine)
  const seen = { ...engine, container: async (name: string) => changed(await look(name), between(runs)) }
  const machine = watchedMachine(inside, seen, explain, ctx)
  return { machine, engine, runs: () => runs }
}

const changed = (
  one: EngineContainer | undefined,
  more: Partial<EngineContainer>,
): EngineContainer | undefined => one && { ...one, ...more }
const lost = { exitCode: 137 }

describe('what is run in a container', () => {
  it('gives its result, and its own failures are its own', async () => {
    const { machine } = await start([{ exitCode: 3, stdout: 'no' }])
    expect(await machine.run('x', { idempotent: true })).toMatchObject({ exitCode: 3, stdout: 'no' })
  })

  it('goes on in the next process when k3s ends once and is started again', async () => {
    const restarted = (run: number): Partial<EngineContainer> => ({ restarts: run })
    const { machine, runs } = await start([lost, 'ready'], restarted)
    expect(await machine.run('wait', { idempotent: true })).toMatchObject({ exitCode: 0, stdout: 'ready' })
    expect(runs()).toBe(2)
  })

  it('is not run again where that could do harm', async () => {
    const { machine, runs } = await start([lost], (run) => ({ restarts: run }))
    expect(await machine.run('change')).toMatchObject({ exitCode: 137 })
    expect(runs()).toBe(1)
  })

  it('fails with the last words of k3s when it ends again and again', async () => {
    const own = await start(Array(9).fill(lost), (run) => ({ restarts: run }))
    own.engine.log(NAME, 'I am fine\nlevel=fatal msg="it is broken"\n')
    await expect(own.machine.run('wait', { idempotent: true })).rejects.toMatchObject({
      code: 'E_START',
      message: `k3s has ended 5 times in ${NAME}`,
      log: ['level=fatal msg="it is broken"'],
    })
    expect(own.runs()).toBe(5)
  })

  it('fails with the exit code when the container is gone for good', async () => {
    const gone = new AirliftError('E_ENGINE', 'the container is not running')
    const own = await start([gone], (run) => (run > 0 ? { state: 'exited', exitCode: 2 } : {}))
    await expect(own.machine.run('wait', { idempotent: true })).rejects.toMatchObject({
      code: 'E_START',
      message: `k3s ended with exit code 2 in ${NAME}, and the container with it`,
    })
  })

  it('fails at once where the log says that waiting will not help', async () => {
    const known = { code: 'E_JOIN', message: 'another token', hint: 'use the same' } as const
    const own = await start(
      [lost],
      (run) => ({ restarts: run }),
      (log) => (log.includes('not authorized') ? known : undefined),
    )
    own.engine.log(NAME, 'not authorized\n')
    await expect(own.machine.run('wait', { idempotent: true })).rejects.toMatchObject(known)
    expect(own.runs()).toBe(1)
  })

  it('passes on what has nothing to do with the end of a container', async () => {
    const { machine } = await start([new AirliftError('E_TIMEOUT', 'too late')])
    await expect(machine.run('wait', { idempotent: true })).rejects.toMatchObject({ code: 'E_TIMEOUT' })
    const same = await start([new AirliftError('E_ENGINE', 'the engine is ill')])
    await expect(same.machine.run('wait', { idempotent: true })).rejects.toMatchObject({
      message: 'the engine is ill',
    })
  })
})
