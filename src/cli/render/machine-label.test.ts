import { expect, it } from 'vitest'
import { machineLabel } from './machine-label.js'

it.each([
  ['ssh://root@10.0.0.1:22', '10.0.0.1'],
  ['ssh://root@10.0.0.1:2222', '10.0.0.1:2222'],
  ['openssh://[fd00::1]:22', 'fd00::1'],
  ['docker://airlift-dev-master-0', 'airlift-dev-master-0'],
  ['local://', 'local'],
  ['engine', 'engine'],
])('the machine %s is called %s', (id, label) => {
  expect(machineLabel(id)).toBe(label)
})
