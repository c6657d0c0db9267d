import { expect, it } from 'vitest'
import type { NodeSpec } from '../cluster/spec.js'
import { plainSsh } from '../cluster/ssh.fixture.js'
import { createContext } from '../core/context.js'
import { AirliftError } from '../core/errors.js'
import { createFakeMachine } from '../machine/fake/fake-machine.js'
import { connectInOrder } from './connect-in-order.fixture.js'
import { openSession } from './session.js'

const node = (host: string): NodeSpec => ({
  target: { kind: 'ssh', text: host, host },
  role: 'master',
  labels: {},
  taints: [],
})

it('ends with a file of this computer that cannot be read, which is no failure of one machine', async () => {
  const unread = new AirliftError('E_LOCAL_FILE', 'cannot read /nope')
  const machine = createFakeMachine()
  const opened = openSession(
    [node('a'), node('b')],
    plainSsh,
    createContext({}),
    connectInOrder(machine, unread),
  )
  await expect(opened).rejects.toBe(unread)
  expect(machine.closed).toBe(true)
})

it('closes what was connected when it is interrupted: an open connection keeps the process alive', async () => {
  const controller = new AbortController()
  const interrupted = new AirliftError('E_INTERRUPTED', 'interrupted')
  const machine = createFakeMachine()
  const createConnector = () => ({
    engine: () => Promise.reject(new Error('no engine is expected')),
    async connect({ host }: { readonly host: string }) {
      if (host === 'a') return machine
      controller.abort(interrupted)
      throw interrupted
    },
    close: () => machine.close(),
  })
  const ctx = createContext({ signal: controller.signal })
  const opened = openSession([node('a'), node('b')], plainSsh, ctx, {
    secrets: undefined as never,
    createConnector,
  })
  await expect(opened).rejects.toBe(interrupted)
  expect(machine.closed).toBe(true)
})
