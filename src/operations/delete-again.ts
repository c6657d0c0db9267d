import { countsNodes, type NodeWords } from '../cluster/node-words.js'
import type { NodeSpec } from '../cluster/spec.js'
import type { AirliftError } from '../core/errors.js'
import type { Problem } from '../runtime/preflight/problem.js'
import type { LeaveOptions } from '../runtime/runtime.js'
import type { OperationReport } from './report.js'
import type { ClusterRef } from './resolve-cluster.js'
import { hinted } from './with-hint.js'

/** Says in hints how a delete that did not finish is finished. */
export interface DeleteAgain {
  error(error: AirliftError): AirliftError
  report(report: OperationReport): OperationReport
  problem(problem: Problem): Problem
}

/** What was asked for, as far as it must be said again. */
interface Deletion {
  readonly cluster: ClusterRef
  readonly leaving: NodeWords
  readonly options: Pick<LeaveOptions, 'force'>
}

/**
 * Hints tell of "the same command". Of a delete that may be another one by then: in a list of hosts all others move up when one
 * has left, so that its number is the next one's, and a name that has left is refused. Those hints get the command that names
 * what is left. Pure.
 *
 * @param leaving - all that the words of the command named
 * @param left - those of them that are not gone, or not clean
 */
export function deleteAgain(
  { cluster, leaving: words, options }: Deletion,
  leaving: readonly NodeSpec[],
  left: readonly NodeSpec[],
): DeleteAgain {
  const counted = [...words.masters, ...words.nodes].some(countsNodes)
  if (!counted && left.length === leaving.length)
    return { error: (error) => error, report: (report) => report, problem: (problem) => problem }
  const list = (flag: string, nodes: readonly NodeSpec[]): string[] =>
    nodes.length > 0 ? [flag, nodes.map(({ target }) => target.text).join(',')] : []
  const ofRole = (role: NodeSpec['role']): NodeSpec[] => left.filter((node) => node.role === role)
  const command = [
    ...['airlift delete --name', cluster.name],
    ...list('--through', cluster.masters),
    ...list('--masters', ofRole('master')),
    ...list('--nodes', ofRole('worker')),
    ...(options.force ? ['--force'] : []),
  ].join(' ')
  const status = `see airlift status --name ${cluster.name}: all that were named have left`
  const instead = left.length > 0 ? `run ${command}` : status
  const named = (text: string): string => text.replace(/(?:run )?the same command(?: again)?/g, () => instead)
  const hint = (text: string | undefined): string => {
    if (text === undefined) return instead
    const better = named(text)
    return better === text && left.length > 0 ? `${text}\nthose that are left: ${command}` : better
  }
  return {
    error: (error) => hinted(error, hint(error.hint)),
    report: (report) => ({
      ...report,
      machines: report.machines.map((machine) =>
        machine.error
          ? { ...machine, error: { ...machine.error, hint: hint(machine.error.hint ?? undefined) } }
          : machine,
      ),
    }),
    problem: (problem) => ({ ...problem, fix: named(problem.fix) }),
  }
}
