import { spawnSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { SHELLS } from '../../machine/shells.fixture.js'
import { VOTE } from './vote-script.js'

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
