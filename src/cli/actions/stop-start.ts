import { AirliftError } from '../../core/errors.js'
import { type StopStartOutcome, start, stop } from '../../operations/stop-start.js'
import { finishOperation } from '../finish.js'
import { forAll } from '../for-all.js'
import type { ActionIo } from '../io.js'
import { knownSpec, operationDeps } from '../operation-io.js'
import { renderPlan } from '../render/plan.js'

type Flags = Readonly<Record<string, unknown>>

/** `airlift stop` and, with `planOnly`, `airlift plan stop`. */
export async function stopCommand(io: ActionIo, flags: Flags, planOnly: boolean): Promise<number> {
  if (flags.all === true) {
    const question = planOnly ? {} : { question: 'stop these clusters and everything that runs in them' }
    return forAll(io, flags, {
      operation: 'stop',
      ...question,
      verb: (each, own) => stopCommand(each, own, planOnly),
    })
  }
  const deps = operationDeps(io)
  const spec = await knownSpec(io, flags, deps)
  if (!planOnly && flags.yes !== true) {
    const answer = await io.confirm(`stop the cluster "${spec.name}" and everything that runs in it?`)
    if (answer === false) throw new AirliftError('E_DECLINED', 'not confirmed; nothing was changed')
  }
  const drain = flags.drain === true
  const outcome = await stop({ spec, drain, dryRun: planOnly }, io.ctx, deps)
  return finish(io, outcome, `airlift start --name ${spec.name}`)
}

/** `airlift start` and, with `planOnly`, `airlift plan start`. */
export async function startCommand(io: ActionIo, flags: Flags, planOnly: boolean): Promise<number> {
  if (flags.all === true) {
    return forAll(io, flags, { operation: 'start', verb: (each, own) => startCommand(each, own, planOnly) })
  }
  const deps = operationDeps(io)
  const spec = await knownSpec(io, flags, deps)
  const outcome = await start({ spec, dryRun: planOnly }, io.ctx, deps)
  return finish(io, outcome, `airlift status --name ${spec.name}`)
}

function finish(io: ActionIo, outcome: StopStartOutcome, next: string): number {
  if (outcome.report) return finishOperation(io, outcome.report, outcome.error, { next })
  if (io.json) io.printJson(outcome.plan)
  else io.print(renderPlan(outcome.plan, io.style.out))
  return 0
}
