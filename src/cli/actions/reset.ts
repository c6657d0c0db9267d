import { AirliftError } from '../../core/errors.js'
import { reset } from '../../operations/reset.js'
import { problemLines } from '../../runtime/preflight/problem-lines.js'
import { finishOperation } from '../finish.js'
import { forAll } from '../for-all.js'
import type { ActionIo } from '../io.js'
import { kubeconfigFile } from '../kubeconfig-file.js'
import { knownSpec, operationDeps } from '../operation-io.js'
import { renderPlan } from '../render/plan.js'

/** `airlift reset` and, with `planOnly`, `airlift plan reset`. */
export async function resetCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  planOnly: boolean,
): Promise<number> {
  if (flags.all === true) {
    const question = planOnly ? {} : { question: 'remove these clusters and all their data' }
    return forAll(io, flags, {
      operation: 'reset',
      ...question,
      verb: (each, own) => resetCommand(each, own, planOnly),
    })
  }
  const kubeconfig = kubeconfigFile(flags)
  const deps = operationDeps(io)
  const spec = await knownSpec(io, flags, deps)
  const outcome = await reset(
    {
      spec,
      dryRun: planOnly,
      force: flags.force === true,
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      ...(flags.yes === true ? {} : { confirm: (name, machines) => requireConsent(io, name, machines) }),
    },
    io.ctx,
    deps,
  )
  if (planOnly || !outcome.report) {
    if (io.json) io.printJson(outcome.plan)
    else io.print(renderPlan(outcome.plan, io.style.out))
    return 0
  }
  if (outcome.left.length > 0) io.warn(problemLines(outcome.left).join('\n'))
  return finishOperation(io, outcome.report, outcome.error, { extra: { left: outcome.left } })
}

/** On a terminal a person confirms; a script that says `reset` means it. @throws AirliftError E_DECLINED */
async function requireConsent(io: ActionIo, name: string, machines: readonly string[]): Promise<void> {
  const shown =
    machines.slice(0, 8).join(', ') + (machines.length > 8 ? `, and ${machines.length - 8} more` : '')
  const answer = await io.confirm(`remove the cluster "${name}" and all its data from ${shown}?`)
  if (answer === false) throw new AirliftError('E_DECLINED', 'not confirmed; nothing was changed')
}
