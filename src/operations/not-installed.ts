import type { ClusterSpec } from '../cluster/spec.js'
import { AirliftError } from '../core/errors.js'
import type { MachineWorld, World } from '../runtime/runtime.js'
import type { StatusProblem } from './cluster-status.js'
import { describeError, type OperationReport } from './report.js'

/**
 * Why a host has no node that could be started, and what to do about it; undefined where it has one. What was cut off may have
 * been the making of the node or its removal: both can be finished. Pure.
 */
export function notInstalled(
  spec: ClusterSpec,
  world: World,
  { name, node, installed }: MachineWorld,
): Pick<StatusProblem, 'code' | 'message' | 'hint'> | undefined {
  const { role, lacks = [], active, initialized } = installed
  if (role !== undefined && lacks.length === 0) return undefined
  const again = 'run the same airlift run command again'
  // With another master the node can leave; without one there is nothing that it could be taken out of.
  const others = world.machines.filter((other) => other.node !== node && other.node.role === 'master')
  const through =
    others.find((other) => other.installed.apiReady) ??
    others.find(({ installed: own }) => own.initialized && own.role && own.lacks === undefined)
  const flag = node.role === 'master' ? '--masters' : '--nodes'
  const hint = through
    ? `${again}, or the airlift add that named it; or take it out: airlift delete --name ${spec.name} --through ${through.node.target.text} ${flag} ${node.target.text}`
    : again
  if (role === undefined) return { code: 'not-installed', message: `k3s is not installed on ${name}`, hint }
  const missing = `${lacks.join(', ')} is missing`
  if (!initialized)
    return { code: 'not-installed', message: `k3s is only half installed on ${name}: ${missing}`, hint }
  return active
    ? { code: 'incomplete', message: `the service of ${name} would not start again: ${missing}`, hint }
    : { code: 'service-down', message: `the service of ${name} cannot be started: ${missing}`, hint }
}

/** Says in the report of a `start` of the hosts that were left alone, since k3s is not there or only in part, what to do. Pure. */
export function withNotInstalled(
  spec: ClusterSpec,
  world: World,
  { report, error }: { readonly report: OperationReport; readonly error?: AirliftError },
): { readonly report: OperationReport; readonly error?: AirliftError } {
  const errors = new Map(
    (world.engine ? [] : world.machines).flatMap((machine) => {
      const why = notInstalled(spec, world, machine)
      if (!why || why.code === 'incomplete') return []
      const { message, hint } = why
      return [[machine.id, new AirliftError('E_START', message, { machine: machine.name, hint })] as const]
    }),
  )
  const [first] = errors.values()
  if (!first) return { report, ...(error ? { error } : {}) }
  const machines = report.machines.map((machine) => {
    const own = errors.get(machine.machine)
    return own ? { ...machine, outcome: 'failed' as const, error: describeError(own) } : machine
  })
  const good = machines.some(({ outcome }) => outcome !== 'failed')
  const outcome = !good || report.outcome === 'failed' ? 'failed' : 'partial'
  const told = [...errors.values()].find(({ machine }) => machine === error?.machine)
  return { report: { ...report, outcome, machines }, error: told ?? error ?? first }
}
