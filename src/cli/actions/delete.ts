import { parseDuration } from '../../cluster/duration.js'
import type { NodeWords } from '../../cluster/node-words.js'
import { AirliftError } from '../../core/errors.js'
import { deleteNodes } from '../../operations/delete.js'
import { problemLines } from '../../runtime/preflight/problem-lines.js'
import { finishOperation } from '../finish.js'
import { type ActionIo, UsageError } from '../io.js'
import { kubeconfigFile } from '../kubeconfig-file.js'
import { readNodeWords } from '../node-words.js'
import { operationDeps, throughRef } from '../operation-io.js'
import { renderPlan } from '../render/plan.js'

/** `airlift delete` and, with `planOnly`, `airlift plan delete`. */
export async function deleteCommand(
  io: ActionIo,
  flags: Readonly<Record<string, unknown>>,
  planOnly: boolean,
): Promise<number> {
  const leaving = await leavingWords(flags)
  const drainTimeoutMs = durationOf(flags.drainTimeout, '--drain-timeout')
  const timeoutMs = durationOf(flags.timeout, '--timeout')
  const kubeconfig = kubeconfigFile(flags)
  const outcome = await deleteNodes(
    {
      cluster: await throughRef(flags),
      leaving,
      options: {
        force: flags.force === true,
        ...(drainTimeoutMs === undefined ? {} : { drainTimeoutMs }),
      },
      ...(timeoutMs === undefined ? {} : { timeoutMs }),
      ...(kubeconfig === undefined ? {} : { kubeconfig }),
      dryRun: planOnly,
      ...(flags.yes === true ? {} : { confirm: (name, machines) => requireConsent(io, name, machines) }),
    },
    io.ctx,
    operationDeps(io),
  )
  if (planOnly || !outcome.report) {
    if (io.json) io.printJson(outcome.plan)
    else io.print(renderPlan(outcome.plan, io.style.out))
    return 0
  }
  if (outcome.left.length > 0) io.warn(problemLines(outcome.left).join('\n'))
  const { kubeconfig: moved } = outcome
  if (moved) io.note(`the context ${moved.context} in ${moved.path} now names ${moved.server}`)
  return finishOperation(io, outcome.report, outcome.error, {
    extra: { left: outcome.left, ...(moved ? { kubeconfig: moved } : {}) },
  })
}

/** The words of --masters and --nodes, of which there must be one. */
async function leavingWords(flags: Readonly<Record<string, unknown>>): Promise<NodeWords> {
  const words = {
    masters: await readNodeWords('--masters', flags.masters),
    nodes: await readNodeWords('--nodes', flags.nodes),
  }
  if (words.masters.length + words.nodes.length === 0) {
    throw new AirliftError('E_USAGE', 'no node is named', {
      hint: 'give --nodes or --masters with names, hosts or filters, such as --nodes workers:1',
    })
  }
  return words
}

function durationOf(value: unknown, flag: string): number | undefined {
  if (typeof value !== 'string') return undefined
  const ms = parseDuration(value)
  if (ms === undefined || ms < 1000)
    throw new UsageError(`${flag} takes a duration of at least 1s, such as 90s or 5m, not "${value}"`)
  return ms
}

/** On a terminal a person confirms; a script that says `delete` means it. @throws AirliftError E_DECLINED */
async function requireConsent(io: ActionIo, name: string, machines: readonly string[]): Promise<void> {
  const shown =
    machines.slice(0, 8).join(', ') + (machines.length > 8 ? `, and ${machines.length - 8} more` : '')
  const answer = await io.confirm(`take ${shown} out of the cluster "${name}" and remove its data there?`)
  if (answer === false) throw new AirliftError('E_DECLINED', 'not confirmed; nothing was changed')
}
