import type { DoctorMachine, DoctorReport } from '../../operations/doctor-report.js'
import { refusals } from '../../runtime/preflight/refuse.js'
import { renderProblems } from './problems.js'
import type { Style } from './style.js'
import { renderTable } from './table.js'

/** How doctor's report is shown. */
export interface DoctorView {
  readonly clean: boolean
  readonly ignore: readonly string[]
  readonly style: Style
}

/** The machines, all problems with their fixes, and one line that says how it stands. */
export function renderDoctor(report: DoctorReport, view: DoctorView): string {
  const parts: string[] = []
  if (report.machines.length > 0 && !view.clean) parts.push(machineTable(report.machines))
  const problems = renderProblems(report.problems, { ignore: view.ignore, info: true, style: view.style })
  if (problems !== '') parts.push(problems)
  parts.push(verdict(report, view))
  return parts.join('\n\n')
}

function machineTable(machines: readonly DoctorMachine[]): string {
  return renderTable(
    ['machine', 'role', 'host name', 'address', 'system', 'arch', 'init', 'cores', 'memory'],
    machines.map((machine) => [
      machine.name,
      machine.role,
      machine.hostname ?? '-',
      machine.address ?? '-',
      machine.os ?? '-',
      machine.arch ?? '-',
      machine.init ?? '-',
      machine.cpus === undefined ? '-' : String(machine.cpus),
      machine.memoryBytes === undefined ? '-' : `${(machine.memoryBytes / 1024 ** 3).toFixed(1)} GiB`,
    ]),
  )
}

function verdict({ ok, machines, problems }: DoctorReport, { clean, ignore, style }: DoctorView): string {
  const count = machines.length === 1 ? '1 machine' : `${machines.length} machines`
  if (ok) {
    if (machines.length === 0) return style.green('ok: this computer is ready')
    return style.green(clean ? `clean: nothing is left on ${count}` : `ok: ${count} ready for a cluster`)
  }
  const errors = refusals(problems, ignore).length
  const what = errors === 1 ? '1 problem' : `${errors} problems`
  const where =
    machines.length === 0 ? '' : ` on ${machines.filter((machine) => !machine.ok).length} of ${count}`
  return style.red(clean ? `not clean: ${what}${where}` : `refused: ${what}${where}`)
}
