import { expect, it } from 'vitest'
import { AirliftError } from '../core/errors.js'
import { WAIT_LONGER } from '../plan/compile.js'
import { seeLog } from './last-words.js'
import type { OperationReport } from './report.js'
import { undoneError, undoneReport } from './undone.js'

const NAME = 'airlift-dev-master-0'
const gone = { removed: true, told: 'what this run made was removed; --keep leaves it, to be looked at' }
const stuck = { removed: false, told: 'airlift reset removes the rest' }
const late = (hint?: string): AirliftError =>
  new AirliftError('E_TIMEOUT', 'not done after 1 s: x', {
    machine: NAME,
    ...(hint === undefined ? {} : { hint }),
  })

it.each([seeLog(NAME), WAIT_LONGER])('does not send to a log or a wait that is gone: %s', (hint) => {
  expect(undoneError(late(hint), gone).hint).toBe(
    `--timeout lets it wait longer\n${gone.told}: docker logs ${NAME}`,
  )
  expect(undoneError(late(hint), stuck).hint).toBe(`${hint}\n${stuck.told}`)
})

it('keeps a remedy that can still be followed', () => {
  expect(undoneError(late('free some space'), gone).hint).toBe(`free some space\n${gone.told}`)
  expect(undoneError(late(), gone).hint).toBe(gone.told)
})

it('tells it in the report, too, once for all machines', () => {
  const failed = (node: string, message: string, hint: string) => ({
    machine: `docker://${node}`,
    node,
    role: 'master' as const,
    outcome: 'failed' as const,
    error: { code: 'E_TIMEOUT', message, hint, log: [] },
  })
  const report: OperationReport = {
    ...{ operation: 'run', outcome: 'partial', name: 'dev', seconds: 1, bytesSent: 0 },
    steps: { done: 0, skipped: 0, failed: 2 },
    machines: [
      failed(NAME, late().message, 'free some space'),
      failed('airlift-dev-worker-0', 'another', seeLog('airlift-dev-worker-0')),
      failed('airlift-dev-worker-1', 'a third', 'mend it'),
    ],
  }
  const told = undoneReport(report, late(), gone)
  expect(told.outcome).toBe('failed')
  expect(told.machines.map(({ error }) => error?.hint)).toEqual([
    `free some space\n${gone.told}`,
    `--timeout lets it wait longer\n${gone.told}: docker logs airlift-dev-worker-0`,
    'mend it',
  ])
})
