import { AirliftError } from '../core/errors.js'
import type { World } from '../runtime/runtime.js'
import { aboutUnfinished, isUnfinished } from '../runtime/unfinished.js'
import type { MachineReport, OperationReport } from './report.js'

/**
 * Adds to the report of an operation the machines that it could do nothing for: those that cannot be reached and, for
 * `start`, those where nothing is installed, or only half. Gives the first reason as the error of the whole. Pure.
 */
export function withUntouched(
  operation: 'stop' | 'start' | 'reset',
  world: World,
  report: OperationReport,
): { readonly report: OperationReport; readonly error?: AirliftError } {
  const bare = new Map(
    operation === 'start'
      ? world.machines
          .filter(({ name, installed }) => installed.role === undefined || isUnfinished(world, name))
          .map(({ id, name, node }) => {
            if (!isUnfinished(world, name)) return [id, notInstalled(name)] as const
            const { message, hint } = aboutUnfinished(report, node)
            return [id, new AirliftError('E_START', message, { machine: name, hint })] as const
          })
      : [],
  )
  const reached = report.machines.map((machine): MachineReport => {
    const error = bare.get(machine.machine)
    return error ? { ...machine, outcome: 'failed', error: described(error) } : machine
  })
  const lost = world.unreachable.map(
    ({ node, id, error }): MachineReport => ({
      machine: id,
      node: node.target.text,
      role: node.role,
      outcome: 'failed',
      error: described(error),
    }),
  )
  const machines = [...reached, ...lost]
  const error = [...bare.values(), ...world.unreachable.map((entry) => entry.error)][0]
  if (!error) return { report }
  const good = machines.some((machine) => machine.outcome !== 'failed')
  const outcome = !good || report.outcome === 'failed' ? 'failed' : 'partial'
  return { report: { ...report, outcome, machines }, error }
}

function notInstalled(name: string): AirliftError {
  return new AirliftError('E_START', `k3s is not installed on ${name}`, {
    machine: name,
    hint: 'run the airlift run command of the cluster again: it installs what is missing',
  })
}

function described(error: AirliftError): NonNullable<MachineReport['error']> {
  return { code: error.code, message: error.message, hint: error.hint ?? null, log: error.log }
}
