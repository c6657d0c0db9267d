import { execFileSync, spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { ASK_AS_ADMIN, ASK_AS_KUBELET, askJoinable, CONDITION } from './ask-api.js'

/** Runs the condition function on a Node as the API server prints it. */
function condition(type: string, node: object, indent?: number): boolean {
  const script = `${CONDITION}\ncondition ${type}`
  return spawnSync('sh', ['-c', script], { input: JSON.stringify(node, null, indent) }).status === 0
}

const node = (ready: string): object => ({
  kind: 'Node',
  status: {
    conditions: [
      { type: 'MemoryPressure', status: 'False', reason: 'KubeletHasSufficientMemory' },
      { type: 'Ready', status: ready, message: '"type":"Ready"' },
      { type: 'EtcdIsVoter', status: 'False' },
    ],
  },
})

describe('condition', () => {
  it('reads a Node that is printed on one line and one that is indented', () => {
    expect(condition('Ready', node('True'))).toBe(true)
    expect(condition('Ready', node('True'), 2)).toBe(true)
  })

  it('is false for another status, another type and nothing at all', () => {
    expect(condition('Ready', node('False'))).toBe(false)
    expect(condition('Ready', node('Unknown'))).toBe(false)
    expect(condition('EtcdIsVoter', node('True'))).toBe(false)
    expect(condition('Ready', {})).toBe(false)
  })
})

describe('the shell functions', () => {
  it.each([
    ['as admin', ASK_AS_ADMIN],
    ['as kubelet', ASK_AS_KUBELET],
    ['joinable', askJoinable(6443, 'bare1')],
  ])('%s are POSIX sh that a strict shell accepts', (_, text) => {
    expect(() => execFileSync('sh', ['-n'], { input: text })).not.toThrow()
  })

  it('are false on a machine where nothing is installed', () => {
    const script = `${askJoinable(6443, 'bare1')}\njoinable`
    expect(spawnSync('sh', ['-c', script]).status).not.toBe(0)
  })

  it('keep the token out of every argument', () => {
    expect(askJoinable(6443, 'bare1')).toMatch(/printf 'user = .*\| curl .*-K -/)
  })
})
