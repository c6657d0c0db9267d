import type { Problem } from '../../runtime/preflight/problem.js'
import {
  groupProblems,
  type ProblemGroup,
  severityWord,
  shortList,
} from '../../runtime/preflight/problem-lines.js'
import { plainStyle, type Style } from './style.js'

/** How problems are shown. */
export interface ProblemsView {
  /** Codes that were ignored. */
  readonly ignore?: readonly string[]
  /** Also what is only worth knowing. Default false. */
  readonly info?: boolean
  readonly style?: Style
}

/**
 * All problems of all machines as one table, what refuses first; each row is followed by its fix. Equal problems of several
 * machines are one row. Empty when there is nothing to show.
 */
export function renderProblems(problems: readonly Problem[], view: ProblemsView = {}): string {
  const style = view.style ?? plainStyle
  const groups = groupProblems(problems, view.ignore).filter(
    (group) => view.info || group.problem.severity !== 'info',
  )
  if (groups.length === 0) return ''
  const header = ['', 'MACHINE', 'CODE', 'PROBLEM']
  const rows = groups.map((group) => [
    severityWord(group),
    shortList(group.machines),
    group.problem.code,
    group.problem.message,
  ])
  const widths = header.map((cell, column) =>
    Math.max(cell.length, ...rows.map((row) => (row[column] ?? '').length)),
  )
  const pad = (row: readonly string[], paint: (text: string) => string): string =>
    row
      .map((cell, column) => {
        const wide = column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)
        return column === 0 ? paint(wide) : wide
      })
      .join('  ')
      .trimEnd()
  const indent = ' '.repeat(widths.slice(0, 3).reduce((sum, width) => sum + width + 2, 0))
  return [
    style.dim(pad(header, (text) => text)),
    ...groups.flatMap((group, index) => [
      pad(rows[index] ?? [], painter(group, style)),
      `${indent}${style.dim(`fix: ${group.problem.fix}`)}`,
    ]),
  ].join('\n')
}

function painter(group: ProblemGroup, style: Style): (text: string) => string {
  if (group.problem.severity === 'error') return group.ignored ? style.yellow : style.red
  return group.problem.severity === 'warning' ? style.yellow : style.dim
}
