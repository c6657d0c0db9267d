import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { K3S } from './paths.js'
import { HEALTHY, promoteScript, VOTE, voteSteps } from './vote-script.js'
import { testSpec } from './world.fixture.js'

const node = { metadata: { annotations: { 'etcd.k3s.cattle.io/node-name': 'bare2-0a1b' } } }
const members = (...list: object[]): string => JSON.stringify({ header: { member_id: 1 }, members: list })

function vote(shell: readonly string[], asked: object, answer: string, indent?: number): boolean {
  const [program = '', ...rest] = shell
  const script = `api() { [ "$1" = /db/info ] && printf '%s' "$ANSWER"; }\n${VOTE}\nvote`
  const input = JSON.stringify(asked, null, indent)
  return (
    spawnSync(program, [...rest, '-c', script], { input, env: { ...process.env, ANSWER: answer } }).status ===
    0
  )
}

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
  'the vote of a master, under %s',
  (_, shell) => {
    const others = [
      { ID: 1, name: 'bare1-ffff', peerURLs: ['https://10.0.0.1:2380'] },
      { ID: 3, name: 'bare3-eeee', isLearner: true },
    ]

    it('is there when its member is no learner, whatever the others are', () => {
      for (const indent of [undefined, 2])
        expect(vote(shell, node, members(...others, { ID: 2, name: 'bare2-0a1b' }), indent)).toBe(true)
    })

    it('is not there for a learner, for one that is no member, and where nothing is answered', () => {
      expect(vote(shell, node, members(...others, { ID: 2, name: 'bare2-0a1b', isLearner: true }))).toBe(
        false,
      )
      expect(vote(shell, node, members(...others))).toBe(false)
      expect(vote(shell, node, '')).toBe(false)
      expect(vote(shell, { metadata: {} }, members(...others))).toBe(false)
    })
  },
)

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
  'the health of a master, under %s',
  (_, shell) => {
    const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady' }
    const noted = (status: string, reason: string): object => ({ type: 'EtcdIsVoter', status, reason })
    const learner = noted('False', 'MemberIsLearner')
    const voting = members({ ID: 2, name: 'bare2-0a1b' })
    const learning = members({ ID: 2, name: 'bare2-0a1b', isLearner: true })

    it.each([
      [
        'votes, as k3s has noted, which asks etcd for nothing',
        [noted('True', 'MemberNotLearner'), ready],
        '',
        0,
      ],
      ['votes, and k3s notes that it learns', [learner, ready], voting, 0],
      ['votes, and k3s has noted nothing yet', [ready], voting, 0],
      ['learns', [learner, ready], learning, 1],
      ['learns, and k3s has noted nothing yet', [ready], learning, 1],
      ['votes and is not healthy', [noted('False', 'Unhealthy'), ready], voting, 1],
      ['votes and is not ready', [learner, { ...ready, status: 'Unknown' }], voting, 1],
    ])('of one that %s', (_what, conditions, info, status) => {
      for (const indent of [undefined, 2]) {
        const answer = JSON.stringify({ ...node, status: { conditions } }, null, indent)
        const api = `api() { case $1 in /api/v1/nodes/bare2) printf '%s' "$NODE" ;; /db/info) printf '%s' "$INFO" ;; *) return 1 ;; esac; }`
        const [program = '', ...rest] = shell
        const script = `set -u\n${api}\n${HEALTHY}\nhealthy bare2`
        const env = { ...process.env, NODE: answer, INFO: info }
        expect(spawnSync(program, [...rest, '-c', script], { env }).status).toBe(status)
        const other = script.replace(/bare2$/, 'bare3')
        expect(spawnSync(program, [...rest, '-c', other], { env }).status).toBe(1)
      }
    })
  },
)

describe.each(SHELLS.map((shell) => [shell.join(' '), shell] as const))(
  'the promotion of learners, under %s',
  (_, shell) => {
    let dir: string
    beforeEach(() => {
      dir = mkdtempSync(join(tmpdir(), 'airlift-votes-'))
    })
    afterEach(() => rmSync(dir, { recursive: true, force: true }))

    /** A program that answers the list, and notes what it is given and what for. */
    function program(name: string, list: string, promoted = 'exit 22'): void {
      const text = `#!/bin/sh\ncase "$*" in\n*/member/list*) cat <<'END'\n${list}\nEND\n;;\n*/member/promote*) echo "$*" >>${dir}/args; cat >>${dir}/asked; ${promoted};;\nesac\n`
      writeFileSync(join(dir, name), text)
      chmodSync(join(dir, name), 0o755)
    }
    function promote(voters: number): { readonly done: boolean; readonly asked: string } {
      const [path = '', ...rest] = shell
      const script = promoteScript(voters)
        .replaceAll(K3S.binary, join(dir, 'k3s'))
        .replaceAll('sleep 0.5', ':')
      const env = { ...process.env, PATH: `${dir}:${process.env.PATH}` }
      const { status } = spawnSync(path, [...rest, '-c', script], { env })
      const asked = join(dir, 'asked')
      return { done: status === 0, asked: existsSync(asked) ? readFileSync(asked, 'utf8') : '' }
    }
    const gateway = (...list: object[]): string =>
      JSON.stringify({ header: { cluster_id: '7', member_id: '11' }, members: list })
    const first = { ID: '11', name: 'bare1-ffff', peerURLs: ['https://10.0.0.1:2380'], clientURLs: [] }
    const learner = { ID: '9372538179322589801', name: 'bare2-0a1b', isLearner: true }

    it('asks for each learner by its number, and is done when all vote', () => {
      program('curl', gateway(first, learner, { ID: '33', peerURLs: [], isLearner: true }))
      expect(promote(3)).toEqual({ done: false, asked: '{"ID":"9372538179322589801"}{"ID":"33"}' })
      program('curl', gateway(first, { ...learner, isLearner: undefined }, { ID: '33' }))
      expect(promote(3).done).toBe(true)
    })

    it('goes on asking while a master has not come yet', () => {
      program('curl', gateway(first))
      expect(promote(2)).toEqual({ done: false, asked: '' })
    })

    it('asks for nothing where etcd does not answer', () => {
      program('curl', '')
      expect(promote(1)).toEqual({ done: false, asked: '' })
    })

    it('asks with kubectl where curl cannot, at the loopback and with the certificates of etcd alone', () => {
      // What curl says to options that it does not know.
      writeFileSync(join(dir, 'curl'), '#!/bin/sh\nexit 2\n')
      chmodSync(join(dir, 'curl'), 0o755)
      program('k3s', JSON.stringify(JSON.parse(gateway(first, learner)), null, 1), ':')
      expect(promote(2)).toEqual({ done: false, asked: '{"ID":"9372538179322589801"}' })
      const given = readFileSync(join(dir, 'args'), 'utf8')
      expect(given).toContain('--kubeconfig /dev/null --server https://127.0.0.1:2382')
      expect(given).toContain(`--client-key ${K3S.dataDir}/server/tls/etcd/client.key`)
    })
  },
)

describe('voteSteps', () => {
  it('is nothing where no master joins', () => {
    const spec = testSpec(3, 0)
    const input = { machine: 'm', needs: [] }
    expect(voteSteps(spec, { ...input, joining: [] })).toEqual([])
    expect(voteSteps(spec, { ...input, joining: ['a', 'b'] })).toMatchObject([
      { assists: ['a', 'b'], machine: 'm' },
    ])
  })
})
