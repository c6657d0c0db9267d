import { expect, it } from 'vitest'
import { type Plan, type Step, summarize } from '../../plan/plan.js'
import { renderPlan } from './plan.js'
import { plainStyle } from './style.js'

const plan = (steps: readonly Step[]): Plan => ({
  operation: 'run',
  name: 'prod',
  runtime: 'k3s',
  steps,
  summary: summarize(steps),
})

it('shows the steps of each machine, what they do and what they wait for elsewhere', () => {
  const steps: Step[] = [
    {
      id: 'bare1/stage',
      machine: 'ssh://root@10.0.0.1:22',
      title: 'send 2 files',
      needs: [],
      effect: 'change',
      actions: [
        {
          kind: 'stage',
          blobs: [
            { sha256: 'a'.repeat(64), sizeBytes: 70_000_000, name: 'bin/k3s' },
            { sha256: 'b'.repeat(64), sizeBytes: 300_000, name: 'images/pause.tar' },
          ],
        },
      ],
    },
    {
      id: 'bare1/install',
      machine: 'ssh://root@10.0.0.1:22',
      title: 'install k3s as master',
      needs: ['bare1/stage'],
      effect: 'create',
      actions: [
        { kind: 'link', sha256: 'a'.repeat(64), path: '/usr/local/bin/k3s', mode: '0755' },
        { kind: 'script', script: 'sysctl --system' },
        ...['1', '2', '3', '4'].map((n) => ({
          kind: 'link' as const,
          sha256: n.repeat(64),
          path: `/images/${n}.tar`,
          mode: '0644',
        })),
        { kind: 'write', path: '/etc/rancher/k3s/token', mode: '0600', content: '{{secret:token}}' },
        { kind: 'script', script: 'a\nb\n' },
        { kind: 'service', unit: 'k3s', op: 'start', init: 'systemd' },
        { kind: 'wait', what: 'the API', script: 'x', timeoutMs: 600_000, diagnose: 'y' },
        { kind: 'capture', secret: 'token', script: 'cat token' },
      ],
    },
    {
      id: 'cluster/answers',
      machine: 'ssh://root@10.0.0.1:22',
      title: 'read the token',
      needs: ['bare1/install'],
      actions: [],
    },
    {
      id: 'bare2/ready',
      machine: 'ssh://root@10.0.0.2:22',
      title: 'wait until the node is ready',
      needs: ['cluster/answers'],
      actions: [{ kind: 'remove', paths: ['/a', '/b'] }],
    },
  ]
  expect(renderPlan(plan(steps), plainStyle)).toBe(
    [
      'plan: run of cluster prod (k3s)',
      '',
      'bare1  ssh://root@10.0.0.1:22',
      '  ~ send 2 files',
      '      stage 2 blobs, 70.3 MB',
      '  + install k3s as master',
      '      link /usr/local/bin/k3s to aaaaaaaaaaaa',
      '      run: sysctl --system',
      '      link 4 files into /images',
      '      write /etc/rancher/k3s/token (0600)',
      '      run a script of 2 lines',
      '      start the service k3s',
      '      wait for the API, at most 600s',
      '      read token',
      '  = read the token',
      '',
      'bare2  ssh://root@10.0.0.2:22',
      '  = wait until the node is ready (after cluster/answers)',
      '      remove /a /b',
      '',
      '4 steps on 2 machines: 1 to create, 1 to change, 0 to remove',
    ].join('\n'),
  )
})

it('says when there is nothing to do', () => {
  expect(renderPlan(plan([]), plainStyle)).toBe('plan: run of cluster prod (k3s)\nnothing to do')
})
