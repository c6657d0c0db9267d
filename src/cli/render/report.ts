import type { MachineReport, OperationReport } from '../../operations/report.js'
import { machineLabel } from './machine-label.js'
import { count, formatBytes, formatSeconds } from './quantity.js'
import type { Style } from './style.js'

/** What the last lines of a report tell. */
export interface ReportText {
  /** The next command to type, such as `kubectl get nodes`. */
  readonly next?: string
}

const VERBS: Readonly<Record<string, { readonly done: string; readonly unchanged: string }>> = {
  run: { done: 'is up', unchanged: 'is as it must be: nothing to do' },
  add: { done: 'has the new machines', unchanged: 'has these machines already: nothing to do' },
  delete: { done: 'is without them', unchanged: 'is without them already: nothing to do' },
  reset: { done: 'is removed', unchanged: 'is not there: nothing to do' },
  start: { done: 'is up', unchanged: 'runs already: nothing to do' },
  ports: { done: 'publishes the ports', unchanged: 'publishes these ports already: nothing to do' },
  stop: { done: 'is stopped', unchanged: 'is stopped already: nothing to do' },
}

/** The result of a verb for people: what became of the cluster, how long it took, what was sent, what to type next. */
export function renderReport(report: OperationReport, style: Style, text: ReportText = {}): string {
  const lines = [headline(report, style)]
  if (report.outcome === 'unchanged') lines[0] += ` (${formatSeconds(report.seconds)}, 0 B sent)`
  else lines.push(`  ${numbers(report)}`)
  if (text.next && (report.outcome === 'done' || report.outcome === 'unchanged'))
    lines.push(`  next: ${text.next}`)
  return lines.join('\n')
}

function headline(report: OperationReport, style: Style): string {
  const who = `cluster ${style.bold(report.name)}`
  const failed = report.machines.filter((machine) => machine.outcome === 'failed').length
  if (report.outcome === 'failed') return `${style.red('✗')} ${report.operation} of ${who} failed`
  if (report.outcome === 'partial') {
    const part = `${failed} of ${count(report.machines.length, 'machine')} failed`
    return `${style.yellow('!')} ${report.operation} of ${who} is partly done: ${part}`
  }
  const verb = VERBS[report.operation] ?? { done: `${report.operation} is done`, unchanged: 'nothing to do' }
  return `${style.green('✓')} ${who} ${report.outcome === 'unchanged' ? verb.unchanged : verb.done}`
}

function numbers(report: OperationReport): string {
  const { done, skipped, failed } = report.steps
  const changed = report.machines.filter((machine) => machine.outcome === 'changed').length
  // What was done for the load balancer or the network alone is in the steps.
  const machines = changed > 0 || report.outcome !== 'done'
  const parts = [
    ...(machines ? [`${changed} of ${count(report.machines.length, 'machine')} changed`] : []),
    `${count(done, 'step')} done`,
    ...(failed > 0 ? [`${failed} failed`] : []),
    ...(skipped > 0 ? [`${skipped} not reached`] : []),
    `${formatBytes(report.bytesSent)} sent`,
  ]
  return `${parts.join(', ')} in ${formatSeconds(report.seconds)}`
}

/**
 * Each distinct cause once, with its number of machines (the first three by name), its last log lines and the remedy.
 * Empty when nothing failed.
 */
export function renderFailures(machines: readonly MachineReport[], style: Style): string {
  const causes = new Map<string, { error: NonNullable<MachineReport['error']>; on: string[] }>()
  for (const machine of machines) {
    if (!machine.error) continue
    const key = `${machine.error.code} ${withoutNames(machine.error.message, machine)}`
    const cause = causes.get(key) ?? { error: machine.error, on: [] }
    cause.on.push(machine.node || machineLabel(machine.machine))
    causes.set(key, cause)
  }
  return [...causes.values()].map(({ error, on }) => renderCause(error, on, style)).join('\n')
}

/** The same failure on two machines differs only by the machine's own name. */
function withoutNames(message: string, machine: MachineReport): string {
  let text = message
  for (const name of [machine.machine, machineLabel(machine.machine), machine.node]) {
    if (name) text = text.replaceAll(name, '…')
  }
  return text
}

function renderCause(
  error: NonNullable<MachineReport['error']>,
  on: readonly string[],
  style: Style,
): string {
  const names = on.slice(0, 3).join(', ') + (on.length > 3 ? `, and ${on.length - 3} more` : '')
  const where = on.length === 1 ? names : `${on.length} machines (${names})`
  const lines = [`${style.red('error')}: ${where}: ${error.message} [${error.code}]`]
  for (const line of error.log) lines.push(`  | ${line}`)
  if (error.hint) lines.push(`hint: ${error.hint.replaceAll('\n', '\n      ')}`)
  return lines.join('\n')
}
