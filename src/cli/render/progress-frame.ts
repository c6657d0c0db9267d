import type { MachineProgress, ProgressState, RunningStep } from './progress-state.js'
import { count, formatBytes, formatSeconds } from './quantity.js'
import type { Style } from './style.js'

/** Up to so many machines get a line each; more are counted. */
export const MAX_ROWS = 8

/** The lines that a terminal shows at a moment, none wider than `columns`. Pure. */
export function progressFrame(state: ProgressState, nowMs: number, columns: number, style: Style): string[] {
  const machines = [...state.machines.values()]
  if (machines.length === 0) return arrivals(state).map((line) => truncate(line, columns - 1))
  const rows =
    machines.length <= MAX_ROWS ? machines.map((one) => row(one, machines, nowMs)) : summary(machines)
  return rows.map(({ mark, text }) => paint(mark, truncate(text, columns - 4), style))
}

/** While machines are connected and looked at. */
function arrivals({ arrived: { connected, looked } }: ProgressState): string[] {
  if (connected + looked === 0) return []
  return [` • ${count(Math.max(connected, looked), 'machine')} connected, ${looked} looked at`]
}

interface Row {
  readonly mark: '✓' | '✗' | '•' | ' '
  readonly text: string
}

function row(machine: MachineProgress, all: readonly MachineProgress[], nowMs: number): Row {
  const label = machine.label.padEnd(Math.min(24, Math.max(...all.map((one) => one.label.length))))
  if (machine.failed !== undefined) return { mark: '✗', text: `${label}  ${machine.failed}` }
  const current = [...machine.running.values()].at(-1)
  if (current)
    return { mark: '•', text: `${label}  ${progressOf(machine)}${current.title}${detail(current, nowMs)}` }
  if (isFinished(machine)) {
    const seconds = ((machine.endedMs ?? nowMs) - machine.startedMs) / 1000
    return { mark: '✓', text: `${label}  ${count(machine.done, 'step')} in ${formatSeconds(seconds)}` }
  }
  return { mark: ' ', text: `${label}  ${progressOf(machine)}waiting for other machines` }
}

function progressOf(machine: MachineProgress): string {
  return machine.planned === undefined ? '' : `${machine.done}/${machine.planned} `
}

function isFinished(machine: MachineProgress): boolean {
  return machine.done > 0 && machine.done >= (machine.planned ?? 0) && machine.running.size === 0
}

/** Percent and rate of an upload; whole seconds of anything that takes longer than two. */
function detail(step: RunningStep, nowMs: number): string {
  const { upload } = step
  if (upload) {
    const { sentBytes, totalBytes, bytesPerSecond } = upload
    const share =
      totalBytes === undefined
        ? formatBytes(sentBytes)
        : `${Math.min(100, Math.floor((100 * sentBytes) / totalBytes))}% of ${formatBytes(totalBytes)}`
    return `: ${share}, ${formatBytes(bytesPerSecond)}/s`
  }
  const seconds = Math.floor((nowMs - step.startedMs) / 1000)
  return seconds < 2 ? '' : ` (${seconds}s)`
}

/** Many machines: how many are done, what the others do, the bytes, and the first failures by name. */
function summary(machines: readonly MachineProgress[]): Row[] {
  const failed = machines.filter((machine) => machine.failed !== undefined)
  const done = machines.filter((machine) => machine.failed === undefined && isFinished(machine))
  const titles = new Map<string, number>()
  let bytesPerSecond = 0
  for (const machine of machines) {
    for (const step of machine.running.values()) {
      titles.set(step.title, (titles.get(step.title) ?? 0) + 1)
      bytesPerSecond += step.upload?.bytesPerSecond ?? 0
    }
  }
  const rate = bytesPerSecond > 0 ? `, ${formatBytes(bytesPerSecond)}/s` : ''
  const bad = failed.length > 0 ? `, ${failed.length} failed` : ''
  const rows: Row[] = [
    { mark: '•', text: `${done.length}/${machines.length} machines done${bad}${rate}` },
    ...[...titles]
      .sort((a, b) => b[1] - a[1])
      .slice(0, 4)
      .map(([title, number]): Row => ({ mark: ' ', text: `${String(number).padStart(4)} ${title}` })),
  ]
  for (const machine of failed.slice(0, 3))
    rows.push({ mark: '✗', text: `${machine.label}  ${machine.failed}` })
  if (failed.length > 3) rows.push({ mark: '✗', text: `and ${failed.length - 3} more` })
  return rows
}

function paint(mark: Row['mark'], text: string, style: Style): string {
  const colored = mark === '✓' ? style.green(mark) : mark === '✗' ? style.red(mark) : mark
  return ` ${colored} ${mark === ' ' ? style.dim(text) : text}`
}

/** Cuts a line so that the terminal does not wrap it: a wrapped line would be redrawn at the wrong place. */
export function truncate(text: string, width: number): string {
  const flat = text.replace(/\s+$/g, '').replace(/[\r\n\t]+/g, ' ')
  if (flat.length <= width) return flat
  return width <= 1 ? '' : `${flat.slice(0, width - 1)}…`
}
