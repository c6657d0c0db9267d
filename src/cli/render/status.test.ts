import { expect, it } from 'vitest'
import type { ClusterStatus } from '../../operations/cluster-status.js'
import { renderStatus } from './status.js'
import { plainStyle } from './style.js'

it('shows health, nodes and problems with their remedies', () => {
  const status: ClusterStatus = {
    name: 'prod',
    runtime: 'k3s',
    version: 'v1.33.1+k3s1',
    health: 'degraded',
    endpoint: 'https://10.0.0.1:6443',
    datastore: { kind: 'etcd', members: 3, healthy: 2 },
    nodes: [
      {
        name: 'bare1',
        machine: 'ssh://root@10.0.0.1:22',
        role: 'master',
        address: '10.0.0.1',
        ready: true,
        version: 'v1.33.1+k3s1',
        message: '',
      },
      {
        name: 'bare2',
        machine: null,
        role: 'worker',
        address: '10.0.0.2',
        ready: false,
        version: '',
        message: 'kubelet stopped posting',
      },
    ],
    problems: [
      {
        code: 'node-not-ready',
        machine: null,
        message: 'node bare2 is not ready',
        hint: 'see kubectl describe',
      },
    ],
  }
  expect(renderStatus(status, plainStyle)).toBe(
    [
      'cluster prod: degraded, k3s v1.33.1+k3s1, etcd 2/3 healthy, https://10.0.0.1:6443',
      '',
      'NODE   ROLE    STATE      VERSION       ADDRESS   MACHINE   MESSAGE',
      'bare1  master  ready      v1.33.1+k3s1  10.0.0.1  10.0.0.1',
      'bare2  worker  not ready                10.0.0.2  -         kubelet stopped posting',
      '',
      '1 problem:',
      '✗ node bare2 is not ready [node-not-ready]',
      '  hint: see kubectl describe',
    ].join('\n'),
  )
})
