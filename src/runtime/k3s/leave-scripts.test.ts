import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
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

describe('deleting a master', () => {
  // Without the wait of half a minute until the member has left.
  const text = leaveScript('bare1', { member: true }).replace('-lt 100', '-lt 2')
  const script: Action = { kind: 'script', script: text }
  /** What was patched, where etcd's members and the holder of a lease are these. */
  const patched = (members: string, holders: Readonly<Record<string, string>>) => {
    const dir = mkdtempSync(`${tmpdir()}/airlift-asked-`)
    try {
      const holder = Object.entries(holders).map(([lease, name]) => `'get lease ${lease} '*) echo ${name} ;;`)
      const info = `{"members":[${members}]}`
      const k3s = `echo "$*" >>${dir}/asked
case "$*" in ${holder.join(' ')} *'get --raw /db/info') printf '%s' '${info}' ;; esac`
      expect(runWith([script], k3s).exit).toBe(0)
      const asked = readFileSync(`${dir}/asked`, 'utf8').split('\n')
      expect(asked[0]).toBe('delete node bare1 --ignore-not-found --wait=false')
      return asked.flatMap((line) => /^patch lease (\S+) .*holderIdentity":null/.exec(line)?.[1] ?? [])
    } finally {
      rmSync(dir, { recursive: true })
    }
  }
  const member = (name: string): string => JSON.stringify({ name: `${name}-0a1b2c3d` })

  it('gives away what it leads once it is out of etcd', () => {
    expect(patched(member('bare2'), { k3s: 'bare2', 'k3s-etcd': 'Bare1' })).toEqual(['k3s-etcd'])
    expect(patched(member('bare2'), { k3s: 'bare1', 'k3s-etcd': 'bare1' })).toEqual(['k3s', 'k3s-etcd'])
  })

  it('leaves to others what they lead, and leases alone that are not there', () => {
    expect(patched(member('bare2'), { k3s: 'bare11', 'k3s-etcd': 'bare2' })).toEqual([])
    expect(patched(member('bare2'), {})).toEqual([])
  })

  it('takes nothing from a master that etcd still has, or may have', () => {
    const holders = { k3s: 'bare1', 'k3s-etcd': 'bare1' }
    expect(patched(`${member('bare1')},${member('bare2')}`, holders)).toEqual([])
    expect(patched('', holders)).toEqual([])
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
    for (const one of [wait, { kind: 'script', script: leaveScript('bare1', { member: true }) } as const]) {
      const script = compileActions([one], new Map())
      for (const shell of ['sh', 'bash']) execFileSync(shell, ['-n'], { input: script })
    }
  })
})
