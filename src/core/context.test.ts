import { describe, expect, it } from 'vitest'
import { createContext } from './context.js'

describe('createContext', () => {
  it('takes a listener of each of many machines, without a warning on the terminal', async () => {
    const warnings: Error[] = []
    const onWarning = (warning: Error): void => {
      warnings.push(warning)
    }
    process.on('warning', onWarning)
    const { signal } = createContext({ signal: new AbortController().signal })
    for (let machine = 0; machine < 20; machine++) signal.addEventListener('abort', () => {})
    await new Promise((done) => setImmediate(done))
    process.off('warning', onWarning)
    expect(warnings).toEqual([])
  })
})
