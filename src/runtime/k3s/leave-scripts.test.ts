import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { compileActions } from '../../plan/compile.js'
import type { Action } from '../../plan/plan.js'
import { leaveScript, waitMemberGone, waitMembersHealthy } from './leave-scripts.js'
import { runWith } from './run-with.fixture.js'

describe('deleting a node', () => {
  it('reads back that nothing of it is left', () => {
    const script: Action = { kind: 'script', script: leaveScript('bare5') }
    expect(runWith([script], 'exit 0')).toMatchObject({ exit: 0 })
    const left = runWith([script], `case "$*" in 'get secret'*) echo secret/bare5.node-password.k3s ;; esac`)
    expect(left.exit).toBe(1)
    expect(left.out).toContain('@@fail E_VERIFY the cluster still has what node bare5 left: secret/bare5')
    expect(runWith([script], `case "$*" in 'delete node'*) exit 1 ;; esac`).out).toContain(
      '@@fail E_COMMAND cannot delete node bare5',
    )
  })
})

describe("etcd's members", () => {
  const wait = waitMemberGone('bare1', ['bare2'], 1000)
  const answering = (members: readonly string[], learner = {}, reason?: string): string => {
    const info = JSON.stringify({
      members: members.map((name) => ({ ID: 5, name, peerURLs: ['https://10.0.0.1:2380'], ...learner })),
    })
    const node = JSON.stringify({
      metadata: { annotations: { 'etcd.k3s.cattle.io/node-name': members[0] } },
      status: {
        conditions: [
          { type: 'Ready', status: 'True' },
          { type: 'EtcdIsVoter', status: reason ? 'False' : 'True', ...(reason ? { reason } : {}) },
        ],
      },
    })
    return `case "$*" in *'get --raw /db/info') printf '%s' '${info}' ;; *' /readyz') printf ok ;; *' /api/v1/nodes/bare2') printf '%s' '${node}' ;; *) exit 1 ;; esac`
  }

  it.each([
    [['bare2-0a1b2c3d'], 0],
    [['bare2-0a1b2c3d', 'bare11-0a1b2c3d', 'bare1-x-0a1b2c3d'], 0],
    [['bare1-0a1b2c3d', 'bare2-0a1b2c3d'], 1],
    // Without a majority k3s names only the member that was asked; then one that stays may be missing.
    [['bare3-0a1b2c3d'], 1],
    [[], 1],
  ])('%j', (members, exit) => {
    const { exit: found, out } = runWith([wait], answering(members))
    expect(found, out).toBe(exit)
    if (exit === 1) expect(out).toContain('@@fail E_TIMEOUT')
  })

  it.each([
    ['one that votes, and that k3s notes as a learner for a while yet', {}, 'MemberIsLearner', 0],
    ['one that learns', { isLearner: true }, 'MemberIsLearner', 1],
    ['one that is not healthy', {}, 'Unhealthy', 1],
  ])('let another one leave beside %s', (_, learner, reason, exit) => {
    const k3s = answering(['bare2-0a1b2c3d'], learner, reason)
    for (const gate of [waitMembersHealthy(['bare2'], 1000), wait]) {
      const { exit: found, out } = runWith([gate], k3s)
      expect(found, out).toBe(exit)
    }
  })

  it('are asked for in a way that every shell understands', () => {
    const script = compileActions([wait], new Map())
    for (const shell of ['sh', 'bash']) execFileSync(shell, ['-n'], { input: script })
  })
})
