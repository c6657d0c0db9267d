import { describe, expect, it } from 'vitest'
import type { MachineReport, OperationReport } from '../../operations/report.js'
import { renderFailures, renderReport } from './report.js'
import { plainStyle } from './style.js'

const machine = (n: number, error: MachineReport['error'] = null): MachineReport => ({
  machine: `ssh://root@10.0.0.${n}:22`,
  node: `bare${n}`,
  role: n === 1 ? 'master' : 'worker',
  outcome: error ? 'failed' : 'changed',
  error,
})
const report = (parts: Partial<OperationReport> = {}): OperationReport => ({
  operation: 'run',
  outcome: 'done',
  name: 'prod',
  seconds: 21.4,
  bytesSent: 53_862_400,
  steps: { done: 9, skipped: 0, failed: 0 },
  machines: [machine(1), machine(2), machine(3)],
  ...parts,
})

describe('renderReport', () => {
  it('ends a run with duration, bytes and the next command', () => {
    expect(renderReport(report(), plainStyle, { next: 'kubectl get nodes' })).toBe(
      [
        '✓ cluster prod is up',
        '  3 of 3 machines changed, 9 steps done, 53.9 MB sent in 21.4s',
        '  next: kubectl get nodes',
      ].join('\n'),
    )
  })
  it('says so when nothing was to be done', () => {
    const unchanged = report({ outcome: 'unchanged', seconds: 0.82, bytesSent: 0 })
    expect(renderReport(unchanged, plainStyle)).toBe(
      '✓ cluster prod is as it must be: nothing to do (0.8s, 0 B sent)',
    )
  })
  it('does not call it nothing when no node had to change', () => {
    const machines = [machine(1), machine(2)].map((entry) => ({ ...entry, outcome: 'unchanged' as const }))
    const steps = { done: 2, skipped: 0, failed: 0 }
    const text = renderReport(report({ operation: 'start', steps, machines }), plainStyle)
    expect(text).toBe('✓ cluster prod is up\n  2 steps done, 53.9 MB sent in 21.4s')
  })
  it('counts what failed, and names no next command', () => {
    const partial = report({
      outcome: 'partial',
      steps: { done: 7, skipped: 1, failed: 1 },
      machines: [machine(1), machine(2, { code: 'E_JOIN', message: 'x', hint: null, log: [] })],
    })
    expect(renderReport(partial, plainStyle, { next: 'kubectl get nodes' })).toBe(
      [
        '! run of cluster prod is partly done: 1 of 2 machines failed',
        '  1 of 2 machines changed, 7 steps done, 1 failed, 1 not reached, 53.9 MB sent in 21.4s',
      ].join('\n'),
    )
  })
})

describe('renderFailures', () => {
  it('shows each distinct cause once, with its machines, log and remedy', () => {
    const full = (n: number): MachineReport =>
      machine(n, {
        code: 'E_DISK_FULL',
        message: `no space left on 10.0.0.${n}`,
        hint: 'free some space\nor choose another disk',
        log: ['tee: write error'],
      })
    const machines = [
      machine(1),
      full(2),
      machine(7, { code: 'E_START', message: 'k3s-agent ended with 1', hint: null, log: [] }),
      full(3),
      full(4),
      full(5),
    ]
    expect(renderFailures(machines, plainStyle)).toBe(
      [
        'error: 4 machines (bare2, bare3, bare4, and 1 more): no space left on 10.0.0.2 [E_DISK_FULL]',
        '  | tee: write error',
        'hint: free some space',
        '      or choose another disk',
        'error: bare7: k3s-agent ended with 1 [E_START]',
      ].join('\n'),
    )
  })
  it('is empty when nothing failed', () => {
    expect(renderFailures([machine(1)], plainStyle)).toBe('')
  })
})
