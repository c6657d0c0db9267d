import { expect, it } from 'vitest'
import { hasVote, votersOf } from './etcd-voters.js'

const info = JSON.stringify({
  members: [
    { ID: 1, name: 'master-0-aa', clientURLs: ['https://10.0.0.1:2379'] },
    { ID: 2, name: 'master-1-bb', isLearner: true },
    // Added, and not started yet.
    { ID: 3, peerURLs: ['https://10.0.0.3:2380'] },
  ],
})
const on = (member: string) => ({ 'etcd.k3s.cattle.io/node-name': member })

it('are the members that are no learners', () => {
  expect([...votersOf(info)]).toEqual(['master-0-aa'])
  expect(hasVote(on('master-0-aa'), votersOf(info))).toBe(true)
  expect(hasVote(on('master-1-bb'), votersOf(info))).toBe(false)
  expect(hasVote({}, votersOf(info))).toBe(false)
  expect(hasVote(undefined, votersOf(info))).toBe(false)
})

it.each(['', 'null', '{}', '{"members":null}', '404 page not found', '[]', '{"members":7}'])(
  'are none in %s',
  (text) => {
    expect(votersOf(text).size).toBe(0)
  },
)
