import { AirliftError } from '../core/errors.js'
import type { Machine } from '../machine/machine.js'
import type { OperationDeps } from './session.js'

/** What an operation needs to reach these machines, in the order in which it names its nodes. An error: that one is not reached. */
export function connectInOrder(
  ...machines: readonly (Machine | AirliftError)[]
): Pick<OperationDeps, 'createConnector' | 'secrets'> {
  const left = [...machines]
  return {
    secrets: undefined as never,
    createConnector: () => ({
      engine: () => Promise.reject(new Error('no engine is expected')),
      async connect() {
        const next = left.shift()
        if (!next) throw new Error('more machines than expected')
        if (next instanceof AirliftError) throw next
        return next
      },
      async close() {
        for (const machine of machines) if (!(machine instanceof AirliftError)) await machine.close()
      },
    }),
  }
}
