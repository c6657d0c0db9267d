import { expect, it } from 'vitest'
import type { StepResult } from '../plan/execute.js'
import type { Action, Step } from '../plan/plan.js'
import { knownMachines, madeMachines } from './made-machines.js'

const CREATE = { kind: 'container', op: 'create' } as Action

function result(
  machine: string,
  step: Partial<Pick<Step, 'effect' | 'actions'>>,
  outcome: StepResult['outcome'] = 'done',
): StepResult {
  return { step: { id: machine, machine, title: '', needs: [], actions: [], ...step }, outcome }
}

it('are those whose container was created and whose every step is done', () => {
  const steps = [
    result('whole', { effect: 'create', actions: [CREATE] }),
    result('whole', {}),
    result('cut', { effect: 'create', actions: [CREATE] }),
    result('cut', {}, 'skipped'),
    result('broken', { effect: 'create', actions: [CREATE] }),
    result('broken', {}, 'failed'),
    result('completed', { effect: 'change', actions: [CREATE] }),
    result('waited for', {}),
    result('network', { effect: 'create', actions: [{ kind: 'network' } as Action] }),
  ]
  expect(madeMachines({ steps })).toEqual(new Set(['whole']))
})

it('are known, with those that nothing was done to', () => {
  const steps = [
    result('new', { effect: 'create', actions: [CREATE] }),
    result('told of it', { effect: 'change', actions: [] }),
  ]
  const machines = ['new', 'told of it', 'left alone'].map((id) => ({ id }))
  expect(knownMachines(machines, { steps })).toEqual(new Set(['new', 'left alone']))
})
