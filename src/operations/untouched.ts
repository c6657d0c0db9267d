import type { ClusterSpec } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { World } from '../runtime/runtime.js'
import { whyLeftAlone } from './not-installed.js'
import { describeError, type MachineReport, type OperationReport } from './report.js'

/**
 * Adds to the report of an operation the machines that it could do nothing for: those that cannot be reached and, for
 * `start`, those where nothing is installed, or only half. Gives the first reason as the error of the whole. Pure.
 */
export function withUntouched(
  operation: 'stop' | 'start' | 'reset',
  spec: ClusterSpec,
  world: World,
  report: OperationReport,
): { readonly report: OperationReport; readonly error?: AirliftError } {
  const bare = new Map(
    (operation === 'start' ? world.machines : []).flatMap((machine) => {
      const why = whyLeftAlone(spec, world, machine)
      if (!why) return []
      const { message, hint } = why
      return [[machine.id, new AirliftError('E_START', message, { machine: machine.name, hint })] as const]
    }),
  )
  const reached = report.machines.map((machine): MachineReport => {
    const error = bare.get(machine.machine)
    return error ? { ...machine, outcome: 'failed', error: describeError(error) } : machine
  })
  const lost = world.unreachable.map(
    ({ node, id, error }): MachineReport => ({
      machine: id,
      node: node.target.text,
      role: node.role,
      outcome: 'failed',
      error: describeError(error),
    }),
  )
  const machines = [...reached, ...lost]
  const error = [...bare.values(), ...world.unreachable.map((entry) => entry.error)][0]
  if (!error) return { report }
  const good = machines.some((machine) => machine.outcome !== 'failed')
  const outcome = !good || report.outcome === 'failed' ? 'failed' : 'partial'
  return { report: { ...report, outcome, machines }, error }
}
