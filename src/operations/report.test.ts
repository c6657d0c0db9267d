import { describe, expect, it } from 'vitest'
import { AirliftError } from '../core/errors.js'
import type { PlanResult } from '../plan/execute.js'
import { type Plan, type Step, summarize } from '../plan/plan.js'
import { machines as bareMachines, spec as bareSpec } from '../runtime/preflight/preflight.fixture.js'
import { problem } from '../runtime/preflight/problem.js'
import type { MachineWorld } from '../runtime/runtime.js'
import { withLeft } from './prove-clean.js'
import { type OperationReport, reportOf } from './report.js'

const spec = bareSpec(1, 2)
const installed = { active: true, initialized: true, apiReady: true }
const world = bareMachines(spec).map((machine): MachineWorld => ({ ...machine, id: machine.name, installed }))

/** The report of an operation with one step on each machine, which fails on those at the indices. */
function report(operation: string, ...failing: number[]): OperationReport {
  const steps = world.map(
    ({ id }): Step => ({ id: `${id}/x`, machine: id, title: 'x', needs: [], effect: 'change', actions: [] }),
  )
  const plan: Plan = { operation, name: 'prod', runtime: 'k3s', steps, summary: summarize(steps) }
  const result: PlanResult = {
    interrupted: false,
    steps: steps.map((step, index) =>
      failing.includes(index)
        ? { step, outcome: 'failed', error: new AirliftError('E_MOUNT', 'a mount') }
        : { step, outcome: 'done' },
    ),
  }
  return reportOf({
    plan,
    result,
    machines: world,
    connections: [],
    seconds: 1,
    nodeName: ({ name }) => name,
  })
}

describe('an operation that failed on some machines', () => {
  it.each(['reset', 'stop'])(
    'is partial where each stands for itself, the only master too: %s',
    (operation) => {
      expect(report(operation, 0)).toMatchObject({ outcome: 'partial', steps: { done: 2, failed: 1 } })
      expect(report(operation, 1).outcome).toBe('partial')
      expect(report(operation, 0, 1, 2).outcome).toBe('failed')
      expect(report(operation).outcome).toBe('done')
    },
  )

  it.each(['run', 'start'])('has failed where the others are nothing without the master: %s', (operation) => {
    expect(report(operation, 0).outcome).toBe('failed')
    expect(report(operation, 1).outcome).toBe('partial')
  })
})

describe('a reset after which something is left', () => {
  const leftOn = (...indices: number[]) =>
    indices.map((index) => problem('not-clean', world[index]?.name ?? '', 'path /x is left'))

  it('has failed on that machine, and is not done', () => {
    const told = withLeft(report('reset'), leftOn(1), world)
    expect(told.outcome).toBe('partial')
    expect(told.machines.map(({ outcome }) => outcome)).toEqual(['changed', 'failed', 'changed'])
    expect(told.machines[1]?.error).toMatchObject({
      code: 'E_VERIFY',
      message: '1 things are left after the reset',
    })
  })

  it('has failed where it is left everywhere, or on an engine', () => {
    expect(withLeft(report('reset'), leftOn(0, 1, 2), world).outcome).toBe('failed')
    expect(
      withLeft(report('reset'), [problem('not-clean', 'unix:///run/docker.sock', 'x')], world).outcome,
    ).toBe('failed')
    expect(withLeft(report('reset'), [], world).outcome).toBe('done')
  })

  it('keeps the error of a machine that has failed before', () => {
    const told = withLeft(report('reset', 0), leftOn(1), world)
    expect(told.machines.map(({ error }) => error?.code)).toEqual(['E_MOUNT', 'E_VERIFY', undefined])
  })
})
