import { describe, expect, it } from 'vitest'
import { createContext } from '../../core/context.js'
import { container } from './container.fixture.js'
import { createDockerMachine } from './docker-machine.js'
import { createFakeEngine } from './fake-engine.js'
import { type FakeFile, writeTar } from './fake-files.js'

async function started() {
  const engine = createFakeEngine({ images: { img: {} } })
  await engine.createContainer(
    container({
      name: 'a',
      image: 'img',
      mounts: [{ kind: 'volume', source: 'v', target: '/data', readOnly: false }],
    }),
  )
  return { engine, machine: createDockerMachine({ engine, name: 'a', ctx: createContext({}) }) }
}
const tar = writeTar(
  new Map<string, FakeFile>([['/one.tar', { kind: 'file', mode: '0600', content: Buffer.from('content') }]]),
)
async function* pieces(): AsyncGenerator<Buffer> {
  for (let at = 0; at < tar.length; at += 700) yield tar.subarray(at, at + 700)
}

describe('a container as a machine', () => {
  it('has archives unpacked by the engine, into its volumes too, and counts what was sent', async () => {
    const { engine, machine } = await started()
    await machine.unpack?.({ directory: '/data', tar: pieces() })
    expect(engine.volumeFiles('v').get('/one.tar')?.content.toString()).toBe('content')
    expect(machine.stats).toEqual({ roundTrips: 1, bytesSent: tar.length })
  })

  it('says what the engine says', async () => {
    const { machine } = await started()
    await expect(machine.unpack?.({ directory: '/nowhere', tar: pieces() })).rejects.toMatchObject({
      code: 'E_ENGINE_NOT_FOUND',
    })
  })

  it('stops when it is told to, also while the source has nothing to give', async () => {
    const { engine, machine } = await started()
    const stop = new AbortController()
    const slow = async function* (): AsyncGenerator<Buffer> {
      yield tar.subarray(0, 600)
      stop.abort()
      await new Promise((resolve) => setTimeout(resolve, 50))
      yield tar.subarray(600)
    }
    await expect(
      machine.unpack?.({ directory: '/data', tar: slow(), signal: stop.signal }),
    ).rejects.toMatchObject({ code: 'E_INTERRUPTED' })
    expect(engine.volumeFiles('v').has('/one.tar')).toBe(false)
  })
})
