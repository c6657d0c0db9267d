import { describe, expect, it } from 'vitest'
import { AirliftError } from '../core/errors.js'
import { machines as bareMachines, spec as bareSpec } from '../runtime/preflight/preflight.fixture.js'
import type { InstalledState, World } from '../runtime/runtime.js'
import type { OperationReport } from './report.js'
import { statusOf } from './status.js'
import { withUntouched } from './untouched.js'

const spec = { ...bareSpec(1, 2), name: 'prod' }
const report = (outcome: OperationReport['outcome'], failed = false): OperationReport => ({
  operation: 'start',
  outcome,
  name: 'prod',
  seconds: 1,
  bytesSent: 0,
  steps: { done: 1, skipped: 0, failed: 0 },
  machines: world().machines.map(({ id, name, node }) => ({
    machine: id,
    node: name,
    role: node.role,
    outcome: failed ? 'failed' : 'changed',
    error: null,
  })),
})

/** One master and one worker that are installed and stopped, and a worker that does not answer. */
function world(installed: Partial<InstalledState> = {}): World {
  const [master, worker, lost] = bareMachines(spec)
  if (!master || !worker || !lost) throw new Error('three machines')
  const stopped = { cluster: 'prod', active: false, initialized: true, apiReady: false }
  const error = new AirliftError('E_SSH_UNREACHABLE', 'no route to 10.0.0.3', { hint: 'switch it on' })
  return {
    machines: [
      { ...master, id: 'ssh://root@10.0.0.1:22', installed: { ...stopped, role: 'master' } },
      { ...worker, id: 'ssh://root@10.0.0.2:22', installed: { ...stopped, role: 'worker', ...installed } },
    ],
    unreachable: [{ node: lost.node, id: 'ssh://root@10.0.0.3:22', error }],
    secrets: new Map(),
    templates: {},
  }
}

describe('machines that a stop or start could do nothing for', () => {
  it('are named with the reason, and make the whole partial', () => {
    const found = withUntouched('stop', spec, world(), report('done'))
    expect(found.report.outcome).toBe('partial')
    expect(found.report.machines.at(-1)).toEqual({
      machine: 'ssh://root@10.0.0.3:22',
      node: spec.nodes[1]?.target.text,
      role: 'worker',
      outcome: 'failed',
      error: { code: 'E_SSH_UNREACHABLE', message: 'no route to 10.0.0.3', hint: 'switch it on', log: [] },
    })
    expect(found.error?.code).toBe('E_SSH_UNREACHABLE')
  })

  it('leave a failure a failure', () => {
    expect(withUntouched('start', spec, world(), report('failed', true)).report.outcome).toBe('failed')
  })

  it('count where nothing is installed, for a start only', () => {
    const bare = { ...world({ role: undefined as never }), unreachable: [] }
    expect(withUntouched('start', spec, bare, report('done'))).toMatchObject({
      report: { outcome: 'partial', machines: [{}, { outcome: 'failed', error: { code: 'E_START' } }] },
      error: { code: 'E_START' },
    })
    expect(withUntouched('stop', spec, bare, report('done'))).toEqual({ report: report('done') })
  })

  it('count where who made them was cut off: the hint takes them in, or out', () => {
    const whole = { ...world(), unreachable: [] }
    const unfinished = whole.machines.filter(({ node }) => node.role === 'worker').map(({ name }) => name)
    const half = {
      ...whole,
      engine: { unfinished, containers: [] } as unknown as NonNullable<World['engine']>,
    }
    const found = withUntouched('start', spec, half, report('done'))
    expect(found.report).toMatchObject({ outcome: 'partial', machines: [{}, { outcome: 'failed' }] })
    expect(found.error?.message).toMatch(/was never finished/)
    expect(found.error?.hint).toMatch(/same airlift run or add .* airlift delete --name prod --nodes /)
  })
})

describe('the status of a cluster', () => {
  it('that is stopped says so, once, and what to type', () => {
    const status = statusOf(spec, world())
    expect(status.health).toBe('down')
    expect(status.problems.map((problem) => [problem.code, problem.hint])).toEqual([
      ['unreachable', expect.any(String)],
      ['stopped', 'start it: airlift start --name prod'],
    ])
  })

  it('of which a part is stopped names that part', () => {
    const codes = statusOf(spec, world({ active: true })).problems.map((problem) => problem.code)
    expect(codes).toContain('service-down')
    expect(codes).not.toContain('stopped')
  })

  it('that is not installed does not say that it is stopped', () => {
    const codes = statusOf(spec, world({ role: undefined as never })).problems.map((problem) => problem.code)
    expect(codes).toContain('not-installed')
    expect(codes).not.toContain('stopped')
  })
})
