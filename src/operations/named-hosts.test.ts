import { expect, it } from 'vitest'
import type { ClusterSpec, MachineTarget, NodeSpec, Role } from '../cluster/spec.js'
import { plainSsh } from '../cluster/ssh.fixture.js'
import { namedHosts } from './named-hosts.js'

const host = (role: Role, text: string, more: Partial<MachineTarget> = {}): NodeSpec => ({
  target: { kind: 'ssh', text, host: text.replace(/^.*@/, ''), ...more },
  role,
  labels: {},
  taints: [],
})
const known = {
  masters: [host('master', 'root@10.0.0.1')],
  nodes: [host('worker', 'bare2'), host('worker', 'root@10.0.0.3:2222', { host: '10.0.0.3', port: 2222 })],
  ssh: plainSsh,
} as unknown as ClusterSpec
const told = (...words: string[]): unknown => {
  const hosts = namedHosts(
    words.map((word) => ({ word, role: 'worker' })),
    known,
  )
  const texts = (nodes: readonly NodeSpec[]): string[] =>
    nodes.map(({ target, role }) => `${role} ${target.text}`)
  return hosts && [texts(hosts.own), texts(hosts.others)]
}

it.each<[string[], unknown]>([
  [
    ['bare2', '10.0.0.3'],
    [['worker bare2', 'worker root@10.0.0.3:2222'], []],
  ],
  // What it is tells the record, not the flag.
  [['10.0.0.1'], [['master root@10.0.0.1'], []]],
  [['admin@10.0.0.1:22'], [['master admin@10.0.0.1:22'], []]],
  [
    ['root@10.9.9.9', 'fd00::1'],
    [[], ['worker root@10.9.9.9', 'worker fd00::1']],
  ],
  [
    ['bare2', '10.9.9.9'],
    [['worker bare2'], ['worker 10.9.9.9']],
  ],
  // These only the cluster itself knows.
  [['bare7'], undefined],
  [['bare2', 'workers:0'], undefined],
  [['all'], undefined],
])('%j', (words, expected) => expect(told(...words)).toEqual(expected))
